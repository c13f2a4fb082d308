// The matrix products, as tiles of R rows by C vectors whose sums stay in registers.
//
// The right-hand side is packed: for each panel of C vectors of columns, one row of C vectors after the other.
#pragma once

#include <array>
#include <utility>

#include "simd.h"

namespace longshort::LONGSHORT_ISA {

// Registers for sums: the rest hold a row of the right-hand side and a number of the left.
constexpr int kSums = kVectorBytes == 64 ? 24 : 12;

// R rows at R places.
template <class T>
struct Scattered {
  const T* const* at;
  LONGSHORT_INLINE const T& operator()(int r, std::int64_t k) const { return at[r][k]; }
};

// R rows, Stride numbers apart.
template <class T, int Stride>
struct Strided {
  const T* at;
  LONGSHORT_INLINE const T& operator()(int r, std::int64_t k) const { return at[r * Stride + k]; }
};

// R columns side by side, one row Stride numbers after the other: the transpose of a tape's rows.
template <class T, int Stride>
struct Transposed {
  const T* at;
  LONGSHORT_INLINE const T& operator()(int r, std::int64_t k) const { return at[k * Stride + r]; }
};

// The same with the distance known only when the program runs.
template <class T>
struct TransposedRows {
  const T* at;
  std::int64_t stride;
  LONGSHORT_INLINE const T& operator()(int r, std::int64_t k) const { return at[k * stride + r]; }
};

// sums[r][first + c] += sum over k < depth of left(r, k) * right[k][c], rows of `right` being `Width` vectors apart. An
// element P of both sides is a number, or a pair whose two products are added.
template <class T, int R, int C, int Width = C, int Columns, class Left, class P>
LONGSHORT_INLINE void multiply(Vec<T> (&sums)[R][Columns], int first, const Left& left, std::int64_t depth,
                               const P* right) {
  // Too few sums to hide the latency of an addition are kept in several copies, added up at the end.
  constexpr int copies = R * C >= 8 ? 1 : (7 + R * C) / (R * C);
  constexpr int step = Width * kLanes<T>;
  if constexpr (copies == 1) {
    for (std::int64_t k = 0; k < depth; ++k, right += step) {
      decltype(load(right)) row[C];
      LONGSHORT_UNROLL for (int c = 0; c < C; ++c) row[c] = load(right + c * kLanes<T>);
      LONGSHORT_UNROLL for (int r = 0; r < R; ++r) {
        const auto value = splat(left(r, k));
        LONGSHORT_UNROLL for (int c = 0; c < C; ++c) add_product<T>(sums[r][first + c], value, row[c]);
      }
    }
  } else {
    Vec<T> copy[copies][R][C] = {};
    std::int64_t k = 0;
    for (; k + copies <= depth; k += copies, right += copies * step) {
      LONGSHORT_UNROLL for (int u = 0; u < copies; ++u) {
        LONGSHORT_UNROLL for (int r = 0; r < R; ++r) {
          const auto value = splat(left(r, k + u));
          LONGSHORT_UNROLL for (int c = 0; c < C; ++c) {
            add_product<T>(copy[u][r][c], value, load(right + u * step + c * kLanes<T>));
          }
        }
      }
    }
    for (; k < depth; ++k, right += step) {
      LONGSHORT_UNROLL for (int r = 0; r < R; ++r) {
        const auto value = splat(left(r, k));
        LONGSHORT_UNROLL for (int c = 0; c < C; ++c) add_product<T>(copy[0][r][c], value, load(right + c * kLanes<T>));
      }
    }
    LONGSHORT_UNROLL for (int u = 0; u < copies; ++u) {
      LONGSHORT_UNROLL for (int r = 0; r < R; ++r) {
        LONGSHORT_UNROLL for (int c = 0; c < C; ++c) sums[r][first + c] += copy[u][r][c];
      }
    }
  }
}

// to = start + rows times a packed right-hand side, for R rows and one panel of two vectors of columns; start is null
// for zeros.
template <class T, class P = T>
struct RowTile {
  static constexpr int lanes = kLanes<T>;
  static constexpr int most = kSums / 4 < 6 ? 6 : kSums / 4;

  template <int R>
  struct Rows {
    static void run(const P* const* from, std::int64_t depth, const P* right, const T* start, T* const* to,
                    std::int64_t columns) {
      Vec<T> sums[R][2] = {};
      const P* places[R];
      LONGSHORT_UNROLL for (int r = 0; r < R; ++r) {
        places[r] = from[r];
        if (start != nullptr) {
          LONGSHORT_UNROLL for (int c = 0; c < 2; ++c) sums[r][c] = load(start + c * lanes);
        }
      }
      multiply<T, R, 2>(sums, 0, Scattered<P>{places}, depth, right);
      LONGSHORT_UNROLL for (int r = 0; r < R; ++r) {
        LONGSHORT_UNROLL for (int c = 0; c < 2; ++c) store(to[r] + c * lanes, sums[r][c], columns - c * lanes);
      }
    }
  };
};

// Calls Tile<1>, ..., Tile<Most> by number of rows: functions of the same type, compiled for each.
template <template <int> class Tile, int Most, class... Arguments>
LONGSHORT_INLINE void by_rows(int rows, Arguments... arguments) {
  using Function = void (*)(Arguments...);
  static constexpr auto table = []<std::size_t... K>(std::index_sequence<K...>) {
    return std::array<Function, Most>{&Tile<static_cast<int>(K) + 1>::run...};
  }(std::make_index_sequence<Most>());
  table[rows - 1](arguments...);
}

// Cuts [begin, end) into as few pieces of at most `most` as there must be, of even sizes: piece(from, to).
template <class Piece>
LONGSHORT_INLINE void in_pieces(std::int64_t begin, std::int64_t end, int most, const Piece& piece) {
  const std::int64_t n = end - begin;
  if (n <= 0) return;
  const std::int64_t pieces = (n + most - 1) / most;
  for (std::int64_t k = 0; k < pieces; ++k) piece(begin + n * k / pieces, begin + n * (k + 1) / pieces);
}

}  // namespace longshort::LONGSHORT_ISA
