// A linear layer for a few rows at a time, again and again, with packed weights that stay where they are: what reads an
// answer out of a stream.
#pragma once

#include <vector>

#include "layout.h"
#include "product.h"

namespace longshort::LONGSHORT_ISA {

template <class T, class P>
class PackedReadout final : public Readout<T> {
 public:
  PackedReadout(std::int64_t inputs, std::int64_t outputs, const T* weight, const T* bias)
      : inputs_(inputs),
        outputs_(outputs),
        depth_(elements<P>(inputs)),
        panels_((outputs + columns - 1) / columns),
        weight_(panels_ * depth_ * columns),
        bias_(panels_ * columns) {
    for (std::int64_t panel = 0; panel < panels_; ++panel) pack(weight, bias, panel);
  }

  void run(std::int64_t batch, const T* x, T* y) override {
    FlushDenormals flush;
    if constexpr (kRounds) {
      if (static_cast<std::int64_t>(rounded_.size()) < batch * depth_) rounded_ = Array<P>(batch * depth_);
      for (std::int64_t r = 0; r < batch; ++r) {
        round_row(x + r * inputs_, inputs_, reinterpret_cast<std::uint16_t*>(rounded_.data() + r * depth_));
      }
    }
    for (std::int64_t panel = 0; panel < panels_; ++panel) {
      const std::int64_t first = panel * columns;
      in_pieces(0, batch, Tile::most, [&](std::int64_t a, std::int64_t b) {
        const P* from[Tile::most];
        T* to[Tile::most];
        for (std::int64_t r = a; r < b; ++r) {
          if constexpr (kRounds) {
            from[r - a] = rounded_.data() + r * depth_;
          } else {
            from[r - a] = x + r * inputs_;
          }
          to[r - a] = y + r * outputs_ + first;
        }
        by_rows<Tile::template Rows, Tile::most>(static_cast<int>(b - a), static_cast<const P* const*>(from), depth_,
                                                 static_cast<const P*>(weight_.data() + panel * depth_ * columns),
                                                 static_cast<const T*>(bias_.data() + first),
                                                 static_cast<T* const*>(to), outputs_ - first);
      });
    }
  }

 private:
  using Tile = RowTile<T, P>;
  static constexpr int columns = kColumns * kLanes<T>;
  static constexpr bool kRounds = !std::is_same_v<T, P>;

  void pack(const T* weight, const T* bias, std::int64_t panel) {
    P* to = weight_.data() + panel * depth_ * columns;
    for (std::int64_t k = 0; k < inputs_; k += kPer<P>) {
      for (int c = 0; c < kColumns; ++c, to += kLanes<T>) {
        const std::int64_t first = panel * columns + c * kLanes<T>;
        Vec<T> rows[kPer<P>] = {};
        for (int j = 0; j < kPer<P> && k + j < inputs_; ++j) {
          for (int n = 0; n < kLanes<T> && first + n < outputs_; ++n)
            rows[j][n] = weight[(first + n) * inputs_ + k + j];
        }
        store(to, element_of<T, P>(rows));
      }
    }
    for (std::int64_t n = panel * columns; n < (panel + 1) * columns; ++n) {
      bias_[n] = bias != nullptr && n < outputs_ ? bias[n] : T(0);
    }
  }

  const std::int64_t inputs_, outputs_, depth_, panels_;
  Array<P> weight_;  // (panels, depth, columns)
  Array<T> bias_;
  Array<P> rounded_;
};

}  // namespace longshort::LONGSHORT_ISA
