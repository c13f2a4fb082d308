// The time loop.
#pragma once

#include <type_traits>

#include "cache.h"
#include "cells.h"
#include "normalize.h"
#include "product.h"
#include "run.h"

namespace longshort::LONGSHORT_ISA {

// sums = start + x Wx + h Wh for R rows and one panel; `input` and `hidden` count elements.
template <class T, class S, class P>
struct ForwardTile {
  using L = Layout<T, S>;
  static constexpr int vectors = S::slots * S::group;
  static constexpr int most = kSums / vectors > 12 ? 12 : kSums / vectors;

  template <int R>
  struct Rows {
    static void run(const P* const* x, std::int64_t input, const P* wx, const P* const* h, std::int64_t hidden,
                    const P* wh, const T* start, std::int64_t start_stride, T* to) {
      Vec<T> sums[R][vectors];
      LONGSHORT_UNROLL for (int r = 0; r < R; ++r) {
        LONGSHORT_UNROLL for (int c = 0; c < vectors; ++c) sums[r][c] = load(start + r * start_stride + c * L::lanes);
      }
      const P* places[R];
      if (input > 0) {
        LONGSHORT_UNROLL for (int r = 0; r < R; ++r) places[r] = x[r];
        multiply<T, R, L::from_input / L::lanes>(sums, S::input_begin * S::group, Scattered<P>{places}, input, wx);
      }
      if (hidden > 0) {
        LONGSHORT_UNROLL for (int r = 0; r < R; ++r) places[r] = h[r];
        multiply<T, R, L::from_hidden / L::lanes>(sums, S::recurrent_begin * S::group, Scattered<P>{places}, hidden,
                                                  wh);
      }
      LONGSHORT_UNROLL for (int r = 0; r < R; ++r) {
        LONGSHORT_UNROLL for (int c = 0; c < vectors; ++c) store(to + r * L::sums + c * L::lanes, sums[r][c]);
      }
    }
  };
};

// P is what the products are made of: T, or pairs of bfloat16 to which their two sides are rounded.
template <class T, class CellT, class P = T>
class Forward {
 public:
  using S = typename CellT::Sums;
  using L = Layout<T, S>;
  using Tile = ForwardTile<T, S, P>;

  Forward(const Part& part, const Weights<T>& weights, const Input<T>& input, const Output<T>& output, Team& team,
          void* tape)
      : part_(part),
        weights_(weights),
        input_(input),
        output_(output),
        team_(team),
        layout_(part),
        history_(part, {output.y.data, output.y.step, output.y.sequence}, input.h0),
        found_(tape == nullptr ? cache().find(layout_, weights) : nullptr),
        packed_(found_ ? found_ : std::make_shared<Packed<T, S, P>>(layout_)),
        packing_(team.threads),
        projection_(layout_.projected ? layout_.output_panels * layout_.hidden * L::columns : 0) {
    for (auto& group : team.groups) {
      const auto& rows = group.rows;
      Run run;
      if (layout_.projected && tape == nullptr) run.inside = Array<T>(rows.count() * layout_.padded);
      run.ahead = steps_ahead(rows);
      const std::int64_t chunk = std::min(run.ahead * rows.count(), rows.total());
      if (tape == nullptr && chunk > 0) run.sums_ahead = Array<T>(chunk * layout_.panels * L::sums);
      if (copies_hidden()) run.hidden = Array<P>(2 * rows.count() * hidden_width());
      if (kRounds) run.x = Array<P>(rows.total() * elements<P>(layout_.input));
      if constexpr (CellT::normalized) run.normalization = Normalization<T>(layout_, weights, rows.count());
      runs_.push_back(std::move(run));
    }
    start();
    if (tape != nullptr) recorded_ = recorded(team, layout_, CellT::memory, tape);
  }

  // Takes c before the first step from the input. Without a tape c then stays from one run to the next.
  void start() {
    for (std::size_t k = 0; CellT::memory && k < runs_.size(); ++k) {
      runs_[k].start = padded_state(team_.groups[k].rows, input_.c0, layout_.hidden, layout_.padded);
    }
  }

  // A thread's share of the weights, which all must have packed before one runs.
  void pack(int thread) {
    if (!found_) {
      const auto [from, until] = share(layout_.panels, thread, team_.threads);
      for (std::int64_t panel = from; panel < until; ++panel) packed_->pack(layout_, weights_, panel);
    }
    if (layout_.projected) {
      const auto [from, until] = share(layout_.output_panels, thread, team_.threads);
      for (std::int64_t n = from; n < until; ++n) {
        pack_transposed<T, S>(weights_.projection, layout_.output, layout_.hidden, n, projection_panel(n));
      }
    }
  }

  void run(int thread) {
    Group& group = team_.group(thread);
    const int index = team_.group_index(thread), member = team_.member(thread);
    copy_inputs(index, member);
    if (!found_ || layout_.projected || copies_hidden()) packing_.wait();
    const auto [first, last] = share(layout_.panels, member, group.threads);
    const std::int64_t chunk = runs_[index].ahead;
    for (std::int64_t t = 0; t < group.rows.steps(); ++t) {
      if (chunk > 0 && t % chunk == 0) multiply_ahead(index, t, std::min(t + chunk, group.rows.steps()), first, last);
      for (std::int64_t panel = first; panel < last; ++panel) step(index, t, panel);
      group.barrier->wait();
      if constexpr (CellT::normalized) {
        normalized_gates(index, t, first, last);
        group.barrier->wait();
        normalized_output(index, t, first, last);
        group.barrier->wait();
      }
      if (layout_.projected) {
        const auto [n_from, n_until] = share(layout_.output_panels, member, group.threads);
        for (std::int64_t n = n_from; n < n_until; ++n) project_output(index, t, n);
        group.barrier->wait();
      }
    }
    const auto [j_from, j_until] = share(group.rows.count(), member, group.threads);
    for (std::int64_t j = j_from; j < j_until; ++j) finish(index, j);
  }

  // Keeps what was packed for the next inference.
  void keep_weights() {
    if (!found_ && !records()) cache().keep(layout_, weights_, packed_);
  }

 private:
  struct None {};
  struct Run {
    Array<T> start;       // c before the first step; without a tape, c
    Array<T> inside;      // without a tape: the cells' outputs before their projection
    Array<T> sums_ahead;  // without a tape: input products of some steps, as a tape's sums
    Array<P> hidden;      // where it is not y: what the recurrent product reads at this step and at the next, in turns
    Array<P> x;           // rounded
    std::int64_t ahead = 0;
    std::conditional_t<CellT::normalized, Normalization<T>, None> normalization;
  };

  // Never destroyed: other threads may be at work while the process ends.
  static WeightCache<T, S, P>& cache() {
    static auto* const instance = new WeightCache<T, S, P>;
    return *instance;
  }

  bool records() const { return !recorded_.empty(); }

  // Steps whose input products are computed ahead, in one go: where a step has too few rows to use a weight well once
  // it is there, or the weights are too many to stay. 0: in each step. A normalised cell wants all sums of a step kept.
  std::int64_t steps_ahead(const Rows& rows) const {
    constexpr std::int64_t chunk_rows = 96;
    const bool few = rows.count() < Tile::most;
    const bool large = (layout_.input + layout_.hidden) * L::sums * static_cast<std::int64_t>(sizeof(T)) > 300000;
    const bool wanted = ((few || large) && rows.steps() > 1) || CellT::normalized;
    return wanted ? std::max<std::int64_t>(chunk_rows / rows.count(), 1) : 0;
  }

  // The sums of step t, row j of a panel, where they are kept.
  T* kept(int index, std::int64_t panel, std::int64_t t, std::int64_t j) {
    const Rows& rows = team_.groups[index].rows;
    if (records()) return recorded_[index].sums(panel, rows.row(t, j));
    const std::int64_t chunk = runs_[index].ahead;
    const std::int64_t capacity = std::min(chunk * rows.count(), rows.total());
    const std::int64_t row = rows.row(t, j) - rows.row(t - t % chunk, 0);
    return runs_[index].sums_ahead.data() + (panel * capacity + row) * L::sums;
  }

  void multiply_ahead(int index, std::int64_t begin, std::int64_t end, std::int64_t first, std::int64_t last) {
    const Rows& rows = team_.groups[index].rows;
    const P* x[Tile::most];
    for (std::int64_t panel = first; panel < last; ++panel) {
      Cursor cursor(rows, begin, 0);
      const std::int64_t from = rows.row(begin, 0), until = rows.row(end, 0);
      in_pieces(from, until, Tile::most, [&](std::int64_t a, std::int64_t b) {
        T* to = kept(index, panel, cursor.t(), cursor.j());
        for (std::int64_t r = 0; r < b - a; ++r, cursor.next()) x[r] = x_at(index, cursor.t(), cursor.j());
        by_rows<Tile::template Rows, Tile::most>(
            int(b - a), static_cast<const P* const*>(x), elements<P>(layout_.input),
            static_cast<const P*>(packed_->input_panel(layout_, panel)), static_cast<const P* const*>(nullptr),
            std::int64_t{0}, static_cast<const P*>(nullptr), static_cast<const T*>(packed_->bias_panel(panel)),
            std::int64_t{0}, to);
      });
    }
  }

  static constexpr bool kRounds = !std::is_same_v<T, P>;

  // Whether the recurrent product reads something else than y.
  bool copies_hidden() const { return kRounds || input_.h_mask != nullptr; }
  std::int64_t hidden_width() const { return elements<P>((layout_.output + L::lanes - 1) / L::lanes * L::lanes); }

  // What the products read at step t.
  const P* x_at(int index, std::int64_t t, std::int64_t j) {
    const Rows& rows = team_.groups[index].rows;
    if constexpr (kRounds) {
      return runs_[index].x.data() + rows.row(t, j) * elements<P>(layout_.input);
    } else {
      return rows.at(input_.x, t, j);
    }
  }
  const P* hidden_at(int index, std::int64_t t, std::int64_t j) {
    if constexpr (!kRounds) {
      if (!copies_hidden()) return history_.before(team_.groups[index].rows, t, j);
    }
    return hidden_copy(index, t, j);
  }

  P* hidden_copy(int index, std::int64_t t, std::int64_t j) {
    return runs_[index].hidden.data() + (t % 2 * team_.groups[index].rows.count() + j) * hidden_width();
  }

  // Masks and rounds a vector of the state before step t for its products.
  LONGSHORT_INLINE void copy_hidden(int index, std::int64_t t, std::int64_t j, std::int64_t unit, std::int64_t left,
                                    Vec<T> h) {
    const T* mask = mask_of(input_, team_.groups[index].rows.sequence(j), layout_.output);
    if (mask != nullptr) h *= load(mask + unit, left);
    if constexpr (kRounds) {
      store_rounded(reinterpret_cast<std::uint16_t*>(hidden_copy(index, t, j)) + unit, keep<T>(h, left));
    } else {
      store(hidden_copy(index, t, j) + unit, h, left);
    }
  }

  void copy_inputs(int index, int member) {
    const Group& group = team_.groups[index];
    const Rows& rows = group.rows;
    const auto [from, until] = share(copies_hidden() ? rows.count() : 0, member, group.threads);
    for (std::int64_t j = from; j < until; ++j) {
      const T* h = history_.before(rows, 0, j);
      for (std::int64_t unit = 0; unit < layout_.output; unit += L::lanes) {
        copy_hidden(index, 0, j, unit, layout_.output - unit, load(h + unit, layout_.output - unit));
      }
      if constexpr (kRounds) {
        for (std::int64_t t = 0; t < rows.length(j); ++t) {
          const T* x = rows.at(input_.x, t, j);
          const std::int64_t row = rows.row(t, j) * elements<P>(layout_.input);
          round_row(x, layout_.input, reinterpret_cast<std::uint16_t*>(runs_[index].x.data() + row));
        }
      }
    }
  }

  // c after step t - 1; c after step t. Without a tape both are the same place.
  T* memory(int index, std::int64_t t, std::int64_t j) {
    if (!records() || t < 0) return runs_[index].start.data() + j * layout_.padded;
    return recorded_[index].memory(team_.groups[index].rows.row(t, j));
  }

  // The cell's output at step t, where it is yet to be projected.
  T* inside(int index, std::int64_t t, std::int64_t j) {
    if (!records()) return runs_[index].inside.data() + j * layout_.padded;
    return recorded_[index].inside(team_.groups[index].rows.row(t, j));
  }

  T* projection_panel(std::int64_t n) { return projection_.data() + n * layout_.hidden * L::columns; }

  void project_output(int index, std::int64_t t, std::int64_t n) {
    using Product = RowTile<T>;
    const Rows& rows = team_.groups[index].rows;
    const std::int64_t first = n * L::columns, width = std::min<std::int64_t>(L::columns, layout_.output - first);
    in_pieces(0, rows.running(t), Product::most, [&](std::int64_t a, std::int64_t b) {
      const T* from[Product::most];
      T* to[Product::most];
      for (std::int64_t j = a; j < b; ++j) {
        from[j - a] = inside(index, t, j);
        to[j - a] = rows.at(output_.y, t, j) + first;
      }
      by_rows<Product::template Rows, Product::most>(static_cast<int>(b - a), static_cast<const T* const*>(from),
                                                     layout_.hidden, static_cast<const T*>(projection_panel(n)),
                                                     static_cast<const T*>(nullptr), static_cast<T* const*>(to),
                                                     layout_.output - first);
      for (std::int64_t j = a; j < b && copies_hidden(); ++j) {
        for (std::int64_t k = first; k < first + width; k += L::lanes) {
          copy_hidden(index, t + 1, j, k, layout_.output - k, load(to[j - a] + k - first, layout_.output - k));
        }
      }
    });
  }

  void step(int index, std::int64_t t, std::int64_t panel) {
    const Rows& rows = team_.groups[index].rows;
    const bool ahead = runs_[index].ahead > 0;
    const bool keeps = ahead || records();
    const P* x[Tile::most];
    const P* h[Tile::most];
    T local[Tile::most * L::sums];
    const P* wx = packed_->input_panel(layout_, panel);
    const P* wh = packed_->recurrent_panel(layout_, panel);
    in_pieces(0, rows.running(t), Tile::most, [&](std::int64_t a, std::int64_t b) {
      const int n = static_cast<int>(b - a);
      for (int r = 0; r < n; ++r) h[r] = hidden_at(index, t, a + r);
      if (!ahead) {
        for (int r = 0; r < n; ++r) x[r] = x_at(index, t, a + r);
      }
      T* sums = keeps ? kept(index, panel, t, a) : local;
      const T* start = ahead ? sums : static_cast<const T*>(packed_->bias_panel(panel));
      by_rows<Tile::template Rows, Tile::most>(n, static_cast<const P* const*>(x),
                                               ahead ? std::int64_t{0} : elements<P>(layout_.input), wx,
                                               static_cast<const P* const*>(h), elements<P>(layout_.output), wh, start,
                                               static_cast<std::int64_t>(ahead ? L::sums : 0), sums);
      for (int r = 0; r < n; ++r) {
        if constexpr (CellT::normalized) {
          runs_[index].normalization.look(a + r, panel, sums + r * L::sums);
        } else {
          cell(index, t, a + r, panel, sums + r * L::sums);
        }
      }
    });
  }

  void cell(int index, std::int64_t t, std::int64_t j, std::int64_t panel, T* sums) {
    for (int u = 0; u < L::group; ++u) {
      const std::int64_t unit = panel * L::units + u * L::lanes, left = layout_.hidden - unit;
      if (left <= 0) return;
      Vec<T> s[CellT::slots], p[CellT::peepholes + 1];
      for (int k = 0; k < CellT::slots; ++k) s[k] = load(sums + k * L::units + u * L::lanes);
      for (int k = 0; k < CellT::peepholes; ++k) p[k] = load(weights_.peephole + k * layout_.hidden + unit, left);
      const State<T> last = state_before(index, t, j, unit, left);
      const State<T> next = CellT::forward(s, last, p);
      if (records()) {
        for (int k = 0; k < CellT::slots; ++k) store(sums + k * L::units + u * L::lanes, s[k]);
      }
      if constexpr (CellT::memory) write_memory(index, t, j, unit, left, last.c, next.c);
      write_hidden(index, t, j, unit, left, last.h, next.h);
    }
  }

  State<T> state_before(int index, std::int64_t t, std::int64_t j, std::int64_t unit, std::int64_t left) {
    State<T> last{};
    if (CellT::direct || input_.h_zone.data != nullptr) {
      last.h = load(history_.before(team_.groups[index].rows, t, j) + unit, left);
    }
    if constexpr (CellT::memory) last.c = load(memory(index, t - 1, j) + unit);
    return last;
  }

  // The share of the last state that is kept, and the rest of the next; exact where it is 0 or 1.
  static LONGSHORT_INLINE Vec<T> mixed(Vec<T> last, Vec<T> next, Vec<T> share) {
    return share * last + (T(1) - share) * next;
  }

  void write_memory(int index, std::int64_t t, std::int64_t j, std::int64_t unit, std::int64_t left, Vec<T> last,
                    Vec<T> next) {
    if (input_.c_zone.data != nullptr) {
      next = mixed(last, next, load(team_.groups[index].rows.at(input_.c_zone, t, j) + unit, left));
    }
    store(memory(index, t, j) + unit, next);
  }

  void write_hidden(int index, std::int64_t t, std::int64_t j, std::int64_t unit, std::int64_t left, Vec<T> last,
                    Vec<T> next) {
    const Rows& rows = team_.groups[index].rows;
    if (layout_.projected) return store(inside(index, t, j) + unit, next, left);
    if (input_.h_zone.data != nullptr) next = mixed(last, next, load(rows.at(input_.h_zone, t, j) + unit, left));
    store(rows.at(output_.y, t, j) + unit, next, left);
    if (copies_hidden()) copy_hidden(index, t + 1, j, unit, left, next);
  }

  // Where what backward needs of a norm is kept: by one of the threads that share the units, the one that has the
  // first.
  T* scale(int index, std::int64_t t, std::int64_t j, std::int64_t first, std::int64_t last) {
    if (!records() || first > 0 || last == 0) return nullptr;
    return recorded_[index].scale(team_.groups[index].rows.row(t, j));
  }

  // All gates and the cell state, once the sums of all units are there.
  void normalized_gates(int index, std::int64_t t, std::int64_t first, std::int64_t last) {
    const Rows& rows = team_.groups[index].rows;
    auto& normalization = runs_[index].normalization;
    for (std::int64_t j = 0; j < rows.running(t); ++j) {
      const auto moments = normalization.of_sums(j, scale(index, t, j, first, last));
      for (std::int64_t panel = first; panel < last; ++panel) {
        const std::int64_t unit = panel * L::units, left = layout_.hidden - unit;
        const Vec<T> c_last = load(memory(index, t - 1, j) + unit);
        const Vec<T> c = normalization.gates(j, panel, moments, c_last, kept(index, panel, t, j));
        write_memory(index, t, j, unit, left, c_last, c);
      }
    }
  }

  // And the output, once the cell states of all units are there.
  void normalized_output(int index, std::int64_t t, std::int64_t first, std::int64_t last) {
    const Rows& rows = team_.groups[index].rows;
    auto& normalization = runs_[index].normalization;
    for (std::int64_t j = 0; j < rows.running(t); ++j) {
      const auto moments = normalization.of_memory(j, scale(index, t, j, first, last));
      for (std::int64_t panel = first; panel < last; ++panel) {
        const std::int64_t unit = panel * L::units, left = layout_.hidden - unit;
        const Vec<T> h = normalization.output(j, panel, moments);
        Vec<T> h_last{};
        if (input_.h_zone.data != nullptr) h_last = load(history_.before(rows, t, j) + unit, left);
        write_hidden(index, t, j, unit, left, h_last, h);
      }
    }
  }

  // The final state of a sequence, and zeros behind it.
  void finish(int index, std::int64_t j) {
    const Rows& rows = team_.groups[index].rows;
    const std::int64_t length = rows.length(j), b = rows.sequence(j), n = layout_.output, h = layout_.hidden;
    std::copy_n(rows.at(output_.y, length - 1, j), n, output_.hn + b * n);
    if constexpr (CellT::memory) std::copy_n(memory(index, length - 1, j), h, output_.cn + b * h);
    clear_padding(part_, rows, j, output_.y, n);
  }

  const Part& part_;
  const Weights<T>& weights_;
  const Input<T>& input_;
  const Output<T>& output_;
  Team& team_;
  L layout_;
  History<T> history_;
  std::shared_ptr<Packed<T, S, P>> found_, packed_;
  Barrier packing_;
  Array<T> projection_;  // its weight, packed
  std::vector<Run> runs_;
  std::vector<Recorded<T, S>> recorded_;  // empty without a tape
};

template <class T, class CellT, class P>
void run_forward(const Part& part, const Weights<T>& weights, const Input<T>& input, const Output<T>& output,
                 void* tape) {
  Team team = make_team<T, CellT>(part);
  Forward<T, CellT, P> layer(part, weights, input, output, team, tape);
  run_team(team.threads, [&](int thread) {
    layer.pack(thread);
    layer.run(thread);
  });
  layer.keep_weights();
}

}  // namespace longshort::LONGSHORT_ISA
