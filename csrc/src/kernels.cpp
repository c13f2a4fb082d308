// Compiled once per instruction set, with LONGSHORT_ISA as the name and LONGSHORT_VECTOR_BYTES as the width.
#include "kernels.h"

#include "backward.h"
#include "forward.h"
#include "readout.h"
#include "stream.h"

namespace longshort::LONGSHORT_ISA {
namespace {

template <class T, class CellT, class P>
std::unique_ptr<Stream<T>> make_stream(const Part& part, const Weights<T>& weights, Zoneout<T> zoneout) {
  return std::make_unique<CellStream<T, CellT, P>>(part, weights, zoneout);
}

template <class T, class CellT>
std::int64_t tape_bytes(const Part& part) {
  using S = typename CellT::Sums;
  return part.steps * part.batch * Recorded<T, S>::numbers_per_row(Layout<T, S>(part), CellT::memory) *
         static_cast<std::int64_t>(sizeof(T));
}

template <class T, class CellT, class P = T>
constexpr Kernels<T> kernels() {
  return {&tape_bytes<T, CellT>, &run_forward<T, CellT, P>, &run_backward<T, CellT, P>, &make_stream<T, CellT, P>};
}

template <class T, class P = T>
std::unique_ptr<Readout<T>> make_readout(std::int64_t inputs, std::int64_t outputs, const T* weight, const T* bias) {
  return std::make_unique<PackedReadout<T, P>>(inputs, outputs, weight, bias);
}

}  // namespace

#if defined(__AVX512BF16__)
// Of this instruction set only what is not AVX-512's own.
extern const RoundingKernels rounding = {kernels<float, Lstm<float>, Pair>(), kernels<float, Gru<float>, Pair>(),
                                         &make_readout<float, Pair>};
#else
#define LONGSHORT_CELLS(T)             \
  {kernels<T, RnnTanh<T>>(),           \
   kernels<T, RnnRelu<T>>(),           \
   kernels<T, Gru<T>>(),               \
   kernels<T, Lstm<T>>(),              \
   kernels<T, Lstm<T, true, false>>(), \
   kernels<T, Lstm<T, false, true>>(), \
   kernels<T, Lstm<T, true, true>>(),  \
   kernels<T, LayerNormLstm<T>>()}
extern const KernelTable table = {LONGSHORT_CELLS(float), LONGSHORT_CELLS(double), &make_readout<float>,
                                  &make_readout<double>};
#undef LONGSHORT_CELLS
#endif

}  // namespace longshort::LONGSHORT_ISA
