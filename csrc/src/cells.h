// The cells: what each does to one vector of hidden units at one step, forward and backward.
//
// A cell sums its inputs in `slots` accumulators per unit. The input's product feeds slots [input_begin, input_end),
// the recurrent product [recurrent_begin, recurrent_end); `input_gate` and `recurrent_gate` say which block of the
// weights' rows feeds a slot. forward() turns the sums into what backward() needs, in place; backward() turns that
// into the gradient of the sums, in place, and adds to those of the peepholes.
//
// Source of the equations: PyTorch's documentation of torch.nn.LSTM, GRU and RNN; for the variants of the LSTM, see
// there.
#pragma once

#include "simd.h"

namespace longshort::LONGSHORT_ISA {

// One vector of hidden units before or after a step.
template <class T>
struct State {
  Vec<T> h, c;
};

// How a cell sums its inputs: what the matrix products need to know of it. `group` vectors of units stand side by side,
// so that one product fills the registers.
template <int Slots, int Group = 1>
struct Together {  // all slots from both, in the order of the gates
  using Sums = Together;
  static constexpr int slots = Slots, gates = Slots, group = Group;
  static constexpr int input_begin = 0, input_end = Slots, recurrent_begin = 0, recurrent_end = Slots;
  static constexpr int input_gate(int slot) { return slot; }
  static constexpr int recurrent_gate(int slot) { return slot; }
  static constexpr bool normalized = false;
};

// The two sums of n are kept apart, with those of r and z between them.
struct GruSums {
  using Sums = GruSums;
  static constexpr int slots = 4, gates = 3, group = 1;  // n from the input, r, z, n from the last h; gates r, z, n
  static constexpr int input_begin = 0, input_end = 3, recurrent_begin = 1, recurrent_end = 4;
  static constexpr int input_gate(int slot) { return slot == 0 ? 2 : slot - 1; }
  static constexpr int recurrent_gate(int slot) { return slot - 1; }
  static constexpr bool normalized = false;
};

// Those from the input and those from the last h, each to be normalised over the units.
struct NormalizedSums {
  using Sums = NormalizedSums;
  static constexpr int slots = 8, gates = 4, group = 1;  // i f g o from the input, i f g o from the last h
  static constexpr int input_begin = 0, input_end = 4, recurrent_begin = 4, recurrent_end = 8;
  static constexpr int input_gate(int slot) { return slot; }
  static constexpr int recurrent_gate(int slot) { return slot - 4; }
  static constexpr bool normalized = true;
};

// A cell without cell state and peepholes, whose h depends on the last h through the sums alone.
struct AnyCell {
  static constexpr bool memory = false;  // carries a cell state
  static constexpr bool direct = false;  // h depends on the last h other than through the sums
  static constexpr int peepholes = 0;    // weights of each unit from its cell state to its gates
};

// With peepholes the gates see the cell state too: i and f the last one, o the new one (Gers, Schraudolph & Schmidhuber
// 2002). Coupled, f = 1 - i (Greff et al. 2017).
template <class T, bool Peepholes = false, bool Coupled = false>
struct Lstm : AnyCell, Together<Coupled ? 3 : 4> {
  static constexpr int i = 0, f = 1, g = Coupled ? 1 : 2, o = g + 1;
  static constexpr bool memory = true;
  static constexpr int o_peephole = o - 1;
  static constexpr int peepholes = Peepholes ? o_peephole + 1 : 0;  // i, f, o; coupled i, o

  static LONGSHORT_INLINE State<T> forward(Vec<T>* s, const State<T>& last, const Vec<T>* p) {
    s[i] = sigmoid<T>(Peepholes ? s[i] + p[i] * last.c : s[i]);
    if constexpr (!Coupled) s[f] = sigmoid<T>(Peepholes ? s[f] + p[f] * last.c : s[f]);
    s[g] = tanh<T>(s[g]);
    const Vec<T> c = forgets(s) * last.c + s[i] * s[g];
    s[o] = sigmoid<T>(Peepholes ? s[o] + p[o_peephole] * c : s[o]);
    return {s[o] * tanh<T>(c), c};
  }

  // Takes the gradient of the step's h and c, gives that of the last c (and of the last h, where it is direct).
  static LONGSHORT_INLINE State<T> backward(Vec<T>* s, const State<T>& last, const State<T>& d, const Vec<T>* p,
                                            Vec<T>* dp) {
    const Vec<T> in = s[i], forget = forgets(s), candidate = s[g], out = s[o];
    const Vec<T> c = forget * last.c + in * candidate;
    const Vec<T> tanh_c = tanh<T>(c);
    s[o] = d.h * tanh_c * out * (T(1) - out);
    Vec<T> dc = d.c + d.h * out * (T(1) - tanh_c * tanh_c);
    if constexpr (Peepholes) dc += p[o_peephole] * s[o];
    s[i] = dc * (Coupled ? candidate - last.c : candidate) * in * (T(1) - in);
    if constexpr (!Coupled) s[f] = dc * last.c * forget * (T(1) - forget);
    s[g] = dc * in * (T(1) - candidate * candidate);
    Vec<T> dc_last = dc * forget;
    if constexpr (Peepholes) {
      for (int k = 0; k < o_peephole; ++k) {
        dc_last += p[k] * s[k];
        dp[k] += s[k] * last.c;
      }
      dp[o_peephole] += s[o] * c;
    }
    return {Vec<T>{}, dc_last};
  }

 private:
  static LONGSHORT_INLINE Vec<T> forgets(const Vec<T>* s) { return Coupled ? T(1) - s[i] : s[f]; }
};

// n = tanh(W_n x + b_n + r * (U_n h + b'_n)).
template <class T>
struct Gru : AnyCell, GruSums {
  static constexpr bool direct = true;

  static LONGSHORT_INLINE State<T> forward(Vec<T>* s, const State<T>& last, const Vec<T>*) {
    s[1] = sigmoid<T>(s[1]);
    s[2] = sigmoid<T>(s[2]);
    s[0] = tanh<T>(s[0] + s[1] * s[3]);
    return {s[0] + s[2] * (last.h - s[0]), Vec<T>{}};
  }

  static LONGSHORT_INLINE State<T> backward(Vec<T>* s, const State<T>& last, const State<T>& d, const Vec<T>*,
                                            Vec<T>*) {
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
struct RnnTanh : AnyCell, Together<1, 4> {
  static LONGSHORT_INLINE State<T> forward(Vec<T>* s, const State<T>&, const Vec<T>*) {
    s[0] = tanh<T>(s[0]);
    return {s[0], Vec<T>{}};
  }
  static LONGSHORT_INLINE State<T> backward(Vec<T>* s, const State<T>&, const State<T>& d, const Vec<T>*, Vec<T>*) {
    s[0] = d.h * (T(1) - s[0] * s[0]);
    return {Vec<T>{}, Vec<T>{}};
  }
};

template <class T>
struct RnnRelu : AnyCell, Together<1, 4> {
  static LONGSHORT_INLINE State<T> forward(Vec<T>* s, const State<T>&, const Vec<T>*) {
    s[0] = s[0] <= T(0) ? Vec<T>{} : s[0];  // NaN stays NaN
    return {s[0], Vec<T>{}};
  }
  static LONGSHORT_INLINE State<T> backward(Vec<T>* s, const State<T>&, const State<T>& d, const Vec<T>*, Vec<T>*) {
    s[0] = s[0] <= T(0) ? Vec<T>{} : d.h;
    return {Vec<T>{}, Vec<T>{}};
  }
};

}  // namespace longshort::LONGSHORT_ISA
