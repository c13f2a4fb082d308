// The Python module longshort._core: addresses in, addresses out. longshort/ops/kernels.py knows what they mean.
#include <nanobind/nanobind.h>
#include <nanobind/stl/array.h>
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

// Memory for a tape: a library's own, because the operating system's is slow to hand out anew for each step of
// training.
class Tape {
 public:
  explicit Tape(std::size_t bytes) : memory_(bytes) {}
  Address address() { return reinterpret_cast<Address>(memory_.data()); }

 private:
  Array<char> memory_;
};

// Address and strides of (T, B, ·), its last dimension in one piece.
using Placed = std::array<std::ptrdiff_t, 3>;
// In the order of longshort::Parameters.
using ParameterAddresses = std::array<Address, 10>;

template <class T>
Sequences<T> sequences(const Placed& at) {
  return {reinterpret_cast<T*>(at[0]), at[1], at[2]};
}

template <class T>
Parameters<T> parameters(const ParameterAddresses& a) {
  return {at<T>(a[0]), at<T>(a[1]), at<T>(a[2]), at<T>(a[3]), at<T>(a[4]),
          at<T>(a[5]), at<T>(a[6]), at<T>(a[7]), at<T>(a[8]), at<T>(a[9])};
}

// cell, steps, batch, input, hidden, projected, chunk, rounds
using Sizes = std::array<std::int64_t, 8>;

Shape shape_of(const Sizes& n, Address lengths, bool reverse, int threads) {
  return {static_cast<Cell>(n[0]),
          n[1],
          n[2],
          n[3],
          n[4],
          at<const std::int64_t>(lengths),
          reverse,
          threads,
          n[5],
          n[6],
          n[7] != 0};
}

// What a layer reads: x, h0, c0, h_mask, h_zone, c_zone.
template <class T>
Input<T> input_of(const Placed& x, const std::array<Address, 3>& states, const Placed& h_zone, const Placed& c_zone) {
  return {sequences<const T>(x),  at<const T>(states[0]),     at<const T>(states[1]),
          at<const T>(states[2]), sequences<const T>(h_zone), sequences<const T>(c_zone)};
}

template <class T>
void define(nb::module_& m, const std::string& suffix) {
  m.def(("forward_" + suffix).c_str(),
        [](const Sizes& sizes, Address lengths, bool reverse, int threads, const ParameterAddresses& weights,
           const Placed& x, const std::array<Address, 3>& states, const Placed& h_zone, const Placed& c_zone,
           const Placed& y, Address hn, Address cn, Address tape) {
          nb::gil_scoped_release release;
          forward<T>(shape_of(sizes, lengths, reverse, threads), parameters<const T>(weights),
                     input_of<T>(x, states, h_zone, c_zone), {sequences<T>(y), at<T>(hn), at<T>(cn)}, at<void>(tape));
        });

  m.def(("backward_" + suffix).c_str(),
        [](const Sizes& sizes, Address lengths, bool reverse, int threads, const ParameterAddresses& weights,
           const Placed& x, const std::array<Address, 3>& states, const Placed& h_zone, const Placed& c_zone,
           const Placed& y, Address tape, const Placed& dy, Address dhn, Address dcn, const Placed& dx,
           const ParameterAddresses& dw, Address dh0, Address dc0) {
          nb::gil_scoped_release release;
          backward<T>(shape_of(sizes, lengths, reverse, threads), parameters<const T>(weights),
                      input_of<T>(x, states, h_zone, c_zone), sequences<const T>(y), at<void>(tape),
                      {sequences<const T>(dy), at<const T>(dhn), at<const T>(dcn)},
                      {sequences<T>(dx), at<T>(dh0), at<T>(dc0)}, parameters<T>(dw));
        });

  nb::class_<Stream<T>>(m, ("Stream_" + suffix).c_str())
      .def("step", [](Stream<T>& stream, Address x, Address y) { stream.step(at<const T>(x), at<T>(y)); })
      .def("read", [](Stream<T>& stream, Address h, Address c) { stream.read(at<T>(h), at<T>(c)); })
      .def("write", [](Stream<T>& stream, Address h, Address c) { stream.write(at<const T>(h), at<const T>(c)); });
  m.def(("stream_" + suffix).c_str(),
        [](int cell, std::int64_t batch, std::int64_t input, std::int64_t hidden, std::int64_t projected,
           const ParameterAddresses& weights, T h_zone, T c_zone, bool rounds) {
          return stream<T>(static_cast<Cell>(cell), batch, input, hidden, projected, parameters<const T>(weights),
                           {h_zone, c_zone}, rounds);
        });

  nb::class_<Readout<T>>(m, ("Readout_" + suffix).c_str())
      .def("run", [](Readout<T>& readout, std::int64_t batch, Address x, Address y) {
        readout.run(batch, at<const T>(x), at<T>(y));
      });
  m.def(("readout_" + suffix).c_str(),
        [](std::int64_t inputs, std::int64_t outputs, Address weight, Address bias, bool rounds) {
          return readout<T>(inputs, outputs, at<const T>(weight), at<const T>(bias), rounds);
        });
}

}  // namespace

NB_MODULE(_core, m) {
  nb::set_leak_warnings(false);  // a graph that is alive when Python ends holds its tapes, as it should
  // In the order of longshort::Cell.
  m.attr("CELLS") = nb::make_tuple("rnn_tanh", "rnn_relu", "gru", "lstm", "peephole_lstm", "coupled_lstm",
                                   "coupled_peephole_lstm", "layer_norm_lstm");
  nb::class_<Tape>(m, "Tape").def(nb::init<std::size_t>()).def_prop_ro("address", &Tape::address);
  m.def("tape_bytes", [](const std::string& dtype, const Sizes& sizes) {
    const Shape shape = shape_of(sizes, 0, false, 1);
    return dtype == "float32" ? tape_bytes<float>(shape) : tape_bytes<double>(shape);
  });
  m.attr("TAPE_HEADER") = kTapeHeader;
  m.def("borrow_threads", [](Address parallel, Address number, Address team, Address most) {
    borrow_threads({reinterpret_cast<decltype(OpenMP::parallel)>(parallel),
                    reinterpret_cast<decltype(OpenMP::number)>(number), reinterpret_cast<decltype(OpenMP::team)>(team),
                    reinterpret_cast<decltype(OpenMP::most)>(most)});
  });
  m.def("instruction_set", &instruction_set);
  m.def("instruction_sets", &instruction_sets);
  m.def("use_instruction_set", &use_instruction_set);
  define<float>(m, "float32");
  define<double>(m, "float64");
}
