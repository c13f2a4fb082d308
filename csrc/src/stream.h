// A layer one step at a time: packed weights and a state that stay where they are.
#pragma once

#include "forward.h"

namespace longshort::LONGSHORT_ISA {

template <class T, class CellT>
class CellStream final : public Stream<T> {
 public:
  using S = typename CellT::Sums;
  using L = Layout<T, S>;
  using Tile = ForwardTile<T, S, T>;

  CellStream(const Part& shape, const Weights<T>& weights)
      : batch_(shape.batch),
        layout_(shape),
        packed_(layout_),
        h_(batch_ * layout_.hidden),
        next_(batch_ * layout_.hidden),
        c_(CellT::memory ? batch_ * layout_.hidden : 0),
        peepholes_(CellT::peepholes * layout_.hidden) {
    for (std::int64_t panel = 0; panel < layout_.panels; ++panel) packed_.pack(layout_, weights, panel);
    std::copy_n(weights.peephole, peepholes_.size(), peepholes_.data());
    std::fill_n(h_.data(), h_.size(), T(0));
    if (CellT::memory) std::fill_n(c_.data(), c_.size(), T(0));
  }

  void step(const T* x, T* y) override {
    FlushDenormals flush;
    const std::int64_t hidden = layout_.hidden;
    const T* xs[Tile::most];
    const T* hs[Tile::most];
    T sums[Tile::most * L::sums];
    for (std::int64_t panel = 0; panel < layout_.panels; ++panel) {
      in_pieces(0, batch_, Tile::most, [&](std::int64_t a, std::int64_t b) {
        const int n = static_cast<int>(b - a);
        for (int r = 0; r < n; ++r) {
          xs[r] = x + (a + r) * layout_.input;
          hs[r] = h_.data() + (a + r) * hidden;
        }
        by_rows<Tile::template Rows, Tile::most>(
            n, static_cast<const T* const*>(xs), layout_.input,
            static_cast<const T*>(packed_.input_panel(layout_, panel)), static_cast<const T* const*>(hs), hidden,
            static_cast<const T*>(packed_.recurrent_panel(layout_, panel)),
            static_cast<const T*>(packed_.bias_panel(panel)), std::int64_t{0}, static_cast<T*>(sums));
        for (int r = 0; r < n; ++r) cell(a + r, panel, sums + r * L::sums);
      });
    }
    std::swap(h_, next_);
    std::copy_n(h_.data(), h_.size(), y);
  }

  void read(T* h, T* c) const override {
    std::copy_n(h_.data(), h_.size(), h);
    if (CellT::memory) std::copy_n(c_.data(), c_.size(), c);
  }

  void write(const T* h, const T* c) override {
    std::copy_n(h, h_.size(), h_.data());
    if (CellT::memory) std::copy_n(c, c_.size(), c_.data());
  }

 private:
  void cell(std::int64_t b, std::int64_t panel, const T* sums) {
    for (int u = 0; u < L::group; ++u) {
      const std::int64_t unit = panel * L::units + u * L::lanes, left = layout_.hidden - unit;
      if (left <= 0) return;
      const std::int64_t at = b * layout_.hidden + unit;
      Vec<T> s[CellT::slots], p[CellT::peepholes + 1];
      for (int k = 0; k < CellT::slots; ++k) s[k] = load(sums + k * L::units + u * L::lanes);
      for (int k = 0; k < CellT::peepholes; ++k) p[k] = load(peepholes_.data() + k * layout_.hidden + unit, left);
      State<T> last{};
      if constexpr (CellT::direct) last.h = load(h_.data() + at, left);
      if constexpr (CellT::memory) last.c = load(c_.data() + at, left);
      const State<T> next = CellT::forward(s, last, p);
      if constexpr (CellT::memory) store(c_.data() + at, next.c, left);
      store(next_.data() + at, next.h, left);
    }
  }

  std::int64_t batch_;
  L layout_;
  Packed<T, S, T> packed_;
  Array<T> h_, next_, c_, peepholes_;
};

}  // namespace longshort::LONGSHORT_ISA
