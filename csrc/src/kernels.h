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

template <class T>
struct Kernels {
  std::int64_t (*tape_size)(const Shape&);
  void (*forward)(const Shape&, const Weights<T>&, Sequences<const T>, const T*, const T*, Sequences<T>, T*, T*, T*);
  void (*backward)(const Shape&, const Weights<T>&, Sequences<const T>, const T*, const T*, Sequences<const T>, T*,
                   Sequences<const T>, const T*, const T*, Sequences<T>, WeightGradients<T>, T*, T*);
  std::unique_ptr<Stream<T>> (*stream)(const Shape&, const Weights<T>&);
};

struct KernelTable {
  Kernels<float> single[4];  // by Cell
  Kernels<double> twice[4];
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

}  // namespace longshort
