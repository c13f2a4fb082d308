// How a layer's units, sums and weights stand in memory, and the packing of weights.
//
// Hidden units are taken in vectors; `group` vectors make a panel. The sums of one row (one sequence at one step) and
// one panel are `slots` x `group` vectors, side by side. A tape holds them panel by panel, row by row.
#pragma once

#include "longshort/memory.h"
#include "rows.h"
#include "simd.h"

namespace longshort::LONGSHORT_ISA {

// Vectors of columns in a panel of the products that run over the sums: the gradients of h, x and the weights.
constexpr int kColumns = 2;

template <class T, class S>
struct Layout {
  static constexpr int lanes = kLanes<T>;
  static constexpr int group = S::group;
  static constexpr int units = group * lanes;    // in a panel
  static constexpr int sums = S::slots * units;  // of a row and panel
  static constexpr int from_input = (S::input_end - S::input_begin) * units;
  static constexpr int from_hidden = (S::recurrent_end - S::recurrent_begin) * units;
  static constexpr int columns = kColumns * lanes;  // in a panel of columns

  explicit Layout(const Shape& shape)
      : input(shape.input),
        hidden(shape.hidden),
        output(shape.output()),
        panels((hidden + units - 1) / units),
        padded(panels * units),
        input_panels((input + columns - 1) / columns),
        output_panels((output + columns - 1) / columns),
        unit_panels((hidden + columns - 1) / columns),
        projected(shape.projected > 0) {}

  std::int64_t input, hidden, output;
  std::int64_t panels, padded;                            // of units, and those in whole panels
  std::int64_t input_panels, output_panels, unit_panels;  // of columns
  bool projected;
};

// Elements P of a product that hold so many numbers.
template <class P>
constexpr std::int64_t elements(std::int64_t numbers) {
  return (numbers + kPer<P> - 1) / kPer<P>;
}

// An element each of vectors of numbers that are kPer<P> rows of a product's right-hand side.
template <class T, class P>
LONGSHORT_INLINE auto element_of(const Vec<T>* rows) {
  if constexpr (kPer<P> == 1) {
    return rows[0];
  } else {
    return paired(rows[0], rows[1]);
  }
}

// Weights by panel for the forward products: (panels, depth, slots in [begin, end) x group vectors).
template <class T, class S, class P>
void pack_forward(const Layout<T, S>& layout, const T* weight, std::int64_t depth, int begin, int end, int (*gate)(int),
                  std::int64_t panel, P* to) {
  using L = Layout<T, S>;
  const int width = (end - begin) * L::units;
  for (std::int64_t k = 0; k < depth; k += L::lanes) {
    for (int vector = 0; vector < width / L::lanes; ++vector) {
      const int slot = begin + vector / L::group;
      const std::int64_t h = panel * L::units + vector % L::group * L::lanes;
      const T* row = weight + (gate(slot) * layout.hidden + h) * depth + k;
      Vec<T> square[L::lanes];
      for (int r = 0; r < L::lanes; ++r)
        square[r] = h + r < layout.hidden ? load(row + r * depth, depth - k) : Vec<T>{};
      transpose<T>(square);
      P* at = to + k / kPer<P> * width + vector * L::lanes;
      for (int r = 0; r < L::lanes && k + r < depth; r += kPer<P>) {
        store(at + r / kPer<P> * width, element_of<T, P>(square + r));
      }
    }
  }
}

// A row of numbers as bfloat16, 0 behind its end to a whole element.
inline void round_row(const float* from, std::int64_t width, std::uint16_t* to) {
  const std::int64_t even = 2 * elements<Pair>(width);
  for (std::int64_t k = 0; k < width; k += kLanes<float>) {
    if (k + kLanes<float> <= even) {
      store_rounded(to + k, load(from + k, width - k));
    } else {
      std::uint16_t part[kLanes<float>];
      store_rounded(part, load(from + k, width - k));
      std::copy_n(part, even - k, to + k);
    }
  }
}

// The same weights by panel of columns for the backward products: (column panels, panels, slots x units, columns).
template <class T, class S, class P>
void pack_backward(const Layout<T, S>& layout, const T* weight, std::int64_t width, int begin, int end,
                   int (*gate)(int), std::int64_t column_panel, P* to) {
  using L = Layout<T, S>;
  const std::int64_t first = column_panel * L::columns;
  for (std::int64_t panel = 0; panel < layout.panels; ++panel) {
    for (int slot = begin; slot < end; ++slot) {
      for (int unit = 0; unit < L::units; unit += kPer<P>, to += L::columns) {
        for (int c = 0; c < kColumns; ++c) {
          Vec<T> rows[kPer<P>];
          for (int k = 0; k < kPer<P>; ++k) {
            const std::int64_t h = panel * L::units + unit + k;
            const std::int64_t left = h < layout.hidden ? width - first - c * L::lanes : 0;
            const T* row = weight + (gate(slot) * layout.hidden + h) * width + first;
            rows[k] = left > 0 ? load(row + c * L::lanes, left) : Vec<T>{};
          }
          store(to + c * L::lanes, element_of<T, P>(rows));
        }
      }
    }
  }
}

// A weight (rows, width) for products of rows with its transpose: by panel of columns, which are its rows.
template <class T, class S>
void pack_transposed(const T* weight, std::int64_t rows, std::int64_t width, std::int64_t column_panel, T* to) {
  constexpr std::int64_t columns = Layout<T, S>::columns;
  for (std::int64_t k = 0; k < width; ++k) {
    for (std::int64_t c = 0; c < columns; ++c) {
      const std::int64_t row = column_panel * columns + c;
      *to++ = row < rows ? weight[row * width + k] : T(0);
    }
  }
}

// A weight (rows, width) for products of rows with it: by panel of columns.
template <class T, class S>
void pack_straight(const T* weight, std::int64_t rows, std::int64_t width, std::int64_t column_panel, T* to) {
  using L = Layout<T, S>;
  for (std::int64_t k = 0; k < rows; ++k) {
    for (int c = 0; c < kColumns; ++c, to += L::lanes) {
      const std::int64_t first = column_panel * L::columns + c * L::lanes;
      store(to, load(weight + k * width + first, width - first));
    }
  }
}

// What forward reads.
template <class T, class S, class P>
struct Packed {
  using L = Layout<T, S>;
  Array<P> input, recurrent;
  Array<T> bias;  // bias: (panels, slots x group vectors); 0 where it comes after a norm

  explicit Packed(const L& layout)
      : input(layout.panels * elements<P>(layout.input) * L::from_input),
        recurrent(layout.panels * elements<P>(layout.output) * L::from_hidden),
        bias(layout.panels * L::sums) {}

  void pack(const L& layout, const Weights<T>& weights, std::int64_t panel) {
    pack_forward<T, S, P>(layout, weights.input, layout.input, S::input_begin, S::input_end, &S::input_gate, panel,
                          input_panel(layout, panel));
    pack_forward<T, S, P>(layout, weights.recurrent, layout.output, S::recurrent_begin, S::recurrent_end,
                          &S::recurrent_gate, panel, recurrent_panel(layout, panel));
    T* to = bias.data() + panel * L::sums;
    for (int slot = 0; slot < S::slots; ++slot) {
      for (int unit = 0; unit < L::units; ++unit) {
        const std::int64_t h = panel * L::units + unit;
        T sum = 0;
        if (weights.input_bias != nullptr && !S::normalized && h < layout.hidden) {
          if (slot >= S::input_begin && slot < S::input_end)
            sum += weights.input_bias[S::input_gate(slot) * layout.hidden + h];
          if (slot >= S::recurrent_begin && slot < S::recurrent_end)
            sum += weights.recurrent_bias[S::recurrent_gate(slot) * layout.hidden + h];
        }
        to[slot * L::units + unit] = sum;
      }
    }
  }

  P* input_panel(const L& layout, std::int64_t panel) {
    return input.data() + panel * elements<P>(layout.input) * L::from_input;
  }
  T* bias_panel(std::int64_t panel) { return bias.data() + panel * L::sums; }
  P* recurrent_panel(const L& layout, std::int64_t panel) {
    return recurrent.data() + panel * elements<P>(layout.output) * L::from_hidden;
  }
};

}  // namespace longshort::LONGSHORT_ISA
