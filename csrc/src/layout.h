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

template <class T, class CellT>
struct Layout {
  static constexpr int lanes = kLanes<T>;
  static constexpr int group = CellT::group;
  static constexpr int units = group * lanes;        // in a panel
  static constexpr int sums = CellT::slots * units;  // of a row and panel
  static constexpr int from_input = (CellT::input_end - CellT::input_begin) * units;
  static constexpr int from_hidden = (CellT::recurrent_end - CellT::recurrent_begin) * units;
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

// Weights by panel for the forward products: (panels, depth, slots in [begin, end) x group vectors).
template <class T, class CellT>
void pack_forward(const Layout<T, CellT>& layout, const T* weight, std::int64_t depth, int begin, int end,
                  int (*gate)(int), std::int64_t panel, T* to) {
  using L = Layout<T, CellT>;
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
      T* at = to + k * width + vector * L::lanes;
      for (int r = 0; r < L::lanes && k + r < depth; ++r) store(at + r * width, square[r]);
    }
  }
}

// The same weights by panel of columns for the backward products: (column panels, panels, slots x units, columns).
template <class T, class CellT>
void pack_backward(const Layout<T, CellT>& layout, const T* weight, std::int64_t width, int begin, int end,
                   int (*gate)(int), std::int64_t column_panel, T* to) {
  using L = Layout<T, CellT>;
  const std::int64_t first = column_panel * L::columns;
  for (std::int64_t panel = 0; panel < layout.panels; ++panel) {
    for (int slot = begin; slot < end; ++slot) {
      for (int unit = 0; unit < L::units; ++unit, to += L::columns) {
        const std::int64_t h = panel * L::units + unit;
        const T* row = weight + (gate(slot) * layout.hidden + h) * width + first;
        for (int c = 0; c < kColumns; ++c) {
          const std::int64_t left = h < layout.hidden ? width - first - c * L::lanes : 0;
          store(to + c * L::lanes, left > 0 ? load(row + c * L::lanes, left) : Vec<T>{});
        }
      }
    }
  }
}

// A weight (rows, width) for products of rows with its transpose: by panel of columns, which are its rows.
template <class T, class CellT>
void pack_transposed(const T* weight, std::int64_t rows, std::int64_t width, std::int64_t column_panel, T* to) {
  constexpr std::int64_t columns = Layout<T, CellT>::columns;
  for (std::int64_t k = 0; k < width; ++k) {
    for (std::int64_t c = 0; c < columns; ++c) {
      const std::int64_t row = column_panel * columns + c;
      *to++ = row < rows ? weight[row * width + k] : T(0);
    }
  }
}

// A weight (rows, width) for products of rows with it: by panel of columns.
template <class T, class CellT>
void pack_straight(const T* weight, std::int64_t rows, std::int64_t width, std::int64_t column_panel, T* to) {
  using L = Layout<T, CellT>;
  for (std::int64_t k = 0; k < rows; ++k) {
    for (int c = 0; c < kColumns; ++c, to += L::lanes) {
      const std::int64_t first = column_panel * L::columns + c * L::lanes;
      store(to, load(weight + k * width + first, width - first));
    }
  }
}

// What forward reads.
template <class T, class CellT>
struct Packed {
  using L = Layout<T, CellT>;
  Array<T> input, recurrent, bias;  // bias: (panels, slots x group vectors)

  explicit Packed(const L& layout)
      : input(layout.panels * layout.input * L::from_input),
        recurrent(layout.panels * layout.output * L::from_hidden),
        bias(layout.panels * L::sums) {}

  void pack(const L& layout, const Weights<T>& weights, std::int64_t panel) {
    pack_forward<T, CellT>(layout, weights.input, layout.input, CellT::input_begin, CellT::input_end,
                           &CellT::input_gate, panel, input_panel(layout, panel));
    pack_forward<T, CellT>(layout, weights.recurrent, layout.output, CellT::recurrent_begin, CellT::recurrent_end,
                           &CellT::recurrent_gate, panel, recurrent_panel(layout, panel));
    T* to = bias.data() + panel * L::sums;
    for (int slot = 0; slot < CellT::slots; ++slot) {
      for (int unit = 0; unit < L::units; ++unit) {
        const std::int64_t h = panel * L::units + unit;
        T sum = 0;
        if (weights.input_bias != nullptr && h < layout.hidden) {
          if (slot >= CellT::input_begin && slot < CellT::input_end)
            sum += weights.input_bias[CellT::input_gate(slot) * layout.hidden + h];
          if (slot >= CellT::recurrent_begin && slot < CellT::recurrent_end)
            sum += weights.recurrent_bias[CellT::recurrent_gate(slot) * layout.hidden + h];
        }
        to[slot * L::units + unit] = sum;
      }
    }
  }

  T* input_panel(const L& layout, std::int64_t panel) { return input.data() + panel * layout.input * L::from_input; }
  T* recurrent_panel(const L& layout, std::int64_t panel) {
    return recurrent.data() + panel * layout.output * L::from_hidden;
  }
};

}  // namespace longshort::LONGSHORT_ISA
