#include "threads.h"

#include <algorithm>
#include <chrono>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#if defined(__x86_64__)
#include <xmmintrin.h>
#endif
#if defined(__unix__) || defined(__APPLE__)
#include <pthread.h>
#endif

namespace longshort {
namespace {

// About 20 microseconds: longer than a step takes to be shared out, shorter than anything a neighbour would notice.
constexpr int kSpins = 1000;

inline void relax() {
#if defined(__x86_64__)
  _mm_pause();
#endif
}

using Clock = std::chrono::steady_clock;

thread_local Clock::duration slept{};       // of this thread, in the work it does
std::atomic<Clock::rep> slept_together{0};  // of all threads of the team
std::atomic<Clock::time_point> crowded_until{Clock::time_point::min()};
std::atomic<int> waits{0};   // calls in a row whose threads slept for a quarter of their time
constexpr int kCrowded = 4;  // so many are no accident

// Returns once `value` is no longer `old`.
void wait_while(std::atomic<int>& value, int old) {
  for (int spin = 0; spin < kSpins; ++spin) {
    if (value.load(std::memory_order_acquire) != old) return;
    relax();
  }
  const Clock::time_point began = Clock::now();
  while (value.load(std::memory_order_acquire) == old) value.wait(old, std::memory_order_acquire);
  slept += Clock::now() - began;
}

void work_as(int id, const std::function<void(int)>& work) {
  FlushDenormals flush;
  slept = Clock::duration::zero();
  work(id);
  slept_together.fetch_add(slept.count(), std::memory_order_relaxed);
}

// Worker threads that wait for rounds of work. Its owner calls run() from one thread at a time.
class Pool {
 public:
  explicit Pool(int workers) {
    for (int k = 0; k < workers; ++k) threads_.emplace_back([this, k] { serve(k + 1); });
  }

  ~Pool() {
    work_ = nullptr;
    round_.fetch_add(1, std::memory_order_release);
    round_.notify_all();
    for (auto& thread : threads_) thread.join();
  }

  int workers() const { return static_cast<int>(threads_.size()); }

  void run(int threads, const std::function<void(int)>& work) {
    work_ = &work;
    team_ = threads;
    left_.store(workers(), std::memory_order_relaxed);
    round_.fetch_add(1, std::memory_order_release);
    round_.notify_all();
    work_as(0, work);
    for (int left = left_.load(std::memory_order_acquire); left != 0; left = left_.load(std::memory_order_acquire)) {
      wait_while(left_, left);
    }
  }

 private:
  void serve(int id) {
    for (int seen = 0;;) {
      wait_while(round_, seen);
      seen = round_.load(std::memory_order_acquire);
      if (work_ == nullptr) return;
      if (id < team_) work_as(id, *work_);
      if (left_.fetch_sub(1, std::memory_order_acq_rel) == 1) left_.notify_one();
    }
  }

  std::vector<std::thread> threads_;
  const std::function<void(int)>* work_ = nullptr;
  int team_ = 0;
  std::atomic<int> round_{0};
  std::atomic<int> left_{0};
};

// The threads of an OpenMP library that the process has anyway. After work of its own these wait for more without
// sleeping, and threads of ours would have to share the cores with them.
class Borrowed {
 public:
  explicit Borrowed(const OpenMP& library) : library_(library) {}

  // Whether there were threads enough; else nothing was done.
  bool run(int threads, const std::function<void(int)>& work) const {
    if (library_.parallel == nullptr) return false;
    Call call{library_, threads, work};
    // As many as the library has always: where the number changes, it ends threads and starts others.
    library_.parallel(&serve, &call, static_cast<unsigned>(std::max(threads, library_.most())), 0);
    return call.done;
  }

 private:
  struct Call {
    const OpenMP& library;
    int threads;
    const std::function<void(int)>& work;
    bool done = false;
  };

  static void serve(void* data) {
    Call& call = *static_cast<Call*>(data);
    const int id = call.library.number();
    if (call.library.team() < call.threads || id >= call.threads) return;
    work_as(id, call.work);
    if (id == 0) call.done = true;
  }

  OpenMP library_;
};

struct Owner {
  std::mutex mutex;
  std::unique_ptr<Pool> pool;
  Borrowed borrowed{OpenMP{}};
};

// Never destroyed: threads of a process that is ending must not be joined.
Owner* owner = nullptr;
std::once_flag created;

void make_owner() {
  owner = new Owner;
#if defined(__unix__) || defined(__APPLE__)
  // Threads do not survive a fork: the child forgets all of them, and makes a pool when it first needs one.
  pthread_atfork([] { owner->mutex.lock(); }, [] { owner->mutex.unlock(); }, [] { owner = new Owner; });
#endif
}

Pool& own_pool(int threads) {
  if (!owner->pool || owner->pool->workers() < threads - 1) {
    owner->pool.reset();
    owner->pool = std::make_unique<Pool>(threads - 1);
  }
  return *owner->pool;
}

}  // namespace

void borrow_threads(const OpenMP& library) {
  std::call_once(created, make_owner);
  const std::lock_guard<std::mutex> lock(owner->mutex);
  owner->borrowed = Borrowed(library);
}

void Barrier::wait() {
  if (threads_ == 1) return;
  const int round = round_.load(std::memory_order_acquire);
  if (waiting_.fetch_add(1, std::memory_order_acq_rel) + 1 == threads_) {
    waiting_.store(0, std::memory_order_relaxed);
    round_.fetch_add(1, std::memory_order_release);
    round_.notify_all();
  } else {
    wait_while(round_, round);
  }
}

void run_team(int threads, const std::function<void(int)>& work) {
  if (threads <= 1) return work_as(0, work);
  std::call_once(created, make_owner);
  const std::lock_guard<std::mutex> lock(owner->mutex);
  const Clock::time_point began = Clock::now();
  slept_together = 0;
  if (!owner->borrowed.run(threads, work)) own_pool(threads).run(threads, work);
  const Clock::time_point now = Clock::now();
  if (4 * Clock::duration(slept_together.load()) <= threads * (now - began)) {
    waits = 0;
  } else if (++waits >= kCrowded) {
    // To try again costs little if it is done seldom: one call of a few dozen.
    crowded_until = now + 32 * (now - began);
  }
}

bool crowded() { return Clock::now() < crowded_until.load(std::memory_order_relaxed); }

FlushDenormals::FlushDenormals() : before_(0) {
#if defined(__x86_64__)
  before_ = _mm_getcsr();
  _mm_setcsr(before_ | 0x8040);  // flush to zero, and denormals are zero
#endif
}

FlushDenormals::~FlushDenormals() {
#if defined(__x86_64__)
  _mm_setcsr(before_);
#endif
}

}  // namespace longshort
