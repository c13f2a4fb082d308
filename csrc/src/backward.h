// The time loop's gradient, from the last step to the first.
#pragma once

#include <type_traits>

#include "cells.h"
#include "gradients.h"
#include "normalize.h"
#include "product.h"
#include "run.h"
#include "unit_sums.h"

namespace longshort::LONGSHORT_ISA {

// to = sums W^T for R rows of a tape, over all its panels, and the first C vectors of a panel of columns. `Numbers`
// numbers of each row and panel take part; as pairs, they stand in the first half of the row's place.
template <class T, class S, class P, int Numbers, int C = kColumns>
struct BackwardTile {
  using L = Layout<T, S>;
  static constexpr int most = kSums / kColumns;

  template <int R>
  struct Rows {
    static void run(const P* sums, std::int64_t panel_stride, std::int64_t panels, const P* weights, T* const* to,
                    std::int64_t columns) {
      Vec<T> total[R][C] = {};
      for (std::int64_t panel = 0; panel < panels; ++panel) {
        multiply<T, R, C, kColumns>(total, 0, Strided<P, L::sums>{sums}, Numbers / kPer<P>, weights);
        sums += panel_stride;
        weights += Numbers / kPer<P> * L::columns;
      }
      LONGSHORT_UNROLL for (int r = 0; r < R; ++r) {
        LONGSHORT_UNROLL for (int c = 0; c < C; ++c) store(to[r] + c * L::lanes, total[r][c], columns - c * L::lanes);
      }
    }
  };
};

template <class T, class CellT, class P = T>
class Backward {
 public:
  using S = typename CellT::Sums;
  using L = Layout<T, S>;
  using HiddenTile = BackwardTile<T, S, P, L::from_hidden>;
  using InputTile = BackwardTile<T, S, P, L::from_input>;
  using NarrowHiddenTile = BackwardTile<T, S, P, L::from_hidden, 1>;  // for a last panel of one vector or less
  using NarrowInputTile = BackwardTile<T, S, P, L::from_input, 1>;

  Backward(const Part& part, const Weights<T>& weights, const Input<T>& input, Sequences<const T> y, Team& team,
           void* tape, const OutputGradients<T>& given, const InputGradients<T>& asked, const WeightGradients<T>& dw)
      : part_(part),
        weights_(weights),
        input_(input),
        given_(given),
        asked_(asked),
        dw_(dw),
        team_(team),
        layout_(part),
        history_(part, y, input.h0),
        recorded_(recorded(team, layout_, CellT::memory, tape)),
        parameters_(layout_, input, history_, team, recorded_, dw),
        all_(team_.threads),
        recurrent_weight_(layout_.output_panels * layout_.panels * L::from_hidden / kPer<P> * L::columns),
        input_weight_(
            asked.x.data != nullptr ? layout_.input_panels * layout_.panels * L::from_input / kPer<P> * L::columns : 0),
        projection_(layout_.projected ? layout_.unit_panels * layout_.output * L::columns : 0) {
    for (const Group& group : team_.groups) {
      const Rows& rows = group.rows;
      Run run;
      if (CellT::memory) run.start = padded_state(rows, input.c0, part.hidden, layout_.padded);
      if (CellT::memory) run.dc = padded_state(rows, given.cn, part.hidden, layout_.padded);
      run.dh = padded_state(rows, given.hn, layout_.output, dh_stride());
      if (layout_.projected) run.projected = Array<T>(rows.total() * dh_stride());
      if constexpr (CellT::peepholes > 0) run.peepholes = UnitSums<T, CellT::peepholes>(layout_.panels);
      if constexpr (CellT::normalized) run.normalization = NormalizationGradient<T>(layout_, weights, rows.count());
      runs_.push_back(std::move(run));
    }
  }

  void work(int thread) {
    pack(thread);
    all_.wait();
    const int index = team_.group_index(thread), member = team_.member(thread);
    Group& group = team_.groups[index];
    const Rows& rows = group.rows;
    const Share mine = my_share(group, member);
    std::int64_t done_step = rows.steps();  // from here on, the parameters have their share
    for (std::int64_t t = rows.steps() - 1; t >= 0; --t) {
      if (layout_.projected) {
        for (std::int64_t n = mine.outputs.first; n < mine.outputs.second; ++n) projected_gradient(index, t, n);
        group.barrier->wait();
      }
      for (std::int64_t n = mine.blocks.first; n < mine.blocks.second; ++n) step(index, t, n);
      group.barrier->wait();
      if constexpr (CellT::normalized) {
        normalized_gates(index, t, mine);
        group.barrier->wait();
        normalized_sums(index, t, mine);
        group.barrier->wait();
      }
      if (asked_.x.data != nullptr) input_gradient(index, t, mine);
      if (t == 0 || parameters_.enough(rows.row(done_step, 0) - rows.row(t - 1, 0))) {
        parameters_.add(index, t, done_step, mine, runs_[index].projected.data(), dh_stride());
        done_step = t;
      }
    }
    if (asked_.h0 != nullptr) {
      for (std::int64_t n = mine.outputs.first; n < mine.outputs.second; ++n) start_gradient(index, n);
    }
    group.barrier->wait();
    finish(index, member);
    all_.wait();
    parameters_.finish(thread);
    if (thread == 0) finish_units();
  }

 private:
  // Units are shared out in blocks that are whole panels both of units and of columns.
  static constexpr int kBlockPanels = L::units < L::columns ? L::columns / L::units : 1;
  static constexpr int kBlockColumns = L::units < L::columns ? 1 : L::units / L::columns;

  struct None {};
  struct Run {
    Array<T> start;      // c before the first step
    Array<T> dh, dc;     // gradients carried to the step before
    Array<T> projected;  // with a projection: the gradient of h at each row
    UnitSums<T, CellT::peepholes> peepholes;
    std::conditional_t<CellT::normalized, NormalizationGradient<T>, None> normalization;
  };

  // One vector's gradients of the peepholes at one step.
  struct PeepholeSums {
    Vec<T> of[CellT::peepholes + 1] = {};
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
    s.units = share(layout_.projected ? layout_.unit_panels : 0, member, group.threads);
    return s;
  }

  void pack(int thread) {
    const bool recurs = team_.groups[0].rows.steps() > 1 || asked_.h0 != nullptr;
    const auto [from, until] = share(recurs ? layout_.output_panels : 0, thread, team_.threads);
    for (std::int64_t n = from; n < until; ++n) {
      pack_backward<T, S, P>(layout_, weights_.recurrent, layout_.output, CellT::recurrent_begin, CellT::recurrent_end,
                             &CellT::recurrent_gate, n, recurrent_panel(n));
    }
    if (layout_.projected) {
      const auto [begin, end] = share(layout_.unit_panels, thread, team_.threads);
      for (std::int64_t n = begin; n < end; ++n) {
        pack_straight<T, S>(weights_.projection, layout_.output, layout_.hidden, n, projection_panel(n));
      }
    }
    if (asked_.x.data == nullptr) return;
    const auto [first, last] = share(layout_.input_panels, thread, team_.threads);
    for (std::int64_t n = first; n < last; ++n) {
      pack_backward<T, S, P>(layout_, weights_.input, layout_.input, CellT::input_begin, CellT::input_end,
                             &CellT::input_gate, n, input_panel(n));
    }
  }

  P* recurrent_panel(std::int64_t n) {
    return recurrent_weight_.data() + n * layout_.panels * L::from_hidden / kPer<P> * L::columns;
  }
  T* projection_panel(std::int64_t n) { return projection_.data() + n * layout_.output * L::columns; }
  P* input_panel(std::int64_t n) {
    return input_weight_.data() + n * layout_.panels * L::from_input / kPer<P> * L::columns;
  }

  T* sums(int index, std::int64_t panel, std::int64_t row) { return recorded_[index].sums(panel, row); }

  // The gradients of the sums, once they stand there.
  const P* gradients(int index, std::int64_t panel, std::int64_t row) {
    return reinterpret_cast<const P*>(sums(index, panel, row));
  }

  // Numbers from one row of gradients of h to the next: whole panels of columns, or of units.
  std::int64_t dh_stride() const {
    return std::max(layout_.output_panels * L::columns, layout_.projected ? 0 : layout_.padded);
  }

  // The gradient of h at a row, before it goes through the projection.
  T* projected(int index, std::int64_t row) { return runs_[index].projected.data() + row * dh_stride(); }

  // Whether h depends on the last h other than through the sums.
  bool carries_hidden() const { return CellT::direct || input_.h_zone.data != nullptr; }

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
      PeepholeSums peepholes[kColumns];
      if (layout_.projected) {
        through_projection(index, t, n, places, peepholes);
      } else {
        in_pieces(0, behind, HiddenTile::most, [&](std::int64_t a, std::int64_t b) {
          hidden_product(index, t + 1, a, b, n, places, L::columns);
          for (std::int64_t j = a; j < b; ++j) cell(index, t, j, n, places[j - a], peepholes);
        });
        for (std::int64_t j = behind; j < running; ++j) cell(index, t, j, n, nullptr, peepholes);
      }
      if constexpr (CellT::peepholes > 0) add_peepholes(index, n, peepholes);
    }
  }

  // With a projection: the gradient of h at step t, one panel of columns of it, from the step behind and from y.
  void projected_gradient(int index, std::int64_t t, std::int64_t n) {
    const Rows& rows = team_.groups[index].rows;
    const std::int64_t behind = rows.running(t + 1), first = n * L::columns;
    const std::int64_t width = std::min<std::int64_t>(L::columns, layout_.output - first);
    T* places[HiddenTile::most];
    in_pieces(0, behind, HiddenTile::most, [&](std::int64_t a, std::int64_t b) {
      for (std::int64_t j = a; j < b; ++j) places[j - a] = projected(index, rows.row(t, j)) + first;
      hidden_product(index, t + 1, a, b, n, places, L::columns);
      for (std::int64_t j = a; j < b; ++j) mask(index, j, first, width, places[j - a]);
    });
    for (std::int64_t j = 0; j < rows.running(t); ++j) {
      T* to = projected(index, rows.row(t, j)) + first;
      if (j >= behind) std::copy_n(runs_[index].dh.data() + j * dh_stride() + first, L::columns, to);
      if (given_.y.data == nullptr) continue;
      const T* dy = rows.at(given_.y, t, j) + first;
      for (std::int64_t k = 0; k < width; ++k) to[k] += dy[k];
    }
  }

  // And on to the cell's output, one panel of units.
  void through_projection(int index, std::int64_t t, std::int64_t n, T* const* places, PeepholeSums* peepholes) {
    using Product = RowTile<T>;
    static_assert(Product::most <= HiddenTile::most);
    const Rows& rows = team_.groups[index].rows;
    in_pieces(0, rows.running(t), Product::most, [&](std::int64_t a, std::int64_t b) {
      const T* from[Product::most];
      for (std::int64_t j = a; j < b; ++j) from[j - a] = projected(index, rows.row(t, j));
      by_rows<Product::template Rows, Product::most>(static_cast<int>(b - a), static_cast<const T* const*>(from),
                                                     layout_.output, static_cast<const T*>(projection_panel(n)),
                                                     static_cast<const T*>(nullptr), places,
                                                     static_cast<std::int64_t>(L::columns));
      for (std::int64_t j = a; j < b; ++j) cell(index, t, j, n, places[j - a], peepholes);
    });
  }

  void hidden_product(int index, std::int64_t t, std::int64_t a, std::int64_t b, std::int64_t n, T* const* to,
                      std::int64_t columns) {
    const Rows& rows = team_.groups[index].rows;
    const P* at = gradients(index, 0, rows.row(t, a)) + CellT::recurrent_begin * L::units / kPer<P>;
    const bool narrow = layout_.output - n * L::columns <= L::lanes;
    tile<HiddenTile, NarrowHiddenTile>(narrow, b - a, at, rows.total() * L::sums,
                                       static_cast<const P*>(recurrent_panel(n)), to, columns);
  }

  // What comes back through the recurrent product goes through its mask.
  void mask(int index, std::int64_t j, std::int64_t first, std::int64_t width, T* gradient) const {
    const T* factors = mask_of(input_, team_.groups[index].rows.sequence(j), layout_.output);
    for (std::int64_t k = 0; k < width && factors != nullptr; ++k) gradient[k] *= factors[first + k];
  }

  template <class Wide, class Narrow>
  void tile(bool narrow, std::int64_t rows, const P* at, std::int64_t panel_stride, const P* weights, T* const* to,
            std::int64_t columns) {
    if (narrow) {
      by_rows<Narrow::template Rows, Narrow::most>(static_cast<int>(rows), at, panel_stride, layout_.panels, weights,
                                                   to, columns);
    } else {
      by_rows<Wide::template Rows, Wide::most>(static_cast<int>(rows), at, panel_stride, layout_.panels, weights, to,
                                               columns);
    }
  }

  // `product` is the gradient of h through the next step's sums, or of the cell's output through its projection; null
  // where the sequence ends here.
  void cell(int index, std::int64_t t, std::int64_t j, std::int64_t n, const T* product, PeepholeSums* peepholes) {
    const Rows& rows = team_.groups[index].rows;
    Run& run = runs_[index];
    for (int c = 0; c < kColumns; ++c) {
      const std::int64_t vector = n * kColumns + c, unit = vector * L::lanes, left = layout_.hidden - unit;
      if (left <= 0) return;
      const Vec<T> from_product = product != nullptr ? load(product + c * L::lanes) : Vec<T>{};
      State<T> d{hidden_gradient(index, t, j, unit, left, from_product, product != nullptr), Vec<T>{}}, carried{};
      if (input_.h_zone.data != nullptr) carried.h = keep_share(input_.h_zone, rows, t, j, unit, left, d.h);
      T* at = sums(index, vector / L::group, rows.row(t, j)) + vector % L::group * L::lanes;
      if constexpr (CellT::normalized) {
        run.normalization.output(j, vector, d.h, memory_before(index, t, j, unit), at,
                                 recorded_[index].scale(rows.row(t, j)));
      } else {
        if constexpr (CellT::memory) d.c = memory_gradient(index, t, j, unit, left, carried.c);
        carried = plus(carried, cell_gradient(index, t, j, unit, left, d, at, peepholes[c].of));
        if constexpr (CellT::memory) store(run.dc.data() + j * layout_.padded + unit, carried.c);
      }
      if (carries_hidden()) store(run.dh.data() + j * dh_stride() + unit, carried.h);
    }
  }

  static LONGSHORT_INLINE State<T> plus(const State<T>& a, const State<T>& b) { return {a.h + b.h, a.c + b.c}; }

  LONGSHORT_INLINE Vec<T> hidden_gradient(int index, std::int64_t t, std::int64_t j, std::int64_t unit,
                                          std::int64_t left, Vec<T> product, bool goes_on) {
    const Rows& rows = team_.groups[index].rows;
    if (layout_.projected) return product;
    const T* mask = mask_of(input_, rows.sequence(j), layout_.output);
    if (mask != nullptr && goes_on) product *= load(mask + unit, left);
    if (!goes_on || carries_hidden()) product += load(runs_[index].dh.data() + j * dh_stride() + unit);
    if (given_.y.data != nullptr) product += load(rows.at(given_.y, t, j) + unit, left);
    return product;
  }

  // The share of the gradient that goes straight to the step before, where that share of the last state was kept; the
  // rest stays in d.
  static LONGSHORT_INLINE Vec<T> keep_share(Sequences<const T> zone, const Rows& rows, std::int64_t t, std::int64_t j,
                                            std::int64_t unit, std::int64_t left, Vec<T>& d) {
    const Vec<T> kept = d * load(rows.at(zone, t, j) + unit, left);
    d -= kept;
    return kept;
  }

  Vec<T> memory_before(int index, std::int64_t t, std::int64_t j, std::int64_t unit) const {
    const Rows& rows = team_.groups[index].rows;
    const T* c = t > 0 ? recorded_[index].memory(rows.row(t - 1, j)) : runs_[index].start.data() + j * layout_.padded;
    return load(c + unit);
  }

  LONGSHORT_INLINE Vec<T> memory_gradient(int index, std::int64_t t, std::int64_t j, std::int64_t unit,
                                          std::int64_t left, Vec<T>& carried) const {
    Vec<T> dc = load(runs_[index].dc.data() + j * layout_.padded + unit);
    if (input_.c_zone.data != nullptr) {
      carried = keep_share(input_.c_zone, team_.groups[index].rows, t, j, unit, left, dc);
    }
    return dc;
  }

  LONGSHORT_INLINE State<T> cell_gradient(int index, std::int64_t t, std::int64_t j, std::int64_t unit,
                                          std::int64_t left, const State<T>& d, T* at, Vec<T>* dp) const {
    Vec<T> s[CellT::slots], p[CellT::peepholes + 1];
    for (int k = 0; k < CellT::slots; ++k) s[k] = load(at + k * L::units);
    for (int k = 0; k < CellT::peepholes; ++k) p[k] = load(weights_.peephole + k * layout_.hidden + unit, left);
    State<T> last{};
    if constexpr (CellT::direct) last.h = load(history_.before(team_.groups[index].rows, t, j) + unit, left);
    if constexpr (CellT::memory) last.c = memory_before(index, t, j, unit);
    const State<T> carried = CellT::backward(s, last, d, p, dp);
    // Numbers behind the last unit take part in products with zeros, and must not be NaN.
    for (int k = 0; k < CellT::slots; ++k) {
      if constexpr (kPer<P> == 1) {
        store(at + k * L::units, keep<T>(s[k], left));
      } else {
        static_assert(L::group == 1);
        store_rounded(reinterpret_cast<std::uint16_t*>(at) + k * L::units, keep<T>(s[k], left));
      }
    }
    return carried;
  }

  void add_peepholes(int index, std::int64_t n, const PeepholeSums* found) {
    for (int c = 0; c < kColumns; ++c) {
      const std::int64_t vector = n * kColumns + c;
      if (vector >= layout_.panels) return;
      for (int k = 0; k < CellT::peepholes; ++k) runs_[index].peepholes.add(vector, k, found[c].of[k]);
    }
  }

  // The gradients of the gates, once those of the normalised cell state of all units are there.
  void normalized_gates(int index, std::int64_t t, const Share& mine) {
    const Rows& rows = team_.groups[index].rows;
    Run& run = runs_[index];
    for (std::int64_t j = 0; j < rows.running(t); ++j) {
      const T* scale = recorded_[index].scale(rows.row(t, j));
      const auto means = run.normalization.means(j, kMemory);
      for (std::int64_t panel = mine.panels.first; panel < mine.panels.second; ++panel) {
        const std::int64_t unit = panel * L::lanes;
        Vec<T> carried{};
        const Vec<T> dc = memory_gradient(index, t, j, unit, layout_.hidden - unit, carried);
        carried += run.normalization.gates(j, panel, means, dc, memory_before(index, t, j, unit),
                                           sums(index, panel, rows.row(t, j)), scale);
        store(run.dc.data() + j * layout_.padded + unit, carried);
      }
    }
  }

  // And those of the sums, once those of all gates are there.
  void normalized_sums(int index, std::int64_t t, const Share& mine) {
    const Rows& rows = team_.groups[index].rows;
    auto& normalization = runs_[index].normalization;
    for (std::int64_t j = 0; j < rows.running(t); ++j) {
      const T* scale = recorded_[index].scale(rows.row(t, j));
      const auto input = normalization.means(j, kInputSums), recurrent = normalization.means(j, kRecurrentSums);
      for (std::int64_t panel = mine.panels.first; panel < mine.panels.second; ++panel) {
        normalization.sums(j, panel, input, recurrent, sums(index, panel, rows.row(t, j)), scale);
      }
    }
    for (std::int64_t panel = mine.panels.first; panel < mine.panels.second; ++panel) normalization.end_step(panel);
  }

  void input_gradient(int index, std::int64_t t, const Share& mine) {
    const Rows& rows = team_.groups[index].rows;
    T* places[InputTile::most];
    for (std::int64_t n = mine.inputs.first; n < mine.inputs.second; ++n) {
      const std::int64_t first = n * L::columns;
      in_pieces(0, rows.running(t), InputTile::most, [&](std::int64_t a, std::int64_t b) {
        for (std::int64_t j = a; j < b; ++j) places[j - a] = rows.at(asked_.x, t, j) + first;
        const P* at = gradients(index, 0, rows.row(t, a)) + CellT::input_begin * L::units / kPer<P>;
        tile<InputTile, NarrowInputTile>(layout_.input - first <= L::lanes, b - a, at, rows.total() * L::sums,
                                         input_panel(n), places, layout_.input - first);
      });
    }
  }

  void start_gradient(int index, std::int64_t n) {
    const Rows& rows = team_.groups[index].rows;
    const std::int64_t first = n * L::columns, width = std::min<std::int64_t>(L::columns, layout_.output - first);
    T* places[HiddenTile::most];
    in_pieces(0, rows.count(), HiddenTile::most, [&](std::int64_t a, std::int64_t b) {
      for (std::int64_t j = a; j < b; ++j) places[j - a] = asked_.h0 + rows.sequence(j) * layout_.output + first;
      hidden_product(index, 0, a, b, n, places, layout_.output - first);
      for (std::int64_t j = a; j < b; ++j) {
        mask(index, j, first, width, places[j - a]);
        if (!carries_hidden()) continue;
        const T* carried = runs_[index].dh.data() + j * dh_stride() + first;
        for (std::int64_t k = 0; k < width; ++k) places[j - a][k] += carried[k];
      }
    });
  }

  // The gradient of c0, and zeros in dx at padded steps.
  void finish(int index, int member) {
    const Rows& rows = team_.groups[index].rows;
    const auto [from, until] = share(rows.count(), member, team_.groups[index].threads);
    for (std::int64_t j = from; j < until; ++j) {
      if (CellT::memory && asked_.c0 != nullptr) {
        std::copy_n(runs_[index].dc.data() + j * layout_.padded, layout_.hidden,
                    asked_.c0 + rows.sequence(j) * layout_.hidden);
      }
      if (asked_.x.data != nullptr) clear_padding(part_, rows, j, asked_.x, layout_.input);
    }
  }

  // Parameters that each unit has for itself.
  void finish_units() {
    Run& all = runs_[0];
    for (std::size_t k = 1; k < runs_.size(); ++k) {
      all.peepholes.add(runs_[k].peepholes);
      if constexpr (CellT::normalized) all.normalization.add(runs_[k].normalization);
    }
    for (int k = 0; k < CellT::peepholes; ++k) {
      all.peepholes.write(k, layout_.hidden, dw_.peephole + k * layout_.hidden);
    }
    if constexpr (CellT::normalized) all.normalization.write(dw_);
  }

  const Part& part_;
  const Weights<T>& weights_;
  const Input<T>& input_;
  const OutputGradients<T>& given_;
  const InputGradients<T>& asked_;
  const WeightGradients<T>& dw_;
  Team& team_;
  L layout_;
  History<T> history_;
  std::vector<Recorded<T, S>> recorded_;
  ParameterGradients<T, S, P> parameters_;
  Barrier all_;
  Array<P> recurrent_weight_, input_weight_;  // packed
  Array<T> projection_;                       // packed
  std::vector<Run> runs_;
};

template <class T, class CellT, class P>
void run_backward(const Part& part, const Weights<T>& weights, const Input<T>& input, Sequences<const T> y, void* tape,
                  const OutputGradients<T>& given, const InputGradients<T>& asked, const WeightGradients<T>& dw) {
  Team team = make_team<T, CellT>(part);
  Backward<T, CellT, P> run(part, weights, input, y, team, tape, given, asked, dw);
  run_team(team.threads, [&](int thread) { run.work(thread); });
}

}  // namespace longshort::LONGSHORT_ISA
