// The cells: what each does to one vector of hidden units at one step, forward and backward.
//
// A cell sums its inputs in `slots` accumulators per unit. The input's product feeds slots [input_begin, input_end),
// the recurrent product [recurrent_begin, recurrent_end); `input_gate` and `recurrent_gate` say which block of the
// weights' rows feeds a slot. forward() turns the sums into what backward() needs, in place; backward() turns that
// into the gradient of the sums, in place.
//
// Source of the equations: PyTorch's documentation of torch.nn.LSTM, GRU and RNN.
#pragma once

#include "simd.h"

namespace longshort::LONGSHORT_ISA {

// One vector of hidden units before or after a step.
template <class T>
struct State {
  Vec<T> h, c;
};

template <class T>
struct Lstm {
  static constexpr int slots = 4;  // i, f, g, o
  static constexpr int gates = 4;
  static constexpr int input_begin = 0, input_end = 4, recurrent_begin = 0, recurrent_end = 4;
  static constexpr int input_gate(int slot) { return slot; }
  static constexpr int recurrent_gate(int slot) { return slot; }
  static constexpr int group = 1;        // vectors of units side by side, so that one product fills the registers
  static constexpr bool memory = true;   // carries a cell state
  static constexpr bool direct = false;  // h depends on the last h other than through the sums

  static LONGSHORT_INLINE State<T> forward(Vec<T>* s, const State<T>& last) {
    s[0] = sigmoid<T>(s[0]);
    s[1] = sigmoid<T>(s[1]);
    s[2] = tanh<T>(s[2]);
    s[3] = sigmoid<T>(s[3]);
    const Vec<T> c = s[1] * last.c + s[0] * s[2];
    return {s[3] * tanh<T>(c), c};
  }

  // Takes the gradient of the step's h and c, gives that of the last c (and of the last h, where it is direct).
  static LONGSHORT_INLINE State<T> backward(Vec<T>* s, const State<T>& last, const State<T>& d) {
    const Vec<T> i = s[0], f = s[1], g = s[2], o = s[3];
    const Vec<T> tanh_c = tanh<T>(f * last.c + i * g);
    const Vec<T> dc = d.c + d.h * o * (T(1) - tanh_c * tanh_c);
    s[0] = dc * g * i * (T(1) - i);
    s[1] = dc * last.c * f * (T(1) - f);
    s[2] = dc * i * (T(1) - g * g);
    s[3] = d.h * tanh_c * o * (T(1) - o);
    return {Vec<T>{}, dc * f};
  }
};

// n = tanh(W_n x + b_n + r * (U_n h + b'_n)): the two sums of n are kept apart, with those of r and z between them.
template <class T>
struct Gru {
  static constexpr int slots = 4;  // n from the input, r, z, n from the last h
  static constexpr int gates = 3;  // r, z, n
  static constexpr int input_begin = 0, input_end = 3, recurrent_begin = 1, recurrent_end = 4;
  static constexpr int input_gate(int slot) { return slot == 0 ? 2 : slot - 1; }
  static constexpr int recurrent_gate(int slot) { return slot - 1; }
  static constexpr int group = 1;
  static constexpr bool memory = false;
  static constexpr bool direct = true;

  static LONGSHORT_INLINE State<T> forward(Vec<T>* s, const State<T>& last) {
    s[1] = sigmoid<T>(s[1]);
    s[2] = sigmoid<T>(s[2]);
    s[0] = tanh<T>(s[0] + s[1] * s[3]);
    return {s[0] + s[2] * (last.h - s[0]), Vec<T>{}};
  }

  static LONGSHORT_INLINE State<T> backward(Vec<T>* s, const State<T>& last, const State<T>& d) {
    const Vec<T> n = s[0], r = s[1], z = s[2], from_h = s[3];
    const Vec<T> dn = d.h * (T(1) - z) * (T(1) - n * n);
    s[0] = dn;
    s[1] = dn * from_h * r * (T(1) - r);
    s[2] = d.h * (last.h - n) * z * (T(1) - z);
    s[3] = dn * r;
    return {d.h * z, Vec<T>{}};
  }
};

template <class T>
struct Plain {
  static constexpr int slots = 1;
  static constexpr int gates = 1;
  static constexpr int input_begin = 0, input_end = 1, recurrent_begin = 0, recurrent_end = 1;
  static constexpr int input_gate(int) { return 0; }
  static constexpr int recurrent_gate(int) { return 0; }
  static constexpr int group = 4;
  static constexpr bool memory = false;
  static constexpr bool direct = false;
};

template <class T>
struct RnnTanh : Plain<T> {
  static LONGSHORT_INLINE State<T> forward(Vec<T>* s, const State<T>&) {
    s[0] = tanh<T>(s[0]);
    return {s[0], Vec<T>{}};
  }
  static LONGSHORT_INLINE State<T> backward(Vec<T>* s, const State<T>&, const State<T>& d) {
    s[0] = d.h * (T(1) - s[0] * s[0]);
    return {Vec<T>{}, Vec<T>{}};
  }
};

template <class T>
struct RnnRelu : Plain<T> {
  static LONGSHORT_INLINE State<T> forward(Vec<T>* s, const State<T>&) {
    s[0] = s[0] <= T(0) ? Vec<T>{} : s[0];  // NaN stays NaN
    return {s[0], Vec<T>{}};
  }
  static LONGSHORT_INLINE State<T> backward(Vec<T>* s, const State<T>&, const State<T>& d) {
    s[0] = s[0] <= T(0) ? Vec<T>{} : d.h;
    return {Vec<T>{}, Vec<T>{}};
  }
};

}  // namespace longshort::LONGSHORT_ISA
