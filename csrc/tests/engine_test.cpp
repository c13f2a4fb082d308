// Compares the core with a plain scalar implementation in double precision.
//
//   engine_test [--quick]     --quick: fewer shapes, for builds that are watched by a sanitizer
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
#include <vector>

namespace {

using namespace longshort;
using Numbers = std::vector<double>;

std::atomic<long> checks{0}, failures{0};
thread_local std::string context;  // what is being checked, for the message

void check(bool ok, const char* what, const char* file, int line, const std::string& more = "") {
  ++checks;
  if (ok) return;
  if (++failures <= 40) {
    std::fprintf(stderr, "%s:%d: %s%s  [%s]\n", file, line, what, more.c_str(), context.c_str());
  }
}

#define CHECK(condition) check((condition), #condition, __FILE__, __LINE__)
#define CHECK_NEAR(got, want, tolerance) check_near(got, want, tolerance, 0, #got, __FILE__, __LINE__)
#define CHECK_SUMS(got, want, terms, tolerance) check_near(got, want, tolerance, norm(terms), #got, __FILE__, __LINE__)

double norm(const Numbers& v) {
  double sum = 0;
  for (const double e : v) sum += e * e;
  return std::sqrt(sum);
}

// Relative to the norm. Numbers near 0 carry the rounding of what they are the difference of, so a norm counts as 0.01
// at least, as states and gates are numbers of size 1; and as a fiftieth of that of its `terms`, the absolute values of
// what was added up, which is less than the norm except where a few long sums cancel.
void check_near(const Numbers& got, const Numbers& want, double tolerance, double terms, const char* what,
                const char* file, int line) {
  Numbers difference(want.size());
  for (std::size_t k = 0; k < std::min(got.size(), want.size()); ++k) difference[k] = got[k] - want[k];
  const double off = norm(difference), size = std::max({norm(want), 0.01, terms / 50});
  check(got.size() == want.size() && off <= tolerance * size, what, file, line,  // false for NaN, too
        " is off by " + std::to_string(off / size / tolerance) + " tolerances");
}

// -- the plain implementation -----------------------------------------------------------------------------------------

struct Options {
  bool lengths, reverse, biases, state;
  bool batch_first;          // of x, y, dy, dx, with gaps between steps and sequences
  bool dx, dy, dstate, dh0;  // whether asked for, or given
};

struct Problem {
  Cell cell;
  std::int64_t steps, batch, input, hidden;
  Options options;
  std::vector<std::int64_t> lengths;  // empty without
  Numbers w_input, w_recurrent, b_input, b_recurrent;
  Numbers x, h0, c0;  // (T, B, I); (B, H)
  Numbers dy, dhn, dcn;

  std::int64_t rows() const { return gates(cell) * hidden; }
  std::int64_t length(std::int64_t b) const { return lengths.empty() ? steps : lengths[b]; }
  std::int64_t time(std::int64_t b, std::int64_t s) const { return options.reverse ? length(b) - 1 - s : s; }
};

struct Results {
  Numbers y, hn, cn;
  Numbers dx, dw_input, dw_recurrent, db_input, db_recurrent, dh0, dc0;
  Numbers w_input_terms, w_recurrent_terms, b_input_terms, b_recurrent_terms;  // sums of absolute values
};

double sigmoid(double x) { return 1 / (1 + std::exp(-x)); }

// to = W v + b
void affine(const Numbers& w, const Numbers& b, const double* v, std::int64_t width, Numbers& to) {
  for (std::size_t r = 0; r < to.size(); ++r) {
    double sum = b.empty() ? 0 : b[r];
    for (std::int64_t k = 0; k < width; ++k) sum += w[r * width + k] * v[k];
    to[r] = sum;
  }
}

// dw += d v^T, db += d, dv += W^T d
void affine_gradient(const Numbers& w, const Numbers& d, const double* v, std::int64_t width, Numbers& dw, Numbers& db,
                     Numbers& w_terms, Numbers& b_terms, double* dv) {
  for (std::size_t r = 0; r < d.size(); ++r) {
    db[r] += d[r];
    b_terms[r] += std::abs(d[r]);
    for (std::int64_t k = 0; k < width; ++k) {
      dw[r * width + k] += d[r] * v[k];
      w_terms[r * width + k] += std::abs(d[r] * v[k]);
      dv[k] += w[r * width + k] * d[r];
    }
  }
}

// Each sequence on its own, one step after the other: p = W x + b from the input, q = U h + b' from the last state.
Results solve(const Problem& problem) {
  const auto& [cell, T, B, I, H, options, lengths, wx, wh, bx, bh, x, h0, c0, dy, dhn, dcn] = problem;
  const std::int64_t rows = problem.rows();
  const bool memory = has_memory(cell);
  Results r;
  r.y.resize(T * B * H);
  r.hn.resize(B * H);
  r.cn.resize(memory ? B * H : 0);
  r.dx.resize(T * B * I);
  r.dw_input.resize(rows * I);
  r.dw_recurrent.resize(rows * H);
  r.db_input.resize(rows);
  r.db_recurrent.resize(rows);
  r.w_input_terms.resize(rows * I);
  r.w_recurrent_terms.resize(rows * H);
  r.b_input_terms.resize(rows);
  r.b_recurrent_terms.resize(rows);
  r.dh0.resize(B * H);
  r.dc0.resize(memory ? B * H : 0);
  for (std::int64_t b = 0; b < B; ++b) {
    const std::int64_t length = problem.length(b);
    Numbers p(rows), q(rows);
    // h and c before each step and after the last; the gates of each step.
    std::vector<Numbers> h(length + 1, Numbers(H)), c(length + 1, Numbers(H)), a(length, Numbers(4 * H));
    if (options.state) std::copy_n(&h0[b * H], H, h[0].begin());
    if (options.state && memory) std::copy_n(&c0[b * H], H, c[0].begin());
    for (std::int64_t s = 0; s < length; ++s) {
      const std::int64_t t = problem.time(b, s);
      affine(wx, bx, &x[(t * B + b) * I], I, p);
      affine(wh, bh, h[s].data(), H, q);
      for (std::int64_t u = 0; u < H; ++u) {
        double* gate = &a[s][4 * u];
        if (cell == Cell::lstm) {
          const double i = gate[0] = sigmoid(p[u] + q[u]);
          const double f = gate[1] = sigmoid(p[H + u] + q[H + u]);
          const double g = gate[2] = std::tanh(p[2 * H + u] + q[2 * H + u]);
          const double o = gate[3] = sigmoid(p[3 * H + u] + q[3 * H + u]);
          c[s + 1][u] = f * c[s][u] + i * g;
          h[s + 1][u] = o * std::tanh(c[s + 1][u]);
        } else if (cell == Cell::gru) {
          const double reset = gate[0] = sigmoid(p[u] + q[u]);
          const double z = gate[1] = sigmoid(p[H + u] + q[H + u]);
          gate[3] = q[2 * H + u];
          const double n = gate[2] = std::tanh(p[2 * H + u] + reset * q[2 * H + u]);
          h[s + 1][u] = (1 - z) * n + z * h[s][u];
        } else {
          const double sum = p[u] + q[u];
          h[s + 1][u] = cell == Cell::rnn_tanh ? std::tanh(sum) : std::max(sum, 0.0);
        }
      }
      std::copy_n(h[s + 1].begin(), H, &r.y[(t * B + b) * H]);
    }
    std::copy_n(h[length].begin(), H, &r.hn[b * H]);
    if (memory) std::copy_n(c[length].begin(), H, &r.cn[b * H]);

    Numbers dh(H), dc(H);
    if (options.dstate) std::copy_n(&dhn[b * H], H, dh.begin());
    if (options.dstate && memory) std::copy_n(&dcn[b * H], H, dc.begin());
    for (std::int64_t s = length - 1; s >= 0; --s) {
      const std::int64_t t = problem.time(b, s);
      Numbers dlast(H);
      for (std::int64_t u = 0; u < H; ++u) {
        const double* gate = &a[s][4 * u];
        const double d = dh[u] + (options.dy ? dy[(t * B + b) * H + u] : 0);
        if (cell == Cell::lstm) {
          const double i = gate[0], f = gate[1], g = gate[2], o = gate[3], th = std::tanh(c[s + 1][u]);
          const double dcell = dc[u] + d * o * (1 - th * th);
          p[u] = q[u] = dcell * g * i * (1 - i);
          p[H + u] = q[H + u] = dcell * c[s][u] * f * (1 - f);
          p[2 * H + u] = q[2 * H + u] = dcell * i * (1 - g * g);
          p[3 * H + u] = q[3 * H + u] = d * th * o * (1 - o);
          dc[u] = dcell * f;
        } else if (cell == Cell::gru) {
          const double reset = gate[0], z = gate[1], n = gate[2];
          const double dn = d * (1 - z) * (1 - n * n);
          p[u] = q[u] = dn * gate[3] * reset * (1 - reset);
          p[H + u] = q[H + u] = d * (h[s][u] - n) * z * (1 - z);
          p[2 * H + u] = dn;
          q[2 * H + u] = dn * reset;
          dlast[u] = d * z;
        } else {
          const double out = h[s + 1][u];
          p[u] = q[u] = d * (cell == Cell::rnn_tanh ? 1 - out * out : (out > 0 ? 1 : 0));
        }
      }
      affine_gradient(wx, p, &x[(t * B + b) * I], I, r.dw_input, r.db_input, r.w_input_terms, r.b_input_terms,
                      &r.dx[(t * B + b) * I]);
      affine_gradient(wh, q, h[s].data(), H, r.dw_recurrent, r.db_recurrent, r.w_recurrent_terms, r.b_recurrent_terms,
                      dlast.data());
      dh = dlast;
    }
    std::copy_n(dh.begin(), H, &r.dh0[b * H]);
    if (memory) std::copy_n(dc.begin(), H, &r.dc0[b * H]);
  }
  return r;
}

Problem make_problem(Cell cell, std::int64_t steps, std::int64_t batch, std::int64_t input, std::int64_t hidden,
                     Options options, unsigned seed) {
  std::mt19937 random(seed);
  // Numbers that float holds exactly, so that one solution serves both types.
  const auto draw = [&](std::int64_t size, double scale) {
    std::uniform_real_distribution<float> uniform(-static_cast<float>(scale), static_cast<float>(scale));
    Numbers v(size);
    for (double& e : v) e = uniform(random);
    return v;
  };
  Problem p{cell, steps, batch, input, hidden, options, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}};
  const double scale = 1 / std::sqrt(static_cast<double>(hidden));
  p.w_input = draw(p.rows() * input, 1 / std::sqrt(static_cast<double>(input)));
  p.w_recurrent = draw(p.rows() * hidden, scale);
  p.b_input = draw(options.biases ? p.rows() : 0, 1);
  p.b_recurrent = draw(options.biases ? p.rows() : 0, 1);
  p.x = draw(steps * batch * input, 2);
  p.h0 = draw(batch * hidden, 1);
  p.c0 = draw(batch * hidden, 2);
  p.dy = draw(steps * batch * hidden, 1);
  p.dhn = draw(batch * hidden, 1);
  p.dcn = draw(batch * hidden, 1);
  if (options.lengths) {
    std::uniform_int_distribution<std::int64_t> any(1, steps);
    for (std::int64_t b = 0; b < batch; ++b) p.lengths.push_back(any(random));
  }
  return p;
}

std::string name(const Problem& p) {
  static const char* const cells[] = {"rnn_tanh", "rnn_relu", "gru", "lstm"};
  const Options& o = p.options;
  std::string s = cells[static_cast<int>(p.cell)];
  for (const auto n : {p.steps, p.batch, p.input, p.hidden}) s += " " + std::to_string(n);
  const std::pair<const char*, bool> flags[] = {
      {"lengths", o.lengths}, {"reverse", o.reverse},         {"biases", o.biases},
      {"state", o.state},     {"batch_first", o.batch_first}, {"dx", o.dx},
      {"dy", o.dy},           {"dstate", o.dstate},           {"dh0", o.dh0}};
  for (const auto& [flag, set] : flags) s += set ? std::string(" ") + flag : "";
  return s;
}

// The plain gradients against central differences of the plain loss.
void test_solution() {
  for (const Cell cell : {Cell::rnn_tanh, Cell::rnn_relu, Cell::gru, Cell::lstm}) {
    for (const bool reverse : {false, true}) {
      Problem p = make_problem(cell, 4, 3, 2, 3, {reverse, reverse, true, true, false, true, true, true, true}, 7);
      context = "differences of " + name(p);
      const Results exact = solve(p);
      const auto dot = [](const Numbers& a, const Numbers& b) {
        double sum = 0;
        for (std::size_t k = 0; k < std::min(a.size(), b.size()); ++k) sum += a[k] * b[k];
        return sum;
      };
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
      CHECK_NEAR(differences(p.x), exact.dx, 1e-7);
      CHECK_NEAR(differences(p.w_input), exact.dw_input, 1e-7);
      CHECK_NEAR(differences(p.w_recurrent), exact.dw_recurrent, 1e-7);
      CHECK_NEAR(differences(p.b_input), exact.db_input, 1e-7);
      CHECK_NEAR(differences(p.b_recurrent), exact.db_recurrent, 1e-7);
      CHECK_NEAR(differences(p.h0), exact.dh0, 1e-7);
      if (has_memory(cell)) CHECK_NEAR(differences(p.c0), exact.dc0, 1e-7);
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

// (T, B, n) in memory as the options say. Everything that is not set is NaN: gaps, padding, what is to be written.
template <class T>
struct Series {
  std::int64_t steps, batch, n;
  std::ptrdiff_t step, sequence;
  std::vector<T> memory;

  Series(const Problem& p, std::int64_t n)
      : steps(p.steps),
        batch(p.batch),
        n(n),
        step(p.options.batch_first ? n + 3 : p.batch * n),
        sequence(p.options.batch_first ? p.steps * step + 5 : n),
        memory((steps - 1) * step + (batch - 1) * sequence + n, kNan<T>) {}

  Series(const Problem& p, std::int64_t n, const Numbers& values) : Series(p, n) {
    for (std::int64_t b = 0; b < batch; ++b) {
      for (std::int64_t t = 0; t < p.length(b); ++t) {
        std::copy_n(&values[(t * batch + b) * n], n, &memory[t * step + b * sequence]);
      }
    }
  }

  Sequences<T> at() { return {memory.data(), step, sequence}; }
  Sequences<const T> read() const { return {memory.data(), step, sequence}; }

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
  std::vector<T> wx, wh, bx, bh, h0, c0, dhn, dcn;
  Series<T> x, y, dy, dx;
  std::vector<T> hn, cn, dwx, dwh, dbx, dbh, dh0, dc0, tape;

  Call(const Problem& p, int threads)
      : p(p),
        shape{p.cell,
              p.steps,
              p.batch,
              p.input,
              p.hidden,
              p.lengths.empty() ? nullptr : p.lengths.data(),
              p.options.reverse,
              threads},
        wx(cast<T>(p.w_input)),
        wh(cast<T>(p.w_recurrent)),
        bx(cast<T>(p.b_input)),
        bh(cast<T>(p.b_recurrent)),
        h0(cast<T>(p.h0)),
        c0(cast<T>(p.c0)),
        dhn(cast<T>(p.dhn)),
        dcn(cast<T>(p.dcn)),
        x(p, p.input, p.x),
        y(p, p.hidden),
        dy(p, p.hidden, p.dy),
        dx(p, p.input) {}

  Weights<T> weights() const {
    return {wx.data(), wh.data(), bx.empty() ? nullptr : bx.data(), bh.empty() ? nullptr : bh.data()};
  }
  const T* start() const { return p.options.state ? h0.data() : nullptr; }
  const T* start_memory() const { return p.options.state && has_memory(p.cell) ? c0.data() : nullptr; }

  void forward(bool records) {
    const std::int64_t state = p.batch * p.hidden;
    y = Series<T>(p, p.hidden);
    hn.assign(state, kNan<T>);
    cn.assign(has_memory(p.cell) ? state : 0, kNan<T>);
    if (records) tape.assign(tape_size<T>(shape), kNan<T>);
    longshort::forward<T>(shape, weights(), x.read(), start(), start_memory(), y.at(), hn.data(),
                          cn.empty() ? nullptr : cn.data(), records ? tape.data() : nullptr);
  }

  void backward() {
    const std::int64_t state = p.batch * p.hidden, rows = p.rows();
    const Options& o = p.options;
    const bool memory = has_memory(p.cell);
    dx = Series<T>(p, p.input);
    dwx.assign(rows * p.input, kNan<T>);
    dwh.assign(rows * p.hidden, kNan<T>);
    dbx.assign(o.biases ? rows : 0, kNan<T>);
    dbh.assign(o.biases ? rows : 0, kNan<T>);
    dh0.assign(o.dh0 ? state : 0, kNan<T>);
    dc0.assign(o.dh0 && memory ? state : 0, kNan<T>);
    const auto or_null = [](std::vector<T>& v) { return v.empty() ? nullptr : v.data(); };
    longshort::backward<T>(shape, weights(), x.read(), start(), start_memory(), y.read(), tape.data(),
                           o.dy ? dy.read() : Sequences<const T>{}, o.dstate ? dhn.data() : nullptr,
                           o.dstate && memory ? dcn.data() : nullptr, o.dx ? dx.at() : Sequences<T>{},
                           {dwx.data(), dwh.data(), or_null(dbx), or_null(dbh)}, or_null(dh0), or_null(dc0));
  }

  void check_forward(const Results& want) const {
    CHECK_NEAR(y.values(), want.y, kTolerance<T>);
    CHECK(y.clean(p));
    CHECK_NEAR(widen(hn), want.hn, kTolerance<T>);
    CHECK_NEAR(widen(cn), want.cn, kTolerance<T>);
  }

  void check_backward(const Results& want) const {
    const Options& o = p.options;
    if (o.dx) {
      CHECK_NEAR(dx.values(), want.dx, kTolerance<T>);
      CHECK(dx.clean(p));
    }
    CHECK_SUMS(widen(dwx), want.dw_input, want.w_input_terms, kTolerance<T>);
    CHECK_SUMS(widen(dwh), want.dw_recurrent, want.w_recurrent_terms, kTolerance<T>);
    if (o.biases) {
      CHECK_SUMS(widen(dbx), want.db_input, want.b_input_terms, kTolerance<T>);
      CHECK_SUMS(widen(dbh), want.db_recurrent, want.b_recurrent_terms, kTolerance<T>);
    }
    if (o.dh0) CHECK_NEAR(widen(dh0), want.dh0, kTolerance<T>);
    if (o.dh0) CHECK_NEAR(widen(dc0), want.dc0, kTolerance<T>);
  }

  // All that was written, to be compared bit by bit.
  std::vector<std::vector<T>> written() const { return {y.memory, hn, cn, dx.memory, dwx, dwh, dbx, dbh, dh0, dc0}; }
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
  context = name(p) + (sizeof(T) == 4 ? ", float, " : ", double, ") + instruction_set() + ", threads " +
            std::to_string(threads);
  Call<T> call(p, threads);
  call.forward(true);
  call.check_forward(want);
  call.backward();
  call.check_backward(want);
  const auto first = call.written();
  call.backward();
  CHECK(same_bits(first, call.written()));
  call.forward(false);
  call.check_forward(want);
  // Packed weights may have been kept; these are changed in place.
  T& weight = call.wh[call.wh.size() / 2];
  const T before = weight;
  weight = kNan<T>;
  call.forward(false);
  CHECK(std::any_of(call.hn.begin(), call.hn.end(), [](T v) { return std::isnan(v); }));
  weight = before;
  call.forward(false);
  call.check_forward(want);
}

void compare_everywhere(const Problem& p, const std::vector<int>& threads) {
  const Results want = solve(p);
  for (const auto& set : instruction_sets()) {
    use_instruction_set(set);
    for (const int n : threads) {
      compare<float>(p, want, n);
      compare<double>(p, want, n);
    }
  }
}

Options options_from(unsigned bits) {
  const auto bit = [&](int k) { return (bits >> k & 1) != 0; };
  return {bit(0), bit(1), bit(2), bit(3), bit(4), bit(5), bit(6), bit(7), bit(8)};
}

constexpr unsigned kAll = 511, kBatchFirst = 16, kLengths = 1;
const Cell kCells[] = {Cell::rnn_tanh, Cell::rnn_relu, Cell::gru, Cell::lstm};

void test_shapes(bool quick) {
  std::mt19937 random(1);
  unsigned seed = 0;
  const std::int64_t inputs[] = {5, 1, 37, 16};
  for (const Cell cell : kCells) {
    for (const std::int64_t hidden : {1, 7, 33, 130}) {
      for (const std::int64_t batch : {1, 5, 70}) {
        const std::int64_t steps = batch == 1 ? 23 : hidden == 130 && batch == 70 ? 4 : 9;
        for (int k = 0; k < (quick ? 1 : 4); ++k, ++seed) {
          const unsigned bits = !quick && k == 0 ? (seed % 8 == 0 ? kAll : 0) : random() & kAll;
          const std::int64_t input = inputs[(seed + seed / 4) % 4];
          compare_everywhere(make_problem(cell, steps, batch, input, hidden, options_from(bits), seed),
                             quick ? std::vector{1, 3} : std::vector{1, 2, 3});
        }
      }
    }
  }
}

// Shapes beyond what is computed in one go: rows of the weights' gradients, steps whose inputs are projected ahead.
void test_long(bool quick) {
  for (const Cell cell : kCells) {
    for (const unsigned bits : {kAll - kBatchFirst, kAll - kLengths}) {
      compare_everywhere(make_problem(cell, 40, 70, 6, 9, options_from(bits), 11), {1, 3});
      if (quick) continue;
      compare_everywhere(make_problem(cell, 2300, 1, 3, 7, options_from(bits), 12), {1, 2});
      compare_everywhere(make_problem(cell, 3, 20, 5000, 3, options_from(bits), 13), {1, 2});
    }
  }
  // Weights so large that threads share them rather than the sequences.
  if (!quick) compare_everywhere(make_problem(Cell::lstm, 2, 13, 400, 700, options_from(kAll), 14), {3});
}

// backward must be told nothing of how forward was run.
void test_changed_between() {
  const Problem p = make_problem(Cell::lstm, 9, 20, 16, 33, options_from(kAll), 21);
  const Results want = solve(p);
  const auto sets = instruction_sets();
  for (const auto& then : sets) {
    for (const auto& now : sets) {
      context = "forward with " + then + ", backward with " + now;
      use_instruction_set(then);
      Call<float> call(p, 2);
      call.forward(true);
      use_instruction_set(now);
      call.shape.threads = 1;
      call.backward();
      call.check_backward(want);
      call.backward();
      call.check_backward(want);
    }
  }
  context = "names of instruction sets";
  bool thrown = false;
  try {
    use_instruction_set("abacus");
  } catch (const std::invalid_argument&) {
    thrown = true;
  }
  CHECK(thrown);
  CHECK(instruction_set() == sets.back());
}

template <class T>
void compare_stream(const Problem& p, const Results& want) {
  context = "stream, " + name(p) + (sizeof(T) == 4 ? ", float, " : ", double, ") + instruction_set();
  Call<T> call(p, 1);
  const std::int64_t state = p.batch * p.hidden;
  const auto layer = stream<T>(p.cell, p.batch, p.input, p.hidden, call.weights());
  for (auto* weight : {&call.wx, &call.wh, &call.bx, &call.bh}) std::fill(weight->begin(), weight->end(), kNan<T>);
  if (call.start() != nullptr) layer->write(call.start(), call.start_memory());
  std::vector<T> y;
  for (std::int64_t t = 0; t < p.steps; ++t) {
    const std::vector<T> x(call.x.memory.begin() + t * p.batch * p.input,
                           call.x.memory.begin() + (t + 1) * p.batch * p.input);
    std::vector<T> now(state, kNan<T>);
    layer->step(x.data(), now.data());
    y.insert(y.end(), now.begin(), now.end());
  }
  CHECK_NEAR(widen(y), want.y, kTolerance<T>);
  std::vector<T> h(state, kNan<T>), c(has_memory(p.cell) ? state : 0, kNan<T>);
  layer->read(h.data(), c.empty() ? nullptr : c.data());
  CHECK_NEAR(widen(h), want.hn, kTolerance<T>);
  CHECK_NEAR(widen(c), want.cn, kTolerance<T>);
}

void test_stream() {
  unsigned seed = 0;
  for (const Cell cell : kCells) {
    for (const std::int64_t hidden : {1, 7, 33, 130}) {
      for (const std::int64_t batch : {1, 5, 70}) {
        ++seed;
        const Options options{false, false, seed % 2 == 0, seed % 3 != 0, false, true, true, true, true};
        const Problem p = make_problem(cell, 5, batch, 1 + seed % 20, hidden, options, seed);
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

void test_wrong_lengths() {
  for (const std::int64_t wrong : {0, -1, 10}) {
    context = "a length of " + std::to_string(wrong) + " among 9 steps";
    Problem p = make_problem(Cell::gru, 9, 3, 4, 5, options_from(0), 22);
    Call<float> call(p, 1);
    const std::int64_t lengths[] = {9, wrong, 1};
    call.shape.lengths = lengths;
    bool thrown = false;
    try {
      call.forward(false);
    } catch (const std::invalid_argument&) {
      thrown = true;
    }
    CHECK(thrown);
  }
}

// -- threads, processes, and the caller's arithmetic ------------------------------------------------------------------

// Problems large enough for several threads; shared out by units, and by sequences.
std::vector<Problem> busy_problems() {
  return {make_problem(Cell::lstm, 12, 3, 20, 70, options_from(kAll), 31),
          make_problem(Cell::gru, 12, 24, 20, 33, options_from(kAll), 32),
          make_problem(Cell::rnn_tanh, 30, 24, 37, 60, options_from(kAll - kLengths), 33),
          make_problem(Cell::lstm, 12, 30, 7, 40, options_from(kAll), 34)};
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
        std::vector<float> hn(common.hn.size()), cn(common.cn.size());
        forward<float>(mine.shape, common.weights(), mine.x.read(), mine.start(), mine.start_memory(), mine.y.at(),
                       hn.data(), cn.data(), nullptr);
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
  const Problem p = make_problem(Cell::gru, 1, 3, 4, 5, options_from(0), 41);
  Call<float> call(p, 1);
  const auto layer = stream<float>(p.cell, p.batch, p.input, p.hidden, call.weights());
  std::vector<float> y(p.batch * p.hidden);
  layer->step(call.x.memory.data(), y.data());
  CHECK(denormals_work<float>() && denormals_work<double>());
}

}  // namespace

int main(int argc, char** argv) {
  const bool quick = argc > 1 && std::strcmp(argv[1], "--quick") == 0;
  test_solution();
  test_shapes(quick);
  test_long(quick);
  test_changed_between();
  test_wrong_lengths();
  test_stream();
  test_concurrent_calls(quick);
  test_fork();
  test_denormals();
  std::printf("%ld checks, %ld failures (%zu instruction sets)\n", checks.load(), failures.load(),
              instruction_sets().size());
  return failures == 0 ? 0 : 1;
}
