// Training in bounded memory: the tape holds the states at the borders of chunks of steps, and backward runs forward
// once more, chunk by chunk, from the last to the first.
#pragma once

#include <algorithm>
#include <vector>

#include "kernels.h"
#include "longshort/memory.h"

namespace longshort {

inline bool in_chunks(const Shape& shape) { return shape.chunk > 0 && shape.chunk < shape.steps; }

inline std::int64_t chunks(const Shape& shape) { return (shape.steps + shape.chunk - 1) / shape.chunk; }

inline Part chunk(const Shape& shape, std::int64_t k) {
  Part part(shape);
  part.first = k * shape.chunk;
  part.last = std::min(part.first + shape.chunk, shape.steps);
  return part;
}

// Whether some sequence has steps in it.
inline bool runs(const Part& part) {
  const auto* lengths = part.lengths;
  return lengths == nullptr || std::any_of(lengths, lengths + part.batch, [&](auto n) { return n > part.first; });
}

// Numbers of h and of c at a border.
inline std::int64_t hidden_numbers(const Shape& shape) { return shape.batch * shape.output(); }
inline std::int64_t memory_numbers(const Shape& shape) {
  return has_memory(shape.cell) ? shape.batch * shape.hidden : 0;
}

template <class T>
std::int64_t chunked_tape_bytes(const Shape& shape) {
  return chunks(shape) * (hidden_numbers(shape) + memory_numbers(shape)) * static_cast<std::int64_t>(sizeof(T));
}

// The state before a chunk, on the tape.
template <class T>
T* border(const Shape& shape, void* tape, std::int64_t k) {
  T* first = reinterpret_cast<T*>(static_cast<char*>(tape) + kTapeHeader);
  return first + k * (hidden_numbers(shape) + memory_numbers(shape));
}

template <class T>
void copy_or_zero(const T* from, std::int64_t n, T* to) {
  from != nullptr ? std::copy_n(from, n, to) : std::fill_n(to, n, T(0));
}

template <class T>
void chunked_forward(const Kernels<T>& own, const Shape& shape, const Weights<T>& weights, Input<T> input,
                     const Output<T>& output, void* tape) {
  const std::int64_t h = hidden_numbers(shape), c = memory_numbers(shape);
  copy_or_zero(input.h0, h, output.hn);
  if (c > 0) copy_or_zero(input.c0, c, output.cn);
  input.h0 = output.hn;
  input.c0 = output.cn;
  for (std::int64_t k = 0; k < chunks(shape); ++k) {
    const Part part = chunk(shape, k);
    T* state = border<T>(shape, tape, k);
    std::copy_n(output.hn, h, state);
    if (c > 0) std::copy_n(output.cn, c, state + h);
    if (runs(part)) own.forward(part, weights, input, output, nullptr);
  }
}

// One chunk's share of a gradient is added to those of the chunks behind it.
template <class T>
class Accumulated {
 public:
  Accumulated(const Shape& shape, const WeightGradients<T>& to) : to_(to), part_(to) {
    const std::int64_t rows = gates(shape.cell) * shape.hidden;
    add(&Parameters<T>::input, rows * shape.input);
    add(&Parameters<T>::recurrent, rows * shape.output());
    for (const auto bias : {&Parameters<T>::input_bias, &Parameters<T>::recurrent_bias}) add(bias, rows);
    add(&Parameters<T>::projection, shape.projected * shape.hidden);
    add(&Parameters<T>::peephole, peepholes(shape.cell) * shape.hidden);
    for (const auto gain : {&Parameters<T>::input_gain, &Parameters<T>::recurrent_gain}) add(gain, rows);
    for (const auto one : {&Parameters<T>::memory_gain, &Parameters<T>::memory_bias}) add(one, shape.hidden);
  }

  const WeightGradients<T>& part() const { return part_; }

  void add_part() {
    for (const auto& [member, memory] : arrays_) {
      for (std::size_t k = 0; k < memory.size(); ++k) (to_.*member)[k] += memory[k];
    }
  }

 private:
  using Member = T* Parameters<T>::*;

  void add(Member member, std::int64_t size) {
    if (to_.*member == nullptr) return;
    std::fill_n(to_.*member, size, T(0));
    arrays_.emplace_back(member, Array<T>(size));
    part_.*member = arrays_.back().second.data();
  }

  WeightGradients<T> to_, part_;
  std::vector<std::pair<Member, Array<T>>> arrays_;
};

template <class T>
void chunked_backward(const Kernels<T>& own, const Shape& shape, const Weights<T>& weights, Input<T> input,
                      Sequences<const T> y, void* tape, OutputGradients<T> given, InputGradients<T> asked,
                      const WeightGradients<T>& dw) {
  const std::int64_t h = hidden_numbers(shape), c = memory_numbers(shape);
  Part longest(shape);
  longest.steps = shape.chunk;
  Array<char> own_tape(kTapeHeader + own.tape_bytes(longest));
  Array<T> state(h + c), carried(h + c);
  const Output<T> again{
      {const_cast<T*>(y.data), y.step, y.sequence}, state.data(), state.data() + h};  // the same numbers
  copy_or_zero(given.hn, h, carried.data());
  copy_or_zero(given.cn, c, carried.data() + h);
  T *dh0 = asked.h0, *dc0 = asked.c0;
  given.hn = asked.h0 = carried.data();
  given.cn = asked.c0 = c > 0 ? carried.data() + h : nullptr;
  Accumulated<T> parameters(shape, dw);
  for (std::int64_t k = chunks(shape) - 1; k >= 0; --k) {
    const Part part = chunk(shape, k);
    if (!runs(part)) continue;
    input.h0 = border<T>(shape, tape, k);
    input.c0 = c > 0 ? input.h0 + h : nullptr;
    own.forward(part, weights, input, again, own_tape.data());
    own.backward(part, weights, input, y, own_tape.data(), given, asked, parameters.part());
    parameters.add_part();
  }
  if (dh0 != nullptr) std::copy_n(carried.data(), h, dh0);
  if (dc0 != nullptr) std::copy_n(carried.data() + h, c, dc0);
}

}  // namespace longshort
