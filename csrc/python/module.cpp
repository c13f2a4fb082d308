// The Python module longshort._core: addresses in, addresses out. longshort/ops/kernels.py knows what they mean.
#include <nanobind/nanobind.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/unique_ptr.h>
#include <nanobind/stl/vector.h>

#include "longshort/engine.h"
#include "longshort/memory.h"

namespace nb = nanobind;
using namespace longshort;

namespace {

using Address = std::uintptr_t;  // of a tensor's data, 0 for none

template <class T>
T* at(Address address) {
  return reinterpret_cast<T*>(address);
}

template <class T>
Sequences<T> sequences(Address data, std::ptrdiff_t step, std::ptrdiff_t sequence) {
  return {at<T>(data), step, sequence};
}

// Memory for a tape: a library's own, because the operating system's is slow to hand out anew for each step of
// training.
class Tape {
 public:
  explicit Tape(std::size_t bytes) : memory_(bytes) {}
  Address address() { return reinterpret_cast<Address>(memory_.data()); }

 private:
  Array<char> memory_;
};

template <class T>
void define(nb::module_& m, const std::string& suffix) {
  m.def(("forward_" + suffix).c_str(),
        [](int cell, std::int64_t steps, std::int64_t batch, std::int64_t input, std::int64_t hidden,
           std::int64_t projected, Address lengths, bool reverse, int threads, Address w_ih, Address w_hh, Address b_ih,
           Address b_hh, Address w_hr, Address x, std::ptrdiff_t x_step, std::ptrdiff_t x_sequence, Address h0,
           Address c0, Address y, std::ptrdiff_t y_step, std::ptrdiff_t y_sequence, Address hn, Address cn,
           Address tape) {
          nb::gil_scoped_release release;
          const Shape shape{static_cast<Cell>(cell),         steps,   batch,   input,    hidden,
                            at<const std::int64_t>(lengths), reverse, threads, projected};
          const Weights<T> weights{at<const T>(w_ih), at<const T>(w_hh), at<const T>(b_ih), at<const T>(b_hh),
                                   at<const T>(w_hr)};
          forward<T>(shape, weights, sequences<const T>(x, x_step, x_sequence), at<const T>(h0), at<const T>(c0),
                     sequences<T>(y, y_step, y_sequence), at<T>(hn), at<T>(cn), at<T>(tape));
        });

  m.def(("backward_" + suffix).c_str(),
        [](int cell, std::int64_t steps, std::int64_t batch, std::int64_t input, std::int64_t hidden,
           std::int64_t projected, Address lengths, bool reverse, int threads, Address w_ih, Address w_hh, Address b_ih,
           Address b_hh, Address w_hr, Address x, std::ptrdiff_t x_step, std::ptrdiff_t x_sequence, Address h0,
           Address c0, Address y, std::ptrdiff_t y_step, std::ptrdiff_t y_sequence, Address tape, Address dy,
           std::ptrdiff_t dy_step, std::ptrdiff_t dy_sequence, Address dhn, Address dcn, Address dx,
           std::ptrdiff_t dx_step, std::ptrdiff_t dx_sequence, Address dw_ih, Address dw_hh, Address db_ih,
           Address db_hh, Address dw_hr, Address dh0, Address dc0) {
          nb::gil_scoped_release release;
          const Shape shape{static_cast<Cell>(cell),         steps,   batch,   input,    hidden,
                            at<const std::int64_t>(lengths), reverse, threads, projected};
          const Weights<T> weights{at<const T>(w_ih), at<const T>(w_hh), at<const T>(b_ih), at<const T>(b_hh),
                                   at<const T>(w_hr)};
          backward<T>(shape, weights, sequences<const T>(x, x_step, x_sequence), at<const T>(h0), at<const T>(c0),
                      sequences<const T>(y, y_step, y_sequence), at<T>(tape),
                      sequences<const T>(dy, dy_step, dy_sequence), at<const T>(dhn), at<const T>(dcn),
                      sequences<T>(dx, dx_step, dx_sequence),
                      {at<T>(dw_ih), at<T>(dw_hh), at<T>(db_ih), at<T>(db_hh), at<T>(dw_hr)}, at<T>(dh0), at<T>(dc0));
        });

  nb::class_<Stream<T>>(m, ("Stream_" + suffix).c_str())
      .def("step", [](Stream<T>& stream, Address x, Address y) { stream.step(at<const T>(x), at<T>(y)); })
      .def("read", [](Stream<T>& stream, Address h, Address c) { stream.read(at<T>(h), at<T>(c)); })
      .def("write", [](Stream<T>& stream, Address h, Address c) { stream.write(at<const T>(h), at<const T>(c)); });
  m.def(("stream_" + suffix).c_str(), [](int cell, std::int64_t batch, std::int64_t input, std::int64_t hidden,
                                         Address w_ih, Address w_hh, Address b_ih, Address b_hh) {
    return stream<T>(static_cast<Cell>(cell), batch, input, hidden,
                     {at<const T>(w_ih), at<const T>(w_hh), at<const T>(b_ih), at<const T>(b_hh)});
  });
}

}  // namespace

NB_MODULE(_core, m) {
  nb::set_leak_warnings(false);  // a graph that is alive when Python ends holds its tapes, as it should
  m.attr("CELLS") = nb::make_tuple("rnn_tanh", "rnn_relu", "gru", "lstm");  // in the order of longshort::Cell
  nb::class_<Tape>(m, "Tape").def(nb::init<std::size_t>()).def_prop_ro("address", &Tape::address);
  // A tape takes TAPE_HEADER bytes, and tape_bytes(...) for each step of each sequence.
  m.attr("TAPE_HEADER") = kTapeHeader;
  m.def("tape_bytes", [](int cell, const std::string& dtype, std::int64_t hidden, std::int64_t projected) {
    const Shape shape{static_cast<Cell>(cell), 1, 1, 1, hidden, nullptr, false, 1, projected};
    return (dtype == "float32" ? tape_size<float>(shape) * 4 : tape_size<double>(shape) * 8) - kTapeHeader;
  });
  m.def("instruction_set", &instruction_set);
  m.def("instruction_sets", &instruction_sets);
  m.def("use_instruction_set", &use_instruction_set);
  define<float>(m, "float32");
  define<double>(m, "float64");
}
