// The valid steps of a batch as numbered rows.
#pragma once

#include <algorithm>
#include <cstdint>
#include <numeric>
#include <vector>

#include "kernels.h"

namespace longshort {

inline std::int64_t length_of(const Shape& shape, std::int64_t b) {
  return shape.lengths != nullptr ? shape.lengths[b] : shape.steps;
}

// Some sequences of a batch, the longest first, and their valid steps numbered step by step: row(t, j) is step t of
// the j-th sequence. At each step only the sequences that are still running have a row, so padding has none. Of a part
// of a layer, steps are counted from where it begins; each sequence has one at least.
class Rows {
 public:
  Rows(const Part& part, std::vector<std::int64_t> sequences)
      : sequence_(std::move(sequences)), begin_(part.first), reverse_(part.reverse) {
    std::stable_sort(sequence_.begin(), sequence_.end(),
                     [&](auto a, auto b) { return length_of(part, a) > length_of(part, b); });
    for (const auto b : sequence_) {
      whole_.push_back(length_of(part, b));
      length_.push_back(std::min(whole_.back(), part.last) - part.first);
    }
    const std::int64_t longest = length_.empty() ? 0 : length_.front();
    first_.reserve(longest + 1);
    first_.push_back(0);
    std::int64_t running = count();
    for (std::int64_t t = 0; t < longest; ++t) {
      while (length_[running - 1] <= t) --running;
      first_.push_back(first_.back() + running);
    }
  }

  std::int64_t steps() const { return static_cast<std::int64_t>(first_.size()) - 1; }  // of the longest
  std::int64_t count() const { return static_cast<std::int64_t>(sequence_.size()); }
  std::int64_t total() const { return first_.back(); }
  std::int64_t running(std::int64_t t) const { return t < steps() ? first_[t + 1] - first_[t] : 0; }
  std::int64_t row(std::int64_t t, std::int64_t j) const { return first_[t] + j; }
  std::int64_t sequence(std::int64_t j) const { return sequence_[j]; }
  std::int64_t length(std::int64_t j) const { return length_[j]; }
  bool ends(std::int64_t j) const { return begin_ + length_[j] == whole_[j]; }  // or goes on behind this part
  std::int64_t valid(std::int64_t j) const { return whole_[j]; }                // steps, in all parts

  // Where step t of the j-th sequence stands in memory.
  template <class T>
  T* at(const Sequences<T>& s, std::int64_t t, std::int64_t j) const {
    const std::int64_t time = reverse_ ? whole_[j] - 1 - begin_ - t : begin_ + t;
    return s.data + time * s.step + sequence_[j] * s.sequence;
  }

 private:
  std::vector<std::int64_t> sequence_, length_, whole_, first_;
  std::int64_t begin_;
  bool reverse_;
};

// Share `part` of `parts` of n things: [first, second).
inline std::pair<std::int64_t, std::int64_t> share(std::int64_t n, int part, int parts) {
  return {n * part / parts, n * (part + 1) / parts};
}

}  // namespace longshort
