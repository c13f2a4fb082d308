// The time loop.
#pragma once

#include "cache.h"
#include "cells.h"
#include "product.h"
#include "run.h"

namespace longshort::LONGSHORT_ISA {

// sums = start + x Wx + h Wh for R rows and one panel.
template <class T, class CellT>
struct ForwardTile {
  using L = Layout<T, CellT>;
  static constexpr int vectors = CellT::slots * CellT::group;
  static constexpr int most = kSums / vectors > 12 ? 12 : kSums / vectors;

  template <int R>
  struct Rows {
    static void run(const T* const* x, std::int64_t input, const T* wx, const T* const* h, std::int64_t hidden,
                    const T* wh, const T* start, std::int64_t start_stride, T* to) {
      Vec<T> sums[R][vectors];
      LONGSHORT_UNROLL for (int r = 0; r < R; ++r) {
        LONGSHORT_UNROLL for (int c = 0; c < vectors; ++c) sums[r][c] = load(start + r * start_stride + c * L::lanes);
      }
      const T* places[R];
      if (input > 0) {
        LONGSHORT_UNROLL for (int r = 0; r < R; ++r) places[r] = x[r];
        multiply<T, R, L::from_input / L::lanes>(sums, CellT::input_begin * CellT::group, Scattered<T>{places}, input,
                                                 wx);
      }
      if (hidden > 0) {
        LONGSHORT_UNROLL for (int r = 0; r < R; ++r) places[r] = h[r];
        multiply<T, R, L::from_hidden / L::lanes>(sums, CellT::recurrent_begin * CellT::group, Scattered<T>{places},
                                                  hidden, wh);
      }
      LONGSHORT_UNROLL for (int r = 0; r < R; ++r) {
        LONGSHORT_UNROLL for (int c = 0; c < vectors; ++c) store(to + r * L::sums + c * L::lanes, sums[r][c]);
      }
    }
  };
};

template <class T, class CellT>
class Forward {
 public:
  using L = Layout<T, CellT>;
  using Tile = ForwardTile<T, CellT>;

  Forward(const Shape& shape, const Weights<T>& weights, Sequences<const T> x, const T* h0, const T* c0, Sequences<T> y,
          T* hn, T* cn, Team& team, T* tape)
      : shape_(shape),
        weights_(weights),
        x_(x),
        h0_(h0),
        y_(y),
        hn_(hn),
        cn_(cn),
        team_(team),
        layout_(shape),
        found_(tape == nullptr ? cache().find(layout_, weights) : nullptr),
        packed_(found_ ? found_ : std::make_shared<Packed<T, CellT>>(layout_)),
        packing_(team.threads),
        zeros_(layout_.output),
        projection_(layout_.projected ? layout_.output_panels * layout_.hidden * L::columns : 0) {
    std::fill_n(zeros_.data(), zeros_.size(), T(0));
    for (auto& group : team.groups) {
      const auto& rows = group.rows;
      start_.push_back(CellT::memory ? padded_state(rows, c0, shape.hidden, layout_.padded) : Array<T>());
      inside_.push_back(layout_.projected && tape == nullptr ? Array<T>(rows.count() * layout_.padded) : Array<T>());
      ahead_.push_back(steps_ahead(rows));
      const std::int64_t chunk = std::min(ahead_.back() * rows.count(), rows.total());
      sums_ahead_.push_back(tape == nullptr && chunk > 0 ? Array<T>(chunk * layout_.panels * L::sums) : Array<T>());
    }
    if (tape != nullptr) recorded_ = recorded<T, CellT>(team, layout_, tape);
  }

  void work(int thread) {
    if (!found_) {
      const auto [from, until] = share(layout_.panels, thread, team_.threads);
      for (std::int64_t panel = from; panel < until; ++panel) packed_->pack(layout_, weights_, panel);
    }
    if (layout_.projected) {
      const auto [from, until] = share(layout_.output_panels, thread, team_.threads);
      for (std::int64_t n = from; n < until; ++n) {
        pack_transposed<T, CellT>(weights_.projection, layout_.output, layout_.hidden, n, projection_panel(n));
      }
    }
    if (!found_ || layout_.projected) packing_.wait();
    Group& group = team_.group(thread);
    const int index = team_.group_index(thread), member = team_.member(thread);
    const auto [first, last] = share(layout_.panels, member, group.threads);
    const std::int64_t chunk = ahead_[index];
    for (std::int64_t t = 0; t < group.rows.steps(); ++t) {
      if (chunk > 0 && t % chunk == 0) multiply_ahead(index, t, std::min(t + chunk, group.rows.steps()), first, last);
      for (std::int64_t panel = first; panel < last; ++panel) step(index, t, panel);
      group.barrier->wait();
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
  // Never destroyed: other threads may be at work while the process ends.
  static WeightCache<T, CellT>& cache() {
    static auto* const instance = new WeightCache<T, CellT>;
    return *instance;
  }

  bool records() const { return !recorded_.empty(); }

  // Steps whose input products are computed ahead, in one go: where a step has too few rows to use a weight well once
  // it is there, or the weights are too many to stay. 0: in each step.
  std::int64_t steps_ahead(const Rows& rows) const {
    constexpr std::int64_t chunk_rows = 96;
    const bool few = rows.count() < Tile::most;
    const bool large = (layout_.input + layout_.hidden) * L::sums * static_cast<std::int64_t>(sizeof(T)) > 300000;
    return (few || large) && rows.steps() > 1 ? std::max<std::int64_t>(chunk_rows / rows.count(), 1) : 0;
  }

  // The sums of step t, row j of a panel, where they are kept.
  T* kept(int index, std::int64_t panel, std::int64_t t, std::int64_t j) {
    const Rows& rows = team_.groups[index].rows;
    if (records()) return recorded_[index].sums + (panel * rows.total() + rows.row(t, j)) * L::sums;
    const std::int64_t chunk = ahead_[index];
    const std::int64_t capacity = std::min(chunk * rows.count(), rows.total());
    const std::int64_t row = rows.row(t, j) - rows.row(t - t % chunk, 0);
    return sums_ahead_[index].data() + (panel * capacity + row) * L::sums;
  }

  void multiply_ahead(int index, std::int64_t begin, std::int64_t end, std::int64_t first, std::int64_t last) {
    const Rows& rows = team_.groups[index].rows;
    const T* x[Tile::most];
    for (std::int64_t panel = first; panel < last; ++panel) {
      Cursor cursor(rows, begin, 0);
      const std::int64_t from = rows.row(begin, 0), until = rows.row(end, 0);
      in_pieces(from, until, Tile::most, [&](std::int64_t a, std::int64_t b) {
        T* to = kept(index, panel, cursor.t(), cursor.j());
        for (std::int64_t r = 0; r < b - a; ++r, cursor.next()) x[r] = rows.at(x_, cursor.t(), cursor.j());
        by_rows<Tile::template Rows, Tile::most>(
            int(b - a), static_cast<const T* const*>(x), layout_.input,
            static_cast<const T*>(packed_->input_panel(layout_, panel)), static_cast<const T* const*>(nullptr),
            std::int64_t{0}, static_cast<const T*>(nullptr),
            static_cast<const T*>(packed_->bias.data() + panel * L::sums), std::int64_t{0}, to);
      });
    }
  }

  const T* hidden_before(const Rows& rows, std::int64_t t, std::int64_t j) const {
    if (t > 0) return rows.at(y_, t - 1, j);
    return h0_ != nullptr ? h0_ + rows.sequence(j) * layout_.output : zeros_.data();
  }

  // c after step t - 1; c after step t. Without a tape both are the same place.
  T* memory(int index, std::int64_t t, std::int64_t j) {
    if (!records() || t < 0) return start_[index].data() + j * layout_.padded;
    return recorded_[index].memory + team_.groups[index].rows.row(t, j) * layout_.padded;
  }

  // The cell's output at step t, where it is yet to be projected.
  T* inside(int index, std::int64_t t, std::int64_t j) {
    if (!records()) return inside_[index].data() + j * layout_.padded;
    return recorded_[index].inside + team_.groups[index].rows.row(t, j) * layout_.padded;
  }

  T* projection_panel(std::int64_t n) { return projection_.data() + n * layout_.hidden * L::columns; }

  void project_output(int index, std::int64_t t, std::int64_t n) {
    using Product = RowTile<T, L::lanes>;
    const Rows& rows = team_.groups[index].rows;
    const std::int64_t first = n * L::columns;
    in_pieces(0, rows.running(t), Product::most, [&](std::int64_t a, std::int64_t b) {
      const T* from[Product::most];
      T* to[Product::most];
      for (std::int64_t j = a; j < b; ++j) {
        from[j - a] = inside(index, t, j);
        to[j - a] = rows.at(y_, t, j) + first;
      }
      by_rows<Product::template Rows, Product::most>(static_cast<int>(b - a), static_cast<const T* const*>(from),
                                                     layout_.hidden, static_cast<const T*>(projection_panel(n)),
                                                     static_cast<T* const*>(to), layout_.output - first);
    });
  }

  void step(int index, std::int64_t t, std::int64_t panel) {
    const Rows& rows = team_.groups[index].rows;
    const bool ahead = ahead_[index] > 0;
    const bool keeps = ahead || records();
    const T* x[Tile::most];
    const T* h[Tile::most];
    T local[Tile::most * L::sums];
    const T* wx = packed_->input_panel(layout_, panel);
    const T* wh = packed_->recurrent_panel(layout_, panel);
    in_pieces(0, rows.running(t), Tile::most, [&](std::int64_t a, std::int64_t b) {
      const int n = static_cast<int>(b - a);
      for (int r = 0; r < n; ++r) h[r] = hidden_before(rows, t, a + r);
      if (!ahead) {
        for (int r = 0; r < n; ++r) x[r] = rows.at(x_, t, a + r);
      }
      T* sums = keeps ? kept(index, panel, t, a) : local;
      const T* start = ahead ? sums : packed_->bias.data() + panel * L::sums;
      by_rows<Tile::template Rows, Tile::most>(n, static_cast<const T* const*>(x), ahead ? 0 : layout_.input, wx,
                                               static_cast<const T* const*>(h), layout_.output, wh, start,
                                               static_cast<std::int64_t>(ahead ? L::sums : 0), sums);
      for (int r = 0; r < n; ++r) cell(index, t, a + r, panel, h[r], sums + r * L::sums);
    });
  }

  void cell(int index, std::int64_t t, std::int64_t j, std::int64_t panel, const T* h, T* sums) {
    T* y = layout_.projected ? inside(index, t, j) : team_.groups[index].rows.at(y_, t, j);
    for (int u = 0; u < L::group; ++u) {
      const std::int64_t unit = panel * L::units + u * L::lanes, left = layout_.hidden - unit;
      if (left <= 0) return;
      Vec<T> s[CellT::slots];
      for (int k = 0; k < CellT::slots; ++k) s[k] = load(sums + k * L::units + u * L::lanes);
      State<T> last{};
      if constexpr (CellT::direct) last.h = load(h + unit, left);
      if constexpr (CellT::memory) last.c = load(memory(index, t - 1, j) + unit);
      const State<T> next = CellT::forward(s, last);
      if (records()) {
        for (int k = 0; k < CellT::slots; ++k) store(sums + k * L::units + u * L::lanes, s[k]);
      }
      if constexpr (CellT::memory) store(memory(index, t, j) + unit, next.c);
      store(y + unit, next.h, left);
    }
  }

  // The final state of a sequence, and zeros behind it.
  void finish(int index, std::int64_t j) {
    const Rows& rows = team_.groups[index].rows;
    const std::int64_t length = rows.length(j), b = rows.sequence(j), n = layout_.output, h = layout_.hidden;
    std::copy_n(rows.at(y_, length - 1, j), n, hn_ + b * n);
    if constexpr (CellT::memory) std::copy_n(memory(index, length - 1, j), h, cn_ + b * h);
    for (std::int64_t t = length; t < shape_.steps; ++t) std::fill_n(y_.data + t * y_.step + b * y_.sequence, n, T(0));
  }

  const Shape& shape_;
  const Weights<T>& weights_;
  Sequences<const T> x_;
  const T* h0_;
  Sequences<T> y_;
  T *hn_, *cn_;
  Team& team_;
  L layout_;
  std::shared_ptr<Packed<T, CellT>> found_, packed_;
  Barrier packing_;
  Array<T> zeros_;
  Array<T> projection_;               // its weight, packed
  std::vector<Array<T>> inside_;      // without a tape: the cells' outputs before their projection
  std::vector<Array<T>> start_;       // c before the first step; without a tape, c
  std::vector<Array<T>> sums_ahead_;  // without a tape: input products of some steps, as a tape's sums
  std::vector<std::int64_t> ahead_;
  std::vector<Recorded<T>> recorded_;  // empty without a tape
};

template <class T, class CellT>
void run_forward(const Shape& shape, const Weights<T>& weights, Sequences<const T> x, const T* h0, const T* c0,
                 Sequences<T> y, T* hn, T* cn, T* tape) {
  Team team = make_team<T, CellT>(shape);
  Forward<T, CellT> run(shape, weights, x, h0, c0, y, hn, cn, team, tape);
  run_team(team.threads, [&](int thread) { run.work(thread); });
  run.keep_weights();
}

}  // namespace longshort::LONGSHORT_ISA
