// The public functions: which instruction set, then on to its kernels.
#include "longshort/engine.h"

#include <atomic>
#include <cstdlib>
#include <new>
#include <stdexcept>

#include "chunks.h"
#include "kernels.h"
#include "longshort/memory.h"

namespace longshort {
namespace {

struct InstructionSet {
  const char* name;
  const KernelTable* table;
  const RoundingKernels* rounding = nullptr;
};

// Those that this machine can run, lowest first.
const std::vector<InstructionSet>& usable() {
  static const std::vector<InstructionSet> sets = [] {
    std::vector<InstructionSet> found = {{"baseline", &baseline::table}};
#if defined(LONGSHORT_HAS_avx2)
    if (!__builtin_cpu_supports("avx2") || !__builtin_cpu_supports("fma")) return found;
    found.push_back({"avx2", &avx2::table});
#endif
#if defined(LONGSHORT_HAS_avx512)
    if (!__builtin_cpu_supports("avx512f") || !__builtin_cpu_supports("avx512dq") ||
        !__builtin_cpu_supports("avx512bw") || !__builtin_cpu_supports("avx512vl")) {
      return found;
    }
    found.push_back({"avx512", &avx512::table});
    if (__builtin_cpu_supports("avx512bf16")) {
      found.push_back({"avx512_bf16", &avx512::table, &avx512_bf16::rounding});
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

const Kernels<float>& kernels(int set, const Shape& shape, float) {
  const InstructionSet& isa = usable()[set];
  if (shape.rounds && isa.rounding != nullptr) {
    if (shape.cell == Cell::lstm) return isa.rounding->lstm;
    if (shape.cell == Cell::gru) return isa.rounding->gru;
  }
  return isa.table->single[static_cast<int>(shape.cell)];
}
const Kernels<double>& kernels(int set, const Shape& shape, double) {
  return usable()[set].table->twice[static_cast<int>(shape.cell)];
}

MakeReadout<float> maker(int set, bool rounds, float) {
  const InstructionSet& isa = usable()[set];
  return rounds && isa.rounding != nullptr ? isa.rounding->readout : isa.table->single_readout;
}
MakeReadout<double> maker(int set, bool, double) { return usable()[set].table->double_readout; }

void check(const Shape& shape, bool zones) {
  if (shape.lengths != nullptr) {
    for (std::int64_t b = 0; b < shape.batch; ++b) {
      if (shape.lengths[b] < 1 || shape.lengths[b] > shape.steps) {
        throw std::invalid_argument("a length must lie between 1 and the " + std::to_string(shape.steps) +
                                    " steps of the batch, not be " + std::to_string(shape.lengths[b]));
      }
    }
  }
  if (shape.projected > 0 && !has_memory(shape.cell)) throw std::invalid_argument("only an LSTM has a projection");
  if (shape.projected > 0 && zones)
    throw std::invalid_argument("a layer with a projection keeps no share of its state");
}

}  // namespace

int gates(Cell cell) {
  switch (cell) {
    case Cell::rnn_tanh:
    case Cell::rnn_relu:
      return 1;
    case Cell::gru:
    case Cell::coupled_lstm:
    case Cell::coupled_peephole_lstm:
      return 3;
    default:
      return 4;
  }
}

int peepholes(Cell cell) { return cell == Cell::peephole_lstm ? 3 : cell == Cell::coupled_peephole_lstm ? 2 : 0; }

bool has_memory(Cell cell) { return cell >= Cell::lstm; }

bool is_normalized(Cell cell) { return cell == Cell::layer_norm_lstm; }

template <class T>
std::int64_t tape_bytes(const Shape& shape) {
  return kTapeHeader +
         (in_chunks(shape) ? chunked_tape_bytes<T>(shape) : kernels(chosen(), shape, T()).tape_bytes(Part(shape)));
}

template <class T>
void forward(const Shape& shape, const Weights<T>& weights, const Input<T>& input, const Output<T>& output,
             void* tape) {
  check(shape, input.h_zone.data != nullptr || input.c_zone.data != nullptr);
  const int set = chosen();
  if (tape != nullptr) new (tape) TapeHeader{set, shape.threads, 0};
  const Kernels<T>& own = kernels(set, shape, T());
  if (tape != nullptr && in_chunks(shape)) {
    chunked_forward(own, shape, weights, input, output, tape);
  } else {
    own.forward(Part(shape), weights, input, output, tape);
  }
}

template <class T>
void backward(const Shape& shape, const Weights<T>& weights, const Input<T>& input, Sequences<const T> y, void* tape,
              const OutputGradients<T>& given, const InputGradients<T>& asked, const WeightGradients<T>& dw) {
  auto& head = *static_cast<TapeHeader*>(tape);
  Shape same = shape;
  same.threads = head.threads;
  const Kernels<T>& own = kernels(head.instruction_set, shape, T());
  if (in_chunks(shape)) return chunked_backward(own, same, weights, input, y, tape, given, asked, dw);
  if (head.spent) {
    Array<T> again((shape.steps + 1) * shape.batch * shape.output() + shape.batch * shape.hidden);  // known already
    const std::int64_t row = shape.batch * shape.output();
    T* hn = again.data() + shape.steps * row;
    own.forward(Part(same), weights, input, {{again.data(), row, shape.output()}, hn, hn + row}, tape);
  }
  head.spent = 1;
  own.backward(Part(same), weights, input, y, tape, given, asked, dw);
}

template <class T>
std::unique_ptr<Stream<T>> stream(Cell cell, std::int64_t batch, std::int64_t input, std::int64_t hidden,
                                  std::int64_t projected, const Weights<T>& weights, Zoneout<T> zoneout, bool rounds) {
  Shape shape{cell, 1, batch, input, hidden, nullptr, false, 1, projected};
  shape.rounds = rounds;
  check(shape, zoneout.h != 0 || zoneout.c != 0);
  return kernels(chosen(), shape, T()).stream(Part(shape), weights, zoneout);
}

template <class T>
std::unique_ptr<Readout<T>> readout(std::int64_t inputs, std::int64_t outputs, const T* weight, const T* bias,
                                    bool rounds) {
  return maker(chosen(), rounds, T())(inputs, outputs, weight, bias);
}

#define LONGSHORT_INSTANTIATE(T)                                                                           \
  template std::int64_t tape_bytes<T>(const Shape&);                                                       \
  template void forward(const Shape&, const Weights<T>&, const Input<T>&, const Output<T>&, void*);        \
  template void backward(const Shape&, const Weights<T>&, const Input<T>&, Sequences<const T>, void*,      \
                         const OutputGradients<T>&, const InputGradients<T>&, const WeightGradients<T>&);  \
  template std::unique_ptr<Stream<T>> stream(Cell, std::int64_t, std::int64_t, std::int64_t, std::int64_t, \
                                             const Weights<T>&, Zoneout<T>, bool);                         \
  template std::unique_ptr<Readout<T>> readout(std::int64_t, std::int64_t, const T*, const T*, bool);
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
