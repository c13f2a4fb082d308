// The public functions: which instruction set, then on to its kernels.
#include "longshort/engine.h"

#include <atomic>
#include <cstdlib>
#include <cstring>
#include <stdexcept>

#include "kernels.h"

namespace longshort {
namespace {

struct InstructionSet {
  const char* name;
  const KernelTable* table;
};

// Those that this machine can run, lowest first.
const std::vector<InstructionSet>& usable() {
  static const std::vector<InstructionSet> sets = [] {
    std::vector<InstructionSet> found = {{"baseline", &baseline::table}};
#if defined(__x86_64__)
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) {
      found.push_back({"avx2", &avx2::table});
      if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") &&
          __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl")) {
        found.push_back({"avx512", &avx512::table});
      }
    }
#endif
    return found;
  }();
  return sets;
}

int named(const std::string& name) {
  std::string known;
  for (std::size_t k = 0; k < usable().size(); ++k) {
    if (name == usable()[k].name) return static_cast<int>(k);
    known += (k == 0 ? "" : ", ") + std::string(usable()[k].name);
  }
  throw std::invalid_argument("there is no instruction set '" + name + "' here; this machine can run " + known);
}

int first_choice() {
  const char* name = std::getenv("LONGSHORT_ISA");
  return name != nullptr && *name != '\0' ? named(name) : static_cast<int>(usable().size()) - 1;
}

// Index of the set in use among usable().
std::atomic<int>& chosen() {
  static std::atomic<int> index(first_choice());
  return index;
}

const Kernels<float>& kernels(int set, Cell cell, float) { return usable()[set].table->single[static_cast<int>(cell)]; }
const Kernels<double>& kernels(int set, Cell cell, double) {
  return usable()[set].table->twice[static_cast<int>(cell)];
}

// The header of a tape, copied out and in: the memory is the caller's, of numbers.
template <class T>
TapeHeader header(const T* tape) {
  TapeHeader result;
  std::memcpy(&result, tape, sizeof result);
  return result;
}

}  // namespace

int gates(Cell cell) {
  switch (cell) {
    case Cell::lstm:
      return 4;
    case Cell::gru:
      return 3;
    default:
      return 1;
  }
}

bool has_memory(Cell cell) { return cell == Cell::lstm; }

template <class T>
std::int64_t tape_size(const Shape& shape) {
  return kernels(chosen(), shape.cell, T()).tape_size(shape);
}

template <class T>
void forward(const Shape& shape, const Weights<T>& weights, Sequences<const T> x, const T* h0, const T* c0,
             Sequences<T> y, T* hn, T* cn, T* tape) {
  if (shape.lengths != nullptr) {
    for (std::int64_t b = 0; b < shape.batch; ++b) {
      if (shape.lengths[b] < 1 || shape.lengths[b] > shape.steps) {
        throw std::invalid_argument("a length must lie between 1 and the " + std::to_string(shape.steps) +
                                    " steps of the batch, not be " + std::to_string(shape.lengths[b]));
      }
    }
  }
  const int set = chosen();
  if (tape != nullptr) {
    const TapeHeader head{set, shape.threads, 0};
    std::memcpy(static_cast<void*>(tape), &head, sizeof head);
  }
  kernels(set, shape.cell, T()).forward(shape, weights, x, h0, c0, y, hn, cn, tape);
}

template <class T>
void backward(const Shape& shape, const Weights<T>& weights, Sequences<const T> x, const T* h0, const T* c0,
              Sequences<const T> y, T* tape, Sequences<const T> dy, const T* dhn, const T* dcn, Sequences<T> dx,
              WeightGradients<T> dw, T* dh0, T* dc0) {
  TapeHeader head = header(tape);
  Shape same = shape;
  same.threads = head.threads;
  const Kernels<T>& own = kernels(head.instruction_set, shape.cell, T());
  if (head.spent) {
    const std::int64_t row = shape.batch * shape.output();
    std::vector<T> again((shape.steps + 1) * row + shape.batch * shape.hidden);  // y, hn, cn: known already
    T* hn = again.data() + shape.steps * row;
    own.forward(same, weights, x, h0, c0, {again.data(), row, shape.output()}, hn, hn + row, tape);
  }
  head.spent = 1;
  std::memcpy(static_cast<void*>(tape), &head, sizeof head);
  own.backward(same, weights, x, h0, c0, y, tape, dy, dhn, dcn, dx, dw, dh0, dc0);
}

template <class T>
std::unique_ptr<Stream<T>> stream(Cell cell, std::int64_t batch, std::int64_t input, std::int64_t hidden,
                                  const Weights<T>& weights) {
  return kernels(chosen(), cell, T()).stream(Shape{cell, 1, batch, input, hidden, nullptr, false, 1}, weights);
}

#define LONGSHORT_INSTANTIATE(T)                                                                                       \
  template std::int64_t tape_size<T>(const Shape&);                                                                    \
  template void forward(const Shape&, const Weights<T>&, Sequences<const T>, const T*, const T*, Sequences<T>, T*, T*, \
                        T*);                                                                                           \
  template void backward(const Shape&, const Weights<T>&, Sequences<const T>, const T*, const T*, Sequences<const T>,  \
                         T*, Sequences<const T>, const T*, const T*, Sequences<T>, WeightGradients<T>, T*, T*);        \
  template std::unique_ptr<Stream<T>> stream(Cell, std::int64_t, std::int64_t, std::int64_t, const Weights<T>&);
LONGSHORT_INSTANTIATE(float)
LONGSHORT_INSTANTIATE(double)
#undef LONGSHORT_INSTANTIATE

std::string instruction_set() { return usable()[chosen()].name; }

std::vector<std::string> instruction_sets() {
  std::vector<std::string> names;
  for (const auto& set : usable()) names.emplace_back(set.name);
  return names;
}

void use_instruction_set(const std::string& name) { chosen() = named(name); }

}  // namespace longshort
