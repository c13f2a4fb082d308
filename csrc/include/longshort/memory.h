// Aligned arrays whose memory is kept for the next one of about their size: the operating system hands out pages of
// zeros, which costs more than a small layer computes.
#pragma once

#include <cstddef>
#include <utility>

namespace longshort {

void* acquire_memory(std::size_t bytes);
void release_memory(void* memory);

// size numbers, not initialised, on a cache line's border.
template <class T>
class Array {
 public:
  Array() = default;
  explicit Array(std::size_t size) : data_(static_cast<T*>(acquire_memory(size * sizeof(T)))), size_(size) {}
  Array(Array&& other) noexcept : data_(std::exchange(other.data_, nullptr)), size_(std::exchange(other.size_, 0)) {}
  Array& operator=(Array&& other) noexcept {
    std::swap(data_, other.data_);
    std::swap(size_, other.size_);
    return *this;
  }
  ~Array() {
    if (data_ != nullptr) release_memory(data_);
  }

  T* data() { return data_; }
  const T* data() const { return data_; }
  std::size_t size() const { return size_; }
  T& operator[](std::size_t k) { return data_[k]; }
  const T& operator[](std::size_t k) const { return data_[k]; }

 private:
  T* data_ = nullptr;
  std::size_t size_ = 0;
};

}  // namespace longshort
