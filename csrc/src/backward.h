// The time loop's gradient, from the last step to the first; the weights' gradients in chunks of rows as it goes.
#pragma once

#include "cells.h"
#include "product.h"
#include "run.h"

namespace longshort::LONGSHORT_ISA {

// to = sums W^T for R rows of a tape, over all its panels, and the first C vectors of a panel of columns. `Sums`
// numbers of each row and panel take part.
template <class T, class CellT, int Sums, int C = kColumns>
struct BackwardTile {
  using L = Layout<T, CellT>;
  static constexpr int most = kSums / kColumns;

  template <int R>
  struct Rows {
    static void run(const T* sums, std::int64_t panel_stride, std::int64_t panels, const T* weights, T* const* to,
                    std::int64_t columns) {
      Vec<T> total[R][C] = {};
      for (std::int64_t panel = 0; panel < panels; ++panel) {
        multiply<T, R, C, kColumns>(total, 0, Strided<T, L::sums>{sums}, Sums, weights);
        sums += panel_stride;
        weights += Sums * L::columns;
      }
      LONGSHORT_UNROLL for (int r = 0; r < R; ++r) {
        LONGSHORT_UNROLL for (int c = 0; c < C; ++c) store(to[r] + c * L::lanes, total[r][c], columns - c * L::lanes);
      }
    }
  };
};

// to (+)= left^T x over rows, for `Height` columns of the left-hand side and the first C vectors of a panel of columns
// of x.
template <class T, int Height, int C, class Left>
void sum_over_rows(const Left& left, const T* x, std::int64_t rows, T* to, std::int64_t stride, std::int64_t height,
                   std::int64_t columns, bool add) {
  Vec<T> total[Height][C] = {};
  multiply<T, Height, C, kColumns>(total, 0, left, rows, x);
  for (int r = 0; r < Height && r < height; ++r) {
    LONGSHORT_UNROLL for (int c = 0; c < C; ++c) {
      T* at = to + r * stride + c * kLanes<T>;
      const std::int64_t rest = columns - c * kLanes<T>;
      if (rest > 0) store(at, add ? load(at, rest) + total[r][c] : total[r][c], rest);
    }
  }
}

template <class T, class CellT>
class Backward {
 public:
  using L = Layout<T, CellT>;
  using HiddenTile = BackwardTile<T, CellT, L::from_hidden>;
  using InputTile = BackwardTile<T, CellT, L::from_input>;
  using NarrowHiddenTile = BackwardTile<T, CellT, L::from_hidden, 1>;  // for a last panel of one vector or less
  using NarrowInputTile = BackwardTile<T, CellT, L::from_input, 1>;

  Backward(const Shape& shape, const Weights<T>& weights, Sequences<const T> x, const T* h0, const T* c0,
           Sequences<const T> y, Team& team, T* tape, Sequences<const T> dy, const T* dhn, const T* dcn,
           Sequences<T> dx, WeightGradients<T> dw, T* dh0, T* dc0)
      : shape_(shape),
        weights_(weights),
        x_(x),
        h0_(h0),
        y_(y),
        dy_(dy),
        dx_(dx),
        dw_(dw),
        dh0_(dh0),
        dc0_(dc0),
        team_(team),
        layout_(shape),
        recorded_(recorded<T, CellT>(team, layout_, tape)),
        all_(team_.threads),
        zeros_(layout_.output),
        recurrent_(layout_.output_panels * layout_.panels * L::from_hidden * L::columns),
        input_(dx.data != nullptr ? layout_.input_panels * layout_.panels * L::from_input * L::columns : 0),
        projection_(layout_.projected ? layout_.unit_panels * layout_.output * L::columns : 0) {
    std::fill_n(zeros_.data(), zeros_.size(), T(0));
    const std::int64_t gates = CellT::gates * shape.hidden;
    for (std::size_t k = 0; k < team_.groups.size(); ++k) {
      const Rows& rows = team_.groups[k].rows;
      Run run;
      if (CellT::memory) run.start = padded_state(rows, c0, shape.hidden, layout_.padded);
      if (CellT::memory) run.dc = padded_state(rows, dcn, shape.hidden, layout_.padded);
      run.dh = padded_state(rows, dhn, layout_.output, dh_stride());
      run.bias = Array<T>(layout_.panels * L::sums);
      run.columns = Array<T>((layout_.input_panels + layout_.output_panels) * L::columns * kChunk);
      if (k > 0) {
        run.own_input = Array<T>(gates * shape.input);
        run.own_recurrent = Array<T>(gates * layout_.output);
        if (layout_.projected) run.own_projection = Array<T>(layout_.output * layout_.hidden);
      }
      if (layout_.projected) {
        run.projected = Array<T>(rows.total() * dh_stride());
        run.inside = Array<T>(layout_.unit_panels * L::columns * kChunk);
      }
      run.dw_projection = k > 0 ? run.own_projection.data() : dw.projection;
      run.dw_input = k > 0 ? run.own_input.data() : dw.input;
      run.dw_recurrent = k > 0 ? run.own_recurrent.data() : dw.recurrent;
      runs_.push_back(std::move(run));
    }
  }

  void work(int thread) {
    pack(thread);
    all_.wait();
    const int index = team_.group_index(thread), member = team_.member(thread);
    Group& group = team_.groups[index];
    const Rows& rows = group.rows;
    Share mine = my_share(group, member);
    std::int64_t done_step = rows.steps();  // from here on, the weights have their share
    for (std::int64_t t = rows.steps() - 1; t >= 0; --t) {
      if (layout_.projected) {
        for (std::int64_t n = mine.outputs.first; n < mine.outputs.second; ++n) projected_gradient(index, t, n);
        group.barrier->wait();
      }
      for (std::int64_t n = mine.blocks.first; n < mine.blocks.second; ++n) step(index, t, n);
      group.barrier->wait();
      if (dx_.data != nullptr) input_gradient(index, t, mine);
      if (t == 0 || rows.row(done_step, 0) - rows.row(t - 1, 0) > kChunk) {
        weight_gradients(index, t, done_step, mine);
        done_step = t;
      }
    }
    if (dh0_ != nullptr) {
      for (std::int64_t n = mine.outputs.first; n < mine.outputs.second; ++n) start_gradient(index, n);
    }
    group.barrier->wait();
    finish(index, member);
    all_.wait();
    sum_groups(thread);
  }

 private:
  static constexpr std::int64_t kChunk = 1024;  // rows whose share of the weights' gradients is computed in one go
  // Units are shared out in blocks that are whole panels both of units and of columns.
  static constexpr int kBlockPanels = L::units < L::columns ? L::columns / L::units : 1;
  static constexpr int kBlockColumns = L::units < L::columns ? 1 : L::units / L::columns;

  struct Run {
    Array<T> start;      // c before the first step
    Array<T> dh, dc;     // gradients carried to the step before
    Array<T> bias;       // (panels, slots x group vectors): sums over rows
    Array<T> columns;    // x and the last h of some rows, by panel of columns
    Array<T> projected;  // with a projection: the gradient of h at each row
    Array<T> inside;     // and the cell's output at some rows, by panel of columns
    Array<T> own_input, own_recurrent, own_projection;
    T *dw_input = nullptr, *dw_recurrent = nullptr, *dw_projection = nullptr;
  };

  struct Share {
    int member;
    std::pair<std::int64_t, std::int64_t> blocks, panels, inputs, outputs, columns;
  };

  Share my_share(const Group& group, int member) const {
    Share s;
    s.member = member;
    const std::int64_t blocks = (layout_.panels + kBlockPanels - 1) / kBlockPanels;
    s.blocks = share(blocks, member, group.threads);
    s.panels = {s.blocks.first * kBlockPanels, std::min(s.blocks.second * kBlockPanels, layout_.panels)};
    s.inputs = share(layout_.input_panels, member, group.threads);
    s.outputs = share(layout_.output_panels, member, group.threads);
    s.columns = share(layout_.input_panels + layout_.output_panels, member, group.threads);
    return s;
  }

  void pack(int thread) {
    const bool recurs = shape_.steps > 1 || dh0_ != nullptr;
    const auto [from, until] = share(recurs ? layout_.output_panels : 0, thread, team_.threads);
    for (std::int64_t n = from; n < until; ++n) {
      pack_backward<T, CellT>(layout_, weights_.recurrent, layout_.output, CellT::recurrent_begin, CellT::recurrent_end,
                              &CellT::recurrent_gate, n, recurrent_panel(n));
    }
    if (layout_.projected) {
      const auto [begin, end] = share(layout_.unit_panels, thread, team_.threads);
      for (std::int64_t n = begin; n < end; ++n) {
        pack_straight<T, CellT>(weights_.projection, layout_.output, layout_.hidden, n, projection_panel(n));
      }
    }
    if (dx_.data == nullptr) return;
    const auto [first, last] = share(layout_.input_panels, thread, team_.threads);
    for (std::int64_t n = first; n < last; ++n) {
      pack_backward<T, CellT>(layout_, weights_.input, layout_.input, CellT::input_begin, CellT::input_end,
                              &CellT::input_gate, n, input_panel(n));
    }
  }

  T* recurrent_panel(std::int64_t n) { return recurrent_.data() + n * layout_.panels * L::from_hidden * L::columns; }
  T* projection_panel(std::int64_t n) { return projection_.data() + n * layout_.output * L::columns; }
  T* input_panel(std::int64_t n) { return input_.data() + n * layout_.panels * L::from_input * L::columns; }

  T* sums(int index, std::int64_t panel, std::int64_t row) {
    return recorded_[index].sums + (panel * team_.groups[index].rows.total() + row) * L::sums;
  }

  // Numbers from one row of gradients of h to the next: whole panels of columns, or of units.
  std::int64_t dh_stride() const {
    return std::max(layout_.output_panels * L::columns, layout_.projected ? 0 : layout_.padded);
  }

  // The gradient of h at a row, before it goes through the projection.
  T* projected(int index, std::int64_t row) { return runs_[index].projected.data() + row * dh_stride(); }

  const T* hidden_before(const Rows& rows, std::int64_t t, std::int64_t j) const {
    if (t > 0) return rows.at(y_, t - 1, j);
    return h0_ != nullptr ? h0_ + rows.sequence(j) * layout_.output : zeros_.data();
  }

  // One block of units at step t: the gradient of h from the step behind, then the cell's.
  void step(int index, std::int64_t t, std::int64_t block) {
    const Rows& rows = team_.groups[index].rows;
    const std::int64_t behind = rows.running(t + 1), running = rows.running(t);
    for (int half = 0; half < kBlockColumns; ++half) {
      const std::int64_t n = block * kBlockColumns + half;
      if (n >= layout_.unit_panels) return;
      T local[HiddenTile::most * L::columns];
      T* places[HiddenTile::most];
      for (int r = 0; r < HiddenTile::most; ++r) places[r] = local + r * L::columns;
      if (layout_.projected) {
        through_projection(index, t, n, places);
        continue;
      }
      in_pieces(0, behind, HiddenTile::most, [&](std::int64_t a, std::int64_t b) {
        hidden_product(index, t + 1, a, b, n, places, L::columns);
        for (std::int64_t j = a; j < b; ++j) cell(index, t, j, n, places[j - a]);
      });
      for (std::int64_t j = behind; j < running; ++j) cell(index, t, j, n, nullptr);
    }
  }

  // With a projection: the gradient of h at step t, one panel of columns of it, from the step behind and from y.
  void projected_gradient(int index, std::int64_t t, std::int64_t n) {
    const Rows& rows = team_.groups[index].rows;
    const std::int64_t behind = rows.running(t + 1), first = n * L::columns;
    T* places[HiddenTile::most];
    in_pieces(0, behind, HiddenTile::most, [&](std::int64_t a, std::int64_t b) {
      for (std::int64_t j = a; j < b; ++j) places[j - a] = projected(index, rows.row(t, j)) + first;
      hidden_product(index, t + 1, a, b, n, places, L::columns);
    });
    for (std::int64_t j = 0; j < rows.running(t); ++j) {
      T* to = projected(index, rows.row(t, j)) + first;
      if (j >= behind) std::copy_n(runs_[index].dh.data() + j * dh_stride() + first, L::columns, to);
      if (dy_.data == nullptr) continue;
      const T* dy = rows.at(dy_, t, j) + first;
      const std::int64_t width = std::min<std::int64_t>(L::columns, layout_.output - first);
      for (std::int64_t k = 0; k < width; ++k) to[k] += dy[k];
    }
  }

  // And on to the cell's output, one panel of units.
  void through_projection(int index, std::int64_t t, std::int64_t n, T* const* places) {
    using Product = RowTile<T, L::lanes>;
    static_assert(Product::most <= HiddenTile::most);
    const Rows& rows = team_.groups[index].rows;
    in_pieces(0, rows.running(t), Product::most, [&](std::int64_t a, std::int64_t b) {
      const T* from[Product::most];
      for (std::int64_t j = a; j < b; ++j) from[j - a] = projected(index, rows.row(t, j));
      by_rows<Product::template Rows, Product::most>(static_cast<int>(b - a), static_cast<const T* const*>(from),
                                                     layout_.output, static_cast<const T*>(projection_panel(n)), places,
                                                     static_cast<std::int64_t>(L::columns));
      for (std::int64_t j = a; j < b; ++j) cell(index, t, j, n, places[j - a]);
    });
  }

  void hidden_product(int index, std::int64_t t, std::int64_t a, std::int64_t b, std::int64_t n, T* const* to,
                      std::int64_t columns) {
    const Rows& rows = team_.groups[index].rows;
    const T* at = sums(index, 0, rows.row(t, a)) + CellT::recurrent_begin * L::units;
    const bool narrow = layout_.output - n * L::columns <= L::lanes;
    tile<HiddenTile, NarrowHiddenTile>(narrow, b - a, at, rows.total() * L::sums, recurrent_panel(n), to, columns);
  }

  template <class Wide, class Narrow>
  void tile(bool narrow, std::int64_t rows, const T* at, std::int64_t panel_stride, const T* weights, T* const* to,
            std::int64_t columns) {
    if (narrow) {
      by_rows<Narrow::template Rows, Narrow::most>(static_cast<int>(rows), at, panel_stride, layout_.panels, weights,
                                                   to, columns);
    } else {
      by_rows<Wide::template Rows, Wide::most>(static_cast<int>(rows), at, panel_stride, layout_.panels, weights, to,
                                               columns);
    }
  }

  // `product` is the gradient of h through the next step's sums, or null where the sequence ends here.
  void cell(int index, std::int64_t t, std::int64_t j, std::int64_t n, const T* product) {
    const Rows& rows = team_.groups[index].rows;
    Run& run = runs_[index];
    const T* dy = dy_.data != nullptr && !layout_.projected ? rows.at(dy_, t, j) : nullptr;
    for (int c = 0; c < kColumns; ++c) {
      const std::int64_t vector = n * kColumns + c, unit = vector * L::lanes, left = layout_.hidden - unit;
      if (left <= 0) return;
      T* at = sums(index, vector / L::group, rows.row(t, j)) + vector % L::group * L::lanes;
      Vec<T> s[CellT::slots];
      for (int k = 0; k < CellT::slots; ++k) s[k] = load(at + k * L::units);
      State<T> last{}, d{};
      if (product != nullptr) d.h = load(product + c * L::lanes);
      if (CellT::direct || product == nullptr) d.h += load(run.dh.data() + j * dh_stride() + unit);
      if (dy != nullptr) d.h += load(dy + unit, left);
      if constexpr (CellT::direct) last.h = load(hidden_before(rows, t, j) + unit, left);
      if constexpr (CellT::memory) {
        const T* c_last = t > 0 ? recorded_[index].memory + rows.row(t - 1, j) * layout_.padded
                                : run.start.data() + j * layout_.padded;
        last.c = load(c_last + unit);
        d.c = load(run.dc.data() + j * layout_.padded + unit);
      }
      const State<T> carried = CellT::backward(s, last, d);
      // Numbers behind the last unit take part in products with zeros, and must not be NaN.
      for (int k = 0; k < CellT::slots; ++k) store(at + k * L::units, keep<T>(s[k], left));
      if constexpr (CellT::direct) store(run.dh.data() + j * dh_stride() + unit, carried.h);
      if constexpr (CellT::memory) store(run.dc.data() + j * layout_.padded + unit, carried.c);
    }
  }

  void input_gradient(int index, std::int64_t t, const Share& mine) {
    const Rows& rows = team_.groups[index].rows;
    T* places[InputTile::most];
    for (std::int64_t n = mine.inputs.first; n < mine.inputs.second; ++n) {
      const std::int64_t first = n * L::columns;
      in_pieces(0, rows.running(t), InputTile::most, [&](std::int64_t a, std::int64_t b) {
        for (std::int64_t j = a; j < b; ++j) places[j - a] = rows.at(dx_, t, j) + first;
        const T* at = sums(index, 0, rows.row(t, a)) + CellT::input_begin * L::units;
        tile<InputTile, NarrowInputTile>(layout_.input - first <= L::lanes, b - a, at, rows.total() * L::sums,
                                         input_panel(n), places, layout_.input - first);
      });
    }
  }

  // Adds the share of steps [begin, end).
  void weight_gradients(int index, std::int64_t begin, std::int64_t end, const Share& mine) {
    Group& group = team_.groups[index];
    const Rows& rows = group.rows;
    Run& run = runs_[index];
    Cursor cursor(rows, begin, 0);
    bool add = end < rows.steps();
    for (std::int64_t from = rows.row(begin, 0); from < rows.row(end, 0); from += kChunk) {
      const std::int64_t count = std::min(kChunk, rows.row(end, 0) - from);
      group.barrier->wait();  // the columns are no longer read
      copy_columns(index, cursor, count, mine);
      group.barrier->wait();
      for (std::int64_t panel = mine.panels.first; panel < mine.panels.second; ++panel) {
        const T* at = sums(index, panel, from);
        sum_bias(at, count, run.bias.data() + panel * L::sums, add);
        products<CellT::input_begin, CellT::input_end>(at, count, run.columns.data(), layout_.input, panel,
                                                       &CellT::input_gate, run.dw_input, add);
        products<CellT::recurrent_begin, CellT::recurrent_end>(
            at, count, run.columns.data() + layout_.input_panels * L::columns * kChunk, layout_.output, panel,
            &CellT::recurrent_gate, run.dw_recurrent, add);
      }
      if (layout_.projected) projection_gradient(index, from, count, mine, add);
      add = true;
    }
  }

  // The projection's share of `count` rows: the gradient of h times the cell's output.
  void projection_gradient(int index, std::int64_t from, std::int64_t count, const Share& mine, bool add) {
    constexpr int height = kSums / 3;  // which divides a panel of columns
    const T* gradient = projected(index, from);
    const std::int64_t end = std::min(mine.outputs.second * L::columns, layout_.output);
    for (std::int64_t p = mine.outputs.first * L::columns; p < end; p += height) {
      for (std::int64_t n = 0; n < layout_.unit_panels; ++n) {
        const std::int64_t first = n * L::columns;
        sum_over_rows<T, height, kColumns>(TransposedRows<T>{gradient + p, dh_stride()},
                                           runs_[index].inside.data() + n * L::columns * kChunk, count,
                                           runs_[index].dw_projection + p * layout_.hidden + first, layout_.hidden,
                                           end - p, layout_.hidden - first, add);
      }
    }
  }

  // x and the last h of `count` rows from the cursor on, which moves behind them; (panels of columns, rows, columns).
  void copy_columns(int index, Cursor& cursor, std::int64_t count, const Share& mine) {
    const Rows& rows = team_.groups[index].rows;
    T* to = runs_[index].columns.data();
    const auto units = share(layout_.projected ? layout_.unit_panels : 0, mine.member, team_.groups[index].threads);
    for (std::int64_t k = 0; k < count; ++k, cursor.next()) {
      for (std::int64_t n = units.first; n < units.second; ++n) {
        const std::int64_t row = rows.row(cursor.t(), cursor.j()), first = n * L::columns;
        const T* from = recorded_[index].inside + row * layout_.padded + first;
        T* at = runs_[index].inside.data() + (n * kChunk + k) * L::columns;
        for (int c = 0; c < kColumns; ++c) {
          store(at + c * L::lanes, load(from + c * L::lanes, layout_.hidden - first - c * L::lanes));
        }
      }
      const T* x = rows.at(x_, cursor.t(), cursor.j());
      const T* h = hidden_before(rows, cursor.t(), cursor.j());
      for (std::int64_t n = mine.columns.first; n < mine.columns.second; ++n) {
        const bool is_input = n < layout_.input_panels;
        const std::int64_t first = (is_input ? n : n - layout_.input_panels) * L::columns;
        const T* from = (is_input ? x : h) + first;
        const std::int64_t left = (is_input ? layout_.input : layout_.output) - first;
        for (int c = 0; c < kColumns; ++c) {
          const std::int64_t some = left - c * L::lanes;
          store(to + (n * kChunk + k) * L::columns + c * L::lanes,
                some > 0 ? load(from + c * L::lanes, some) : Vec<T>{});
        }
      }
    }
  }

  static void sum_bias(const T* at, std::int64_t count, T* to, bool add) {
    constexpr int vectors = L::sums / L::lanes;
    Vec<T> total[vectors];
    for (int v = 0; v < vectors; ++v) total[v] = add ? load(to + v * L::lanes) : Vec<T>{};
    constexpr std::int64_t block = 32;  // summed on its own: rounding errors grow with the length of a sum
    for (std::int64_t from = 0; from < count; from += block) {
      Vec<T> part[vectors] = {};
      for (std::int64_t k = from; k < std::min(from + block, count); ++k) {
        for (int v = 0; v < vectors; ++v) part[v] += load(at + k * L::sums + v * L::lanes);
      }
      for (int v = 0; v < vectors; ++v) total[v] += part[v];
    }
    for (int v = 0; v < vectors; ++v) store(to + v * L::lanes, total[v]);
  }

  template <int Begin, int End>
  void products(const T* at, std::int64_t count, const T* columns, std::int64_t width, std::int64_t panel,
                int (*gate)(int), T* to, bool add) {
    using Left = Transposed<T, L::sums>;
    constexpr int height = L::lanes < kSums / 3 ? L::lanes : kSums / 3;
    for (std::int64_t first = 0; first < width; first += L::columns, columns += L::columns * kChunk) {
      for (int slot = Begin; slot < End; ++slot) {
        for (int unit = 0; unit < L::units; unit += height) {
          const std::int64_t h = panel * L::units + unit, units = layout_.hidden - h;
          if (units <= 0) break;
          const auto sum = width - first <= L::lanes ? &sum_over_rows<T, height, 1, Left>
                                                     : &sum_over_rows<T, height, kColumns, Left>;
          sum(Left{at + slot * L::units + unit}, columns, count, to + (gate(slot) * layout_.hidden + h) * width + first,
              width, units, width - first, add);
        }
      }
    }
  }

  void start_gradient(int index, std::int64_t n) {
    const Rows& rows = team_.groups[index].rows;
    const std::int64_t first = n * L::columns;
    T* places[HiddenTile::most];
    in_pieces(0, rows.count(), HiddenTile::most, [&](std::int64_t a, std::int64_t b) {
      for (std::int64_t j = a; j < b; ++j) places[j - a] = dh0_ + rows.sequence(j) * layout_.output + first;
      hidden_product(index, 0, a, b, n, places, layout_.output - first);
      if constexpr (CellT::direct) {
        for (std::int64_t j = a; j < b; ++j) {
          const T* carried = runs_[index].dh.data() + j * dh_stride() + first;
          const std::int64_t width = std::min<std::int64_t>(L::columns, layout_.output - first);
          for (std::int64_t k = 0; k < width; ++k) places[j - a][k] += carried[k];
        }
      }
    });
  }

  // The gradient of c0, and zeros in dx at padded steps.
  void finish(int index, int member) {
    const Rows& rows = team_.groups[index].rows;
    const auto [from, until] = share(rows.count(), member, team_.groups[index].threads);
    for (std::int64_t j = from; j < until; ++j) {
      const std::int64_t b = rows.sequence(j);
      if (CellT::memory && dc0_ != nullptr) {
        std::copy_n(runs_[index].dc.data() + j * layout_.padded, layout_.hidden, dc0_ + b * layout_.hidden);
      }
      if (dx_.data == nullptr) continue;
      for (std::int64_t t = rows.length(j); t < shape_.steps; ++t) {
        std::fill_n(dx_.data + t * dx_.step + b * dx_.sequence, layout_.input, T(0));
      }
    }
  }

  // Adds up what the groups have found, and gives the biases their gradients.
  void sum_groups(int thread) {
    const std::int64_t gates = CellT::gates * layout_.hidden;
    const auto add = [&](std::int64_t size, T* to, T* Run::* part) {
      const auto [from, until] = share(size, thread, team_.threads);
      for (std::size_t k = 1; k < runs_.size(); ++k) {
        const T* own = runs_[k].*part;
        for (std::int64_t i = from; i < until; ++i) to[i] += own[i];
      }
    };
    add(gates * layout_.input, dw_.input, &Run::dw_input);
    add(gates * layout_.output, dw_.recurrent, &Run::dw_recurrent);
    if (layout_.projected) add(layout_.output * layout_.hidden, dw_.projection, &Run::dw_projection);
    if (dw_.input_bias == nullptr || thread != 0) return;
    for (std::int64_t h = 0; h < layout_.hidden; ++h) {
      for (int slot = 0; slot < CellT::slots; ++slot) {
        T total = 0;
        for (const Run& run : runs_) total += run.bias[h / L::units * L::sums + slot * L::units + h % L::units];
        if (slot >= CellT::input_begin && slot < CellT::input_end)
          dw_.input_bias[CellT::input_gate(slot) * layout_.hidden + h] = total;
        if (slot >= CellT::recurrent_begin && slot < CellT::recurrent_end)
          dw_.recurrent_bias[CellT::recurrent_gate(slot) * layout_.hidden + h] = total;
      }
    }
  }

  const Shape& shape_;
  const Weights<T>& weights_;
  Sequences<const T> x_;
  const T* h0_;
  Sequences<const T> y_;
  Sequences<const T> dy_;
  Sequences<T> dx_;
  WeightGradients<T> dw_;
  T *dh0_, *dc0_;
  Team& team_;
  L layout_;
  std::vector<Recorded<T>> recorded_;
  Barrier all_;
  Array<T> zeros_;
  Array<T> recurrent_, input_, projection_;  // weights, packed
  std::vector<Run> runs_;
};

template <class T, class CellT>
void run_backward(const Shape& shape, const Weights<T>& weights, Sequences<const T> x, const T* h0, const T* c0,
                  Sequences<const T> y, T* tape, Sequences<const T> dy, const T* dhn, const T* dcn, Sequences<T> dx,
                  WeightGradients<T> dw, T* dh0, T* dc0) {
  Team team = make_team<T, CellT>(shape);
  Backward<T, CellT> run(shape, weights, x, h0, c0, y, team, tape, dy, dhn, dcn, dx, dw, dh0, dc0);
  run_team(team.threads, [&](int thread) { run.work(thread); });
}

}  // namespace longshort::LONGSHORT_ISA
