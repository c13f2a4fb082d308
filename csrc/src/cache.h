// Packed weights that are kept from one inference to the next.
//
// They are used only while the weights' contents are what they were: these are compared, number by number, which takes
// a fraction of the time that packing takes. So no change can be missed, however it was made.
#pragma once

#include <array>
#include <cstring>
#include <list>
#include <memory>
#include <mutex>

#include "layout.h"

namespace longshort::LONGSHORT_ISA {

template <class T, class S, class P>
class WeightCache {
 public:
  using L = Layout<T, S>;
  using Kept = Packed<T, S, P>;

  // What was packed from weights of these contents at this place; null where there is nothing, or they have changed.
  std::shared_ptr<Kept> find(const L& layout, const Weights<T>& weights) {
    std::shared_ptr<Entry> entry;
    {
      const std::unique_lock<std::mutex> lock(mutex_, std::try_to_lock);
      if (!lock) return nullptr;  // another thread is looking, or was when this process was forked off
      for (auto it = entries_.begin(); it != entries_.end() && !entry; ++it) {
        if (!(*it)->belongs(layout, weights)) continue;
        entry = *it;
        entries_.splice(entries_.begin(), entries_, it);
      }
    }
    return entry && entry->same(layout, weights) ? entry->packed : nullptr;
  }

  void keep(const L& layout, const Weights<T>& weights, std::shared_ptr<Kept> packed) {
    const auto parts = list(layout, weights);
    std::size_t size = 0;
    for (const auto& part : parts) size += part.size;
    if (size * sizeof(T) > kBytes / kEntries) return;
    auto entry = std::make_shared<Entry>(Entry{weights.input, layout.input, layout.hidden, Array<T>(size), packed});
    T* to = entry->contents.data();
    for (const auto& part : parts) to = std::copy_n(part.data, part.size, to);
    const std::unique_lock<std::mutex> lock(mutex_, std::try_to_lock);
    if (!lock) return;
    entries_.remove_if([&](const auto& other) { return other->belongs(layout, weights); });
    entries_.push_front(std::move(entry));
    if (entries_.size() > kEntries) entries_.pop_back();
  }

 private:
  static constexpr std::size_t kEntries = 16, kBytes = std::size_t{128} << 20;

  struct Part {
    const T* data;
    std::size_t size;
  };

  static std::array<Part, 4> list(const L& layout, const Weights<T>& weights) {
    const std::size_t rows = S::gates * layout.hidden, biases = weights.input_bias != nullptr ? rows : 0;
    return {Part{weights.input, rows * layout.input}, Part{weights.recurrent, rows * layout.output},
            Part{weights.input_bias, biases}, Part{weights.recurrent_bias, biases}};
  }

  struct Entry {
    const T* address;
    std::int64_t input, hidden;
    Array<T> contents;
    std::shared_ptr<Kept> packed;

    bool belongs(const L& layout, const Weights<T>& weights) const {
      return address == weights.input && input == layout.input && hidden == layout.hidden;
    }

    bool same(const L& layout, const Weights<T>& weights) const {
      const auto parts = list(layout, weights);
      std::size_t size = 0;
      for (const auto& part : parts) size += part.size;
      if (size != contents.size()) return false;
      const T* kept = contents.data();
      for (const auto& part : parts) {
        if (part.size > 0 && std::memcmp(kept, part.data, part.size * sizeof(T)) != 0) return false;
        kept += part.size;
      }
      return true;
    }
  };

  std::mutex mutex_;
  std::list<std::shared_ptr<Entry>> entries_;  // the last used first
};

}  // namespace longshort::LONGSHORT_ISA
