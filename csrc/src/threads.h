// A team of threads that run one function together, and meet at barriers inside of it.
#pragma once

#include <atomic>
#include <functional>

#include "longshort/engine.h"

namespace longshort {

// Where the threads of a team wait for one another: spins briefly, then sleeps.
class Barrier {
 public:
  explicit Barrier(int threads) : threads_(threads), waiting_(0), round_(0) {}
  void wait();

 private:
  const int threads_;
  std::atomic<int> waiting_;
  std::atomic<int> round_;
};

// Runs work(0), ..., work(threads - 1) at the same time, work(0) in the calling thread, and returns when all are done.
// Denormal numbers count as zero inside. The threads are those that were borrowed, or else its own. Calls from several
// threads are queued; a forked child gets a team of its own.
void run_team(int threads, const std::function<void(int)>& work);

// Whether a team has lately spent most of its time waiting for one another: a neighbour on the machine has its cores.
// Who would have to wait often should then rather work alone.
bool crowded();

// While it lives, denormal numbers count as zero in this thread.
class FlushDenormals {
 public:
  FlushDenormals();
  ~FlushDenormals();
  FlushDenormals(const FlushDenormals&) = delete;
  FlushDenormals& operator=(const FlushDenormals&) = delete;

 private:
  unsigned before_;
};

}  // namespace longshort
