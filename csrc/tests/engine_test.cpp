// The core beside the plain solution (solution.h).
//
//   engine_test [--quick | --race]     --quick: fewer shapes, for builds that are watched by a sanitizer
//                                      --race: of these, what several threads do, on one instruction set
#include "longshort/engine.h"

#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <limits>
#include <random>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "longshort/memory.h"
#include "solution.h"

namespace {

using namespace longshort;
using namespace longshort::test;

std::atomic<long> checks{0}, failures{0};
thread_local std::string context;  // what is being checked, for the message

void check(bool ok, const std::string& what, const char* file, int line, const std::string& more = "") {
  ++checks;
  if (ok) return;
  if (++failures <= 40) {
    std::fprintf(stderr, "%s:%d: %s%s  [%s]\n", file, line, what.c_str(), more.c_str(), context.c_str());
  }
}

#define CHECK(condition) check((condition), #condition, __FILE__, __LINE__)
#define CHECK_NEAR(got, want, tolerance) check_near(got, want, tolerance, 0, #got, __FILE__, __LINE__)

double norm(const Numbers& v) {
  double sum = 0;
  for (const double e : v) sum += e * e;
  return std::sqrt(sum);
}

// Relative to the norm. Numbers near 0 carry the rounding of what they are the difference of, so a norm counts as 0.01
// at least, as states and gates are numbers of size 1; and as a fiftieth of that of its `terms`, the absolute values of
// what was added up, which is less than the norm except where a few long sums cancel.
void check_near(const Numbers& got, const Numbers& want, double tolerance, double terms, const std::string& what,
                const char* file, int line) {
  Numbers difference(want.size());
  for (std::size_t k = 0; k < std::min(got.size(), want.size()); ++k) difference[k] = got[k] - want[k];
  const double off = norm(difference), size = std::max({norm(want), 0.01, terms / 50});
  check(got.size() == want.size() && off <= tolerance * size, what, file, line,  // false for NaN, too
        " is off by " + std::to_string(off / size / tolerance) + " tolerances");
}

// -- the plain solution
// ------------------------------------------------------------------------------------------------

// The plain gradients against central differences of the plain loss.
void test_solution() {
  const auto dot = [](const Numbers& a, const Numbers& b) {
    double sum = 0;
    for (std::size_t k = 0; k < a.size(); ++k) sum += a[k] * b[k];
    return sum;
  };
  for (const Cell cell : all_cells()) {
    for (const std::int64_t projected : {0, 2}) {
      if (projected > 0 && !has_memory(cell)) continue;
      for (const unsigned options : {kAll - kSameZones, kAll - kLengths - kReverse - kMask - kZones}) {
        Problem p = make_problem(cell, {4, 3, 2, 5, projected}, options, 7);
        context = "differences of " + name(p);
        const Results exact = solve(p);
        const auto loss = [&] {
          const Results r = solve(p);
          return dot(r.y, p.dy) + dot(r.hn, p.dhn) + dot(r.cn, p.dcn);
        };
        const auto differences = [&](Numbers& at) {
          constexpr double width = 1e-5;
          Numbers d;
          for (double& e : at) {
            const double old = e;
            e = old + width;
            const double above = loss();
            e = old - width;
            d.push_back((above - loss()) / (2 * width));
            e = old;
          }
          return d;
        };
        for (int k = 0; k < kParameters; ++k) CHECK_NEAR(differences(p.w[k]), exact.dw[k], 1e-7);
        CHECK_NEAR(differences(p.x), exact.dx, 1e-7);
        CHECK_NEAR(differences(p.h0), exact.dh0, 1e-7);
        CHECK_NEAR(differences(p.c0), exact.dc0, 1e-7);
      }
    }
  }
}

// -- the core, called with a problem ----------------------------------------------------------------------------------

template <class T>
constexpr double kTolerance = sizeof(T) == 4 ? 1e-5 : 1e-12;
template <class T>
constexpr T kNan = std::numeric_limits<T>::quiet_NaN();

template <class T>
std::vector<T> cast(const Numbers& v) {
  return std::vector<T>(v.begin(), v.end());
}

template <class T>
Numbers widen(const std::vector<T>& v) {
  return Numbers(v.begin(), v.end());
}

// To an array, or null where there is none.
template <class T>
T* pointer(std::vector<T>& v) {
  return v.empty() ? nullptr : v.data();
}
template <class T>
const T* pointer(const std::vector<T>& v) {
  return v.empty() ? nullptr : v.data();
}

// As Parameters<T> or Parameters<const T>.
template <class T, class V>
Parameters<T> parameters(V& w) {
  return [&]<std::size_t... k>(std::index_sequence<k...>) {
    return Parameters<T>{pointer(w[k])...};
  }(std::make_index_sequence<kParameters>());
}

// (T, B, n) in memory as the options say. Everything that is not set is NaN: gaps, padding, what is to be written.
template <class T>
struct Series {
  std::int64_t steps = 0, batch = 0, n = 0;
  std::ptrdiff_t step = 0, sequence = 0;
  std::vector<T> memory;

  Series() = default;
  Series(const Problem& p, std::int64_t n)
      : steps(p.steps),
        batch(p.batch),
        n(n),
        step(p.has(kBatchFirst) ? n + 3 : p.batch * n),
        sequence(p.has(kBatchFirst) ? p.steps * step + 5 : n),
        memory((steps - 1) * step + (batch - 1) * sequence + n, kNan<T>) {}

  Series(const Problem& p, std::int64_t n, const Numbers& values) {
    if (values.empty()) return;
    *this = Series(p, n);
    for (std::int64_t b = 0; b < batch; ++b) {
      for (std::int64_t t = 0; t < p.length(b); ++t) {
        std::copy_n(&values[(t * batch + b) * n], n, &memory[t * step + b * sequence]);
      }
    }
  }

  // One row, for all steps of all sequences.
  static Series same(std::int64_t n, const Numbers& values) {
    Series s;
    s.memory = cast<T>(row(values, 0, values.empty() ? 0 : n));
    return s;
  }

  Sequences<T> at() { return {pointer(memory), step, sequence}; }
  Sequences<const T> read() const { return {pointer(memory), step, sequence}; }

  Numbers values() const {
    Numbers v(steps * batch * n);
    for (std::int64_t t = 0; t < steps; ++t) {
      for (std::int64_t b = 0; b < batch; ++b) {
        std::copy_n(&memory[t * step + b * sequence], n, &v[(t * batch + b) * n]);
      }
    }
    return v;
  }

  // Whether padded steps are 0, and nothing was written between the sequences.
  bool clean(const Problem& p) const {
    for (std::int64_t b = 0; b < batch; ++b) {
      for (std::int64_t t = p.length(b); t < steps; ++t) {
        for (std::int64_t k = 0; k < n; ++k) {
          if (memory[t * step + b * sequence + k] != 0) return false;
        }
      }
    }
    const auto numbers = std::count_if(memory.begin(), memory.end(), [](T v) { return !std::isnan(v); });
    return numbers == steps * batch * n;
  }
};

// All that a call reads, and what it writes.
template <class T>
struct Call {
  const Problem& p;
  Shape shape;
  Vectors<T> w, dw;
  std::vector<T> h0, c0, h_mask, dhn, dcn;
  Series<T> x, h_zone, c_zone, y, dy, dx;
  std::vector<T> hn, cn, dh0, dc0;
  Array<char> tape;
  static constexpr std::size_t kFence = 64;  // bytes behind the tape, which nobody writes

  Call(const Problem& p, int threads)
      : p(p),
        shape{p.cell,          p.steps, p.batch,    p.input, p.hidden, p.lengths.empty() ? nullptr : p.lengths.data(),
              p.has(kReverse), threads, p.projected},
        h0(cast<T>(p.h0)),
        c0(cast<T>(p.c0)),
        h_mask(cast<T>(p.h_mask)),
        dhn(cast<T>(p.dhn)),
        dcn(cast<T>(p.dcn)),
        x(p, p.input, p.x),
        h_zone(zone(p.output(), p.h_zone)),
        c_zone(zone(p.hidden, p.c_zone)),
        dy(p, p.output(), p.dy) {
    for (int k = 0; k < kParameters; ++k) w[k] = cast<T>(p.w[k]);
  }

  Series<T> zone(std::int64_t n, const Numbers& values) const {
    return p.has(kSameZones) ? Series<T>::same(n, values) : Series<T>(p, n, values);
  }

  Weights<T> weights() const { return parameters<const T>(w); }
  Input<T> input() const { return {x.read(), pointer(h0), pointer(c0), pointer(h_mask), h_zone.read(), c_zone.read()}; }

  // in_place: the last state overwrites the first.
  void forward(bool records, bool in_place = false) {
    y = Series<T>(p, p.output());
    hn.assign(p.batch * p.output(), kNan<T>);
    cn.assign(p.batch * p.memory(), kNan<T>);
    if (records) {
      tape = Array<char>(tape_bytes<T>(shape) + kFence);
      std::memset(tape.data(), -1, tape.size());  // NaN
    }
    Input<T> from = input();
    if (in_place && p.has(kState)) {
      hn = h0;
      cn = c0;
      from.h0 = pointer(hn);
      from.c0 = pointer(cn);
    }
    longshort::forward<T>(shape, weights(), from, {y.at(), hn.data(), pointer(cn)}, records ? tape.data() : nullptr);
  }

  void backward() {
    dx = p.has(kDx) ? Series<T>(p, p.input) : Series<T>();
    dh0.assign(p.has(kDstart) ? p.batch * p.output() : 0, kNan<T>);
    dc0.assign(p.has(kDstart) ? p.batch * p.memory() : 0, kNan<T>);
    for (int k = 0; k < kParameters; ++k) dw[k].assign(w[k].size(), kNan<T>);
    longshort::backward<T>(shape, weights(), input(), y.read(), tape.data(), {dy.read(), pointer(dhn), pointer(dcn)},
                           {dx.at(), pointer(dh0), pointer(dc0)}, parameters<T>(dw));
  }

  void check_forward(const Results& want) const {
    CHECK_NEAR(y.values(), want.y, kTolerance<T>);
    CHECK(y.clean(p));
    CHECK_NEAR(widen(hn), want.hn, kTolerance<T>);
    CHECK_NEAR(widen(cn), want.cn, kTolerance<T>);
  }

  void check_backward(const Results& want) const {
    CHECK(std::all_of(tape.data() + tape.size() - kFence, tape.data() + tape.size(), [](char c) { return c == -1; }));
    if (p.has(kDx)) {
      CHECK_NEAR(dx.values(), want.dx, kTolerance<T>);
      CHECK(dx.clean(p));
    }
    if (p.has(kDstart)) {
      CHECK_NEAR(widen(dh0), want.dh0, kTolerance<T>);
      CHECK_NEAR(widen(dc0), want.dc0, kTolerance<T>);
    }
    for (int k = 0; k < kParameters; ++k) {
      check_near(widen(dw[k]), want.dw[k], kTolerance<T>, norm(want.terms[k]), std::string("dw ") + kParameterNames[k],
                 __FILE__, __LINE__);
    }
  }

  // All that was written, to be compared bit by bit.
  std::vector<std::vector<T>> written() const {
    std::vector<std::vector<T>> all = {y.memory, hn, cn, dx.memory, dh0, dc0};
    all.insert(all.end(), dw.begin(), dw.end());
    return all;
  }
};

template <class T>
bool same_bits(const std::vector<std::vector<T>>& a, const std::vector<std::vector<T>>& b) {
  for (std::size_t k = 0; k < a.size(); ++k) {
    if (a[k].size() != b[k].size()) return false;
    if (!a[k].empty() && std::memcmp(a[k].data(), b[k].data(), a[k].size() * sizeof(T)) != 0) return false;
  }
  return true;
}

template <class T>
void compare(const Problem& p, const Results& want, int threads) {
  Call<T> call(p, threads);
  const std::string about = name(p) + (sizeof(T) == 4 ? ", float, " : ", double, ") + instruction_set() + ", threads " +
                            std::to_string(threads) + ", chunk ";
  for (const std::int64_t chunk : {std::int64_t{0}, p.chunk}) {
    context = about + std::to_string(chunk);
    call.shape.chunk = chunk;
    call.forward(true);
    call.check_forward(want);
    call.backward();
    call.check_backward(want);
    const auto first = call.written();
    call.backward();
    CHECK(same_bits(first, call.written()));
  }
  call.forward(false);
  call.check_forward(want);
  // Packed weights may have been kept; these are changed in place.
  T& weight = call.w[kRecurrent][call.w[kRecurrent].size() / 2];
  const T before = weight;
  weight = kNan<T>;
  call.forward(false);
  CHECK(std::any_of(call.hn.begin(), call.hn.end(), [](T v) { return std::isnan(v); }));
  weight = before;
  call.forward(false, /*in_place=*/true);
  call.check_forward(want);
}

bool race = false;

void compare_everywhere(const Problem& p, const std::vector<int>& threads) {
  const Results want = solve(p);
  for (const auto& set : instruction_sets()) {
    if (race && set != instruction_sets().back()) continue;
    use_instruction_set(set);
    for (const int n : threads) {
      if (race && n == 1) continue;
      compare<float>(p, want, n);
      compare<double>(p, want, n);
    }
  }
}

void test_shapes(bool quick) {
  std::mt19937 random(1);
  unsigned seed = 0;
  const std::int64_t inputs[] = {5, 37, 16, 1};
  for (const Cell cell : all_cells()) {
    const bool normalized = is_normalized(cell);
    for (const std::int64_t hidden : {1, 9, 33, 130}) {
      if (normalized && hidden == 1) continue;  // few numbers may be nearly equal: their norm magnifies rounding
      for (const std::int64_t batch : {1, 5, 70}) {
        const std::int64_t steps = batch == 1 ? 23 : hidden == 130 && batch == 70 ? 4 : 9;
        for (int k = 0; k < (quick ? 1 : 3); ++k, ++seed) {
          const unsigned options = quick || k > 0 ? random() & kAll : seed % 8 == 0 ? kAll : 0;
          const std::int64_t input = inputs[random() % (normalized ? 3 : 4)];
          const std::int64_t projected = has_memory(cell) && random() % 3 == 0 ? hidden / 2 + 1 : 0;
          compare_everywhere(make_problem(cell, {steps, batch, input, hidden, projected}, options, seed),
                             quick ? std::vector{1, 3} : std::vector{1, 2, 3});
        }
      }
    }
  }
}

// Shapes beyond what is computed in one go: rows of the weights' gradients, steps whose inputs are projected ahead.
void test_long(bool quick) {
  for (const Cell cell : all_cells()) {
    for (const unsigned options : {kAll - kBatchFirst, kAll - kLengths - kZones}) {
      compare_everywhere(make_problem(cell, {40, 70, 6, 9}, options, 11), {1, 3});
      if (quick) continue;
      compare_everywhere(make_problem(cell, {2300, 1, 6, 9}, options, 12), {1, 2});
      compare_everywhere(make_problem(cell, {3, 20, 5000, 9}, options, 13), {1, 2});
    }
    if (has_memory(cell)) compare_everywhere(make_problem(cell, {40, 70, 6, 9, 5}, kAll, 15), {1, 3});
  }
  // Steps of more rows than the weights' gradients take in one go.
  for (const std::int64_t projected : {0, 5}) {
    compare_everywhere(make_problem(Cell::lstm, {2, 1100, 3, 9, projected}, kAll - kLengths, 16), {1});
  }
  // Weights so large that threads share them rather than the sequences.
  if (!quick) compare_everywhere(make_problem(Cell::lstm, {2, 13, 400, 700}, kAll, 14), {3});
}

// Chunks of every size, of sequences that end in any of them.
void test_chunks() {
  for (const Cell cell : all_cells()) {
    Problem p = make_problem(cell, {7, 6, 4, 20}, kAll, 51);
    p.lengths = {3, 7, 1, 6, 2, 7};
    for (p.chunk = 1; p.chunk <= p.steps + 1; ++p.chunk) compare_everywhere(p, {1, 2});
  }
}

// What engine.h says a tape takes.
void test_tape_bytes() {
  for (const Cell cell : all_cells()) {
    const bool memory = has_memory(cell), normalized = is_normalized(cell);
    const std::int64_t sums = cell == Cell::gru ? 4 : normalized ? 8 : gates(cell);
    for (const std::int64_t projected : {0, 10}) {
      context = std::string("tape of ") + kCellNames[static_cast<int>(cell)] + ", " + std::to_string(projected);
      if (projected > 0 && !memory) continue;
      Shape shape{cell, 10, 3, 5, 64, nullptr, false, 1, projected};
      const std::int64_t numbers = 10 * 3 * ((sums + memory + (projected > 0)) * 64 + (normalized ? 4 : 0));
      CHECK(tape_bytes<float>(shape) == 64 + 4 * numbers);
      CHECK(tape_bytes<double>(shape) == 64 + 8 * numbers);
      shape.chunk = 4;
      CHECK(tape_bytes<float>(shape) == 64 + 4 * 3 * 3 * (shape.output() + (memory ? 64 : 0)));
    }
  }
}

// backward must be told nothing of how forward was run.
void test_changed_between() {
  const Problem p = make_problem(Cell::lstm, {9, 20, 16, 33}, kAll, 21);
  const Results want = solve(p);
  const auto sets = instruction_sets();
  for (const auto& then : sets) {
    for (const auto& now : sets) {
      for (const int chunk : {0, 4}) {
        context = "forward with " + then + ", backward with " + now + ", chunk " + std::to_string(chunk);
        use_instruction_set(then);
        Call<float> call(p, 2);
        call.shape.chunk = chunk;
        call.forward(true);
        use_instruction_set(now);
        call.shape.threads = 1;
        call.backward();
        call.check_backward(want);
        call.backward();
        call.check_backward(want);
      }
    }
  }
}

template <class Action>
bool refused(const Action& action) {
  try {
    action();
  } catch (const std::invalid_argument&) {
    return true;
  }
  return false;
}

void test_refusals() {
  context = "names of instruction sets";
  CHECK(refused([] { use_instruction_set("abacus"); }));
  CHECK(instruction_set() == instruction_sets().back());
  for (const std::int64_t wrong : {0, -1, 10}) {
    context = "a length of " + std::to_string(wrong) + " among 9 steps";
    const Problem p = make_problem(Cell::gru, {9, 3, 4, 5}, 0, 22);
    Call<float> call(p, 1);
    const std::int64_t lengths[] = {9, wrong, 1};
    call.shape.lengths = lengths;
    CHECK(refused([&] { call.forward(false); }));
  }
  for (const Cell cell : {Cell::gru, Cell::lstm}) {
    context = "a projection of a GRU, or of what zones keep";
    const Problem p = make_problem(cell, {9, 3, 4, 5}, kHZone, 23);
    Call<float> call(p, 1);
    call.shape.projected = 5;
    CHECK(refused([&] { call.forward(false); }));
  }
}

template <class T>
void compare_stream(const Problem& p, const Results& want) {
  context = "stream, " + name(p) + (sizeof(T) == 4 ? ", float, " : ", double, ") + instruction_set();
  Call<T> call(p, 1);
  const std::int64_t state = p.batch * p.output();
  const auto share = [](const Numbers& zone) { return zone.empty() ? T(0) : T(zone[0]); };
  const auto layer = stream<T>(p.cell, p.batch, p.input, p.hidden, p.projected, call.weights(),
                               Zoneout<T>{share(p.h_zone), share(p.c_zone)});
  for (auto& weight : call.w) std::fill(weight.begin(), weight.end(), kNan<T>);
  if (p.has(kState)) layer->write(call.h0.data(), pointer(call.c0));
  std::vector<T> y;
  for (std::int64_t t = 0; t < p.steps; ++t) {
    const std::vector<T> x(call.x.memory.begin() + t * p.batch * p.input,
                           call.x.memory.begin() + (t + 1) * p.batch * p.input);
    std::vector<T> now(state, kNan<T>);
    layer->step(x.data(), now.data());
    y.insert(y.end(), now.begin(), now.end());
  }
  CHECK_NEAR(widen(y), want.y, kTolerance<T>);
  std::vector<T> h(state, kNan<T>), c(p.batch * p.memory(), kNan<T>);
  layer->read(h.data(), pointer(c));
  CHECK_NEAR(widen(h), want.hn, kTolerance<T>);
  CHECK_NEAR(widen(c), want.cn, kTolerance<T>);
}

void test_stream() {
  unsigned seed = 0;
  for (const Cell cell : all_cells()) {
    for (const std::int64_t hidden : {1, 7, 33, 130}) {
      if (is_normalized(cell) && hidden == 1) continue;  // as above
      for (const std::int64_t batch : {1, 5, 70}) {
        ++seed;
        const unsigned options =
            (seed % 2 == 0 ? kBiases : 0) | (seed % 3 != 0 ? kState : 0) | (seed % 4 < 2 ? kZones : 0);
        for (const std::int64_t projected : {std::int64_t{0}, hidden / 2 + 1}) {
          if (projected > 0 && !has_memory(cell)) continue;
          Problem p = make_problem(cell, {5, batch, 1 + seed % 20, hidden, projected}, options, seed);
          std::fill(p.h_zone.begin(), p.h_zone.end(), 0.25);
          std::fill(p.c_zone.begin(), p.c_zone.end(), 0.5);
          const Results want = solve(p);
          for (const auto& set : instruction_sets()) {
            use_instruction_set(set);
            compare_stream<float>(p, want);
            compare_stream<double>(p, want);
          }
        }
      }
    }
  }
}

double nearest_bfloat16(double value) {
  int exponent = 0;
  const double fraction = std::frexp(value, &exponent);
  return std::ldexp(std::nearbyint(std::ldexp(fraction, 8)), exponent - 8);
}

template <class T>
void compare_readout(std::int64_t batch, std::int64_t inputs, std::int64_t outputs, bool biased, unsigned seed) {
  context = "readout " + std::to_string(batch) + ", " + std::to_string(inputs) + ", " + std::to_string(outputs) +
            (sizeof(T) == 4 ? ", float, " : ", double, ") + instruction_set();
  std::mt19937 random(seed);
  std::normal_distribution<double> normal;
  const auto draw = [&](std::int64_t n) {
    std::vector<T> numbers(n);
    for (T& v : numbers) v = static_cast<T>(normal(random));
    return numbers;
  };
  const std::vector<T> x = draw(batch * inputs), bias = draw(biased ? outputs : 0);
  const std::vector<T> weight = draw(outputs * inputs);
  for (const bool rounds : {false, true}) {
    const bool halves = rounds && sizeof(T) == 4 && instruction_set() == "avx512_bf16";
    const auto product = [&](T one, T other) {
      return halves ? nearest_bfloat16(one) * nearest_bfloat16(other) : double(one) * double(other);
    };
    Numbers want;
    for (std::int64_t b = 0; b < batch; ++b) {
      for (std::int64_t o = 0; o < outputs; ++o) {
        double sum = biased ? bias[o] : 0.0;
        for (std::int64_t k = 0; k < inputs; ++k) sum += product(x[b * inputs + k], weight[o * inputs + k]);
        want.push_back(sum);
      }
    }
    std::vector<T> given = weight;
    const auto layer = readout<T>(inputs, outputs, given.data(), pointer(bias), rounds);
    std::fill(given.begin(), given.end(), kNan<T>);
    std::vector<T> y(batch * outputs + 1, T(42));
    layer->run(batch, x.data(), y.data());
    CHECK(y.back() == T(42));
    y.pop_back();
    CHECK_NEAR(widen(y), want, kTolerance<T>);
  }
}

void test_readout() {
  unsigned seed = 0;
  for (const auto& set : instruction_sets()) {
    use_instruction_set(set);
    for (const std::int64_t batch : {1, 2, 7, 33}) {
      for (const std::int64_t inputs : {1, 2, 31, 64, 129}) {
        for (const std::int64_t outputs : {1, 15, 32, 100, 1001}) {
          ++seed;
          compare_readout<float>(batch, inputs, outputs, seed % 2 == 0, seed);
          compare_readout<double>(batch, inputs, outputs, seed % 2 == 0, seed);
        }
      }
    }
  }
}

// -- threads, processes, and the caller's arithmetic ------------------------------------------------------------------

// Problems large enough for several threads; shared out by units, and by sequences.
std::vector<Problem> busy_problems() {
  return {make_problem(Cell::lstm, {12, 3, 20, 70}, kAll, 31),
          make_problem(Cell::gru, {12, 24, 20, 33}, kAll, 32),
          make_problem(Cell::rnn_tanh, {30, 24, 37, 60}, kAll - kLengths, 33),
          make_problem(Cell::lstm, {12, 30, 7, 40}, kAll, 34),
          make_problem(Cell::layer_norm_lstm, {12, 3, 20, 70}, kAll, 35),
          make_problem(Cell::coupled_peephole_lstm, {12, 3, 20, 90, 50}, kAll, 36)};
}

void test_concurrent_calls(bool quick) {
  const auto problems = busy_problems();
  std::vector<Results> want;
  for (const auto& p : problems) want.push_back(solve(p));
  // Weights that all threads use at once, without a tape: the packed ones are kept and shared.
  Call<float> common(problems[3], 2);
  common.forward(false);
  std::vector<std::thread> callers;
  for (std::size_t k = 0; k < problems.size(); ++k) {
    callers.emplace_back([&, k] {
      for (int round = 0; round < (quick ? 4 : 20); ++round) {
        compare<float>(problems[k], want[k], 1 + (round + static_cast<int>(k)) % 3);
        compare<double>(problems[k], want[k], 2);
        context = "weights in common";
        Call<float> mine(problems[3], 1 + round % 2);
        mine.y = common.y;
        std::vector<float> hn(common.hn.size()), cn(common.cn.size());
        forward<float>(mine.shape, common.weights(), mine.input(), {mine.y.at(), hn.data(), cn.data()}, nullptr);
        CHECK_NEAR(mine.y.values(), want[3].y, kTolerance<float>);
      }
    });
  }
  for (auto& caller : callers) caller.join();
}

// Whether a forked child computes what its parent does, with threads of its own.
void check_child(const Problem& p, const char* when) {
  context = std::string("fork ") + when + ", " + name(p);
  Call<float> call(p, 2);
  call.forward(true);
  call.backward();
  const auto want = call.written();
  const pid_t child = fork();
  if (child == 0) {
    alarm(60);  // a child that hangs is a failure
    call.forward(true);
    call.backward();
    bool same = same_bits(want, call.written());
    call.forward(false);
    _exit(same && call.y.memory.size() == want[0].size() && !std::isnan(call.hn[0]) ? 0 : 1);
  }
  int status = -1;
  CHECK(child > 0 && waitpid(child, &status, 0) == child);
  CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
  call.forward(true);  // the parent has lost nothing
  call.backward();
  CHECK(same_bits(want, call.written()));
}

void test_fork() {
  const auto problems = busy_problems();
  for (const auto& p : problems) check_child(p, "at rest");
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)  // their own locks do not survive this
  std::atomic<bool> stop{false};
  std::vector<std::thread> callers;
  for (int k = 0; k < 2; ++k) {
    callers.emplace_back([&, k] {
      Call<float> call(problems[k], 2);
      while (!stop) {
        call.forward(true);
        call.backward();
        call.forward(false);
      }
    });
  }
  for (int round = 0; round < 10; ++round) check_child(problems[round % problems.size()], "during other calls");
  stop = true;
  for (auto& caller : callers) caller.join();
#endif
}

template <class T>
bool denormals_work() {
  const volatile T tiny = std::numeric_limits<T>::denorm_min() * 64;
  const volatile T half = T(0.5);
  const volatile T small = std::numeric_limits<T>::min();
  return tiny * half == std::numeric_limits<T>::denorm_min() * 32 && tiny + tiny > tiny && small * half > 0;
}

void test_denormals() {
  context = "the caller's denormal numbers";
  CHECK(denormals_work<float>() && denormals_work<double>());
  for (const auto& p : busy_problems()) {
    for (const int threads : {1, 2}) {
      Call<double> call(p, threads);
      call.forward(true);
      call.backward();
      CHECK(denormals_work<float>() && denormals_work<double>());
    }
  }
  // Inside they count as zero.
  Problem p = make_problem(Cell::rnn_relu, {1, 3, 4, 5}, 0, 41);
  std::fill(p.w[kInput].begin(), p.w[kInput].end(), 1);
  std::fill(p.x.begin(), p.x.end(), 1e-40);
  Call<float> call(p, 1);
  call.forward(false);
  const auto layer = stream<float>(p.cell, p.batch, p.input, p.hidden, 0, call.weights());
  std::vector<float> y(p.batch * p.hidden);
  layer->step(call.x.memory.data(), y.data());
  CHECK(denormals_work<float>() && denormals_work<double>());
#if defined(__x86_64__)
  for (const auto& found : {call.y.memory, y}) {
    CHECK(std::all_of(found.begin(), found.end(), [](float v) { return v == 0; }));
  }
#endif
}

}  // namespace

int main(int argc, char** argv) {
  const std::string option = argc > 1 ? argv[1] : "";
  race = option == "--race";
  const bool quick = race || option == "--quick";
  test_solution();
  test_shapes(quick);
  test_long(quick);
  test_chunks();
  test_tape_bytes();
  test_changed_between();
  test_refusals();
  test_stream();
  test_readout();
  test_concurrent_calls(quick);
  test_fork();
  test_denormals();
  std::printf("%ld checks, %ld failures (%zu instruction sets)\n", checks.load(), failures.load(),
              instruction_sets().size());
  return failures == 0 ? 0 : 1;
}
