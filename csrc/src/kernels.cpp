// Compiled once per instruction set, with LONGSHORT_ISA as the name and LONGSHORT_VECTOR_BYTES as the width.
#include "kernels.h"

#include "backward.h"
#include "forward.h"
#include "stream.h"

namespace longshort::LONGSHORT_ISA {
namespace {

template <class T, class CellT>
std::unique_ptr<Stream<T>> make_stream(const Shape& shape, const Weights<T>& weights) {
  return std::make_unique<CellStream<T, CellT>>(shape, weights);
}

template <class T, class CellT>
std::int64_t tape_size(const Shape& shape) {
  using L = Layout<T, CellT>;
  const L layout(shape);
  return sizeof(TapeHeader) / sizeof(T) +
         shape.steps * shape.batch *
             (layout.panels * L::sums + (CellT::memory ? layout.padded : 0) + (layout.projected ? layout.padded : 0));
}

template <class T, class CellT>
constexpr Kernels<T> kernels() {
  return {&tape_size<T, CellT>, &run_forward<T, CellT>, &run_backward<T, CellT>, &make_stream<T, CellT>};
}

}  // namespace

extern const KernelTable table = {
    {kernels<float, RnnTanh<float>>(), kernels<float, RnnRelu<float>>(), kernels<float, Gru<float>>(),
     kernels<float, Lstm<float>>()},
    {kernels<double, RnnTanh<double>>(), kernels<double, RnnRelu<double>>(), kernels<double, Gru<double>>(),
     kernels<double, Lstm<double>>()},
};

}  // namespace longshort::LONGSHORT_ISA
