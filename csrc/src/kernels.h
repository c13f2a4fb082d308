// What is compiled once per instruction set, as a table of functions.
#pragma once

#include "longshort/engine.h"

namespace longshort {

// Stands at the beginning of a tape: backward must know how forward was run.
struct alignas(64) TapeHeader {
  std::int32_t instruction_set;
  std::int32_t threads;
  std::int32_t spent;  // whether backward has overwritten the tape
};

static_assert(sizeof(TapeHeader) == kTapeHeader);

// Some of a layer's steps, [first, last) of each sequence in the order in which they are run. A sequence that has none
// of them keeps its state.
struct Part : Shape {
  explicit Part(const Shape& shape) : Shape(shape), last(shape.steps) {}
  std::int64_t first = 0, last;
};

template <class T>
struct Kernels {
  std::int64_t (*tape_bytes)(const Part&);  // without the header
  void (*forward)(const Part&, const Weights<T>&, const Input<T>&, const Output<T>&, void*);
  void (*backward)(const Part&, const Weights<T>&, const Input<T>&, Sequences<const T>, void*,
                   const OutputGradients<T>&, const InputGradients<T>&, const WeightGradients<T>&);
  std::unique_ptr<Stream<T>> (*stream)(const Part&, const Weights<T>&, Zoneout<T>);
};

template <class T>
using MakeReadout = std::unique_ptr<Readout<T>> (*)(std::int64_t inputs, std::int64_t outputs, const T* weight,
                                                    const T* bias);

struct KernelTable {
  Kernels<float> single[kCells];  // by Cell
  Kernels<double> twice[kCells];
  MakeReadout<float> single_readout;
  MakeReadout<double> double_readout;
};

// Those whose products round both sides to bfloat16.
struct RoundingKernels {
  Kernels<float> lstm, gru;
  MakeReadout<float> readout;
};

namespace baseline {
extern const KernelTable table;
}
namespace avx2 {
extern const KernelTable table;
}
namespace avx512 {
extern const KernelTable table;
}
namespace avx512_bf16 {
extern const RoundingKernels rounding;
}

}  // namespace longshort
