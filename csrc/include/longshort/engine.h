// The recurrent core: one layer in one direction, forward and backward, on raw pointers.
//
// Knows no framework. All arrays are the caller's, are never kept beyond the call, and must not overlap unless said.
// Shapes: T steps, B sequences, I inputs, H hidden units, all at least 1, and G gates (blocks of H rows in a weight);
// row-major.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace longshort {

enum class Cell { rnn_tanh, rnn_relu, gru, lstm };

// Gates of a cell: blocks of rows in its weights, in PyTorch's order (LSTM i f g o, GRU r z n, RNN one).
int gates(Cell cell);
// Whether a cell carries a cell state c beside its hidden state h.
bool has_memory(Cell cell);

// The parameters of a layer. Biases may be null, both at once. With a projection (LSTM only), the hidden state is the
// projection of the cell's output and has R = P elements, else R = H.
template <class T>
struct Weights {
  const T* input;       // (G H, I)
  const T* recurrent;   // (G H, R)
  const T* input_bias;  // (G H)
  const T* recurrent_bias;
  const T* projection = nullptr;  // (P, H)
};

// Their gradients, written, not added to.
template <class T>
struct WeightGradients {
  T* input;
  T* recurrent;
  T* input_bias;
  T* recurrent_bias;
  T* projection = nullptr;
};

// Sequences in memory: step t of sequence b begins at data + t * step + b * sequence and is contiguous from there.
template <class T>
struct Sequences {
  T* data;
  std::ptrdiff_t step;
  std::ptrdiff_t sequence;
};

// What is computed. lengths holds the valid steps of each sequence, 1 to T, or is null where all have T.
struct Shape {
  Cell cell;
  std::int64_t steps, batch, input, hidden;
  const std::int64_t* lengths;
  bool reverse;                // from each sequence's last valid step to its first
  int threads;                 // at most so many
  std::int64_t projected = 0;  // P, or 0 for no projection

  std::int64_t output() const { return projected > 0 ? projected : hidden; }  // R
};

// Numbers that the tape of a layer takes: what forward leaves for backward. For N = T B steps these are
// N (S + M + J) H', with S = 4 for LSTM and GRU, 1 for the RNNs, M = 1 for the LSTM, else 0, J = 1 with a projection,
// else 0, and H' = H rounded up to whole panels of vectors (at most 64 units), and a header. With lengths, only the
// valid steps' share of it is touched.
template <class T>
std::int64_t tape_size(const Shape& shape);
constexpr std::int64_t kTapeHeader = 64;  // bytes

// Runs a layer.
//   x       (T, B, I)
//   h0, c0  (B, R) and (B, H), or null for zeros; c0 is null for a cell without memory
//   y       (T, B, R), written; 0 at padded steps
//   hn, cn  as h0 and c0, written: the state after each sequence's last computed step
//   tape    tape_size(shape) numbers, written; or null: no backward will follow
// Throws std::invalid_argument if a length is not among 1 to T.
template <class T>
void forward(const Shape& shape, const Weights<T>& weights, Sequences<const T> x, const T* h0, const T* c0,
             Sequences<T> y, T* hn, T* cn, T* tape);

// Gradients of a loss from those of forward's results.
//   y             as forward wrote it
//   tape          as forward wrote it. It is overwritten; called with it again, backward runs forward once more.
//   dy, dhn, dcn  as y, hn, cn; each may be null for zeros
//   dx            as x, written, 0 at padded steps; dx.data may be null: not asked
//   dh0, dc0      as h0 and c0, written; each may be null: not asked
template <class T>
void backward(const Shape& shape, const Weights<T>& weights, Sequences<const T> x, const T* h0, const T* c0,
              Sequences<const T> y, T* tape, Sequences<const T> dy, const T* dhn, const T* dcn, Sequences<T> dx,
              WeightGradients<T> dw, T* dh0, T* dc0);

// A layer that is run one step at a time, in one thread. Copies the weights; holds the state.
template <class T>
class Stream {
 public:
  virtual ~Stream() = default;
  // x (B, I), y (B, H): one step.
  virtual void step(const T* x, T* y) = 0;
  // Copies the state out or in, (B, H) each; c is null for a cell without memory.
  virtual void read(T* h, T* c) const = 0;
  virtual void write(const T* h, const T* c) = 0;
};

template <class T>
std::unique_ptr<Stream<T>> stream(Cell cell, std::int64_t batch, std::int64_t input, std::int64_t hidden,
                                  const Weights<T>& weights);

// The instruction set in use: the widest that machine and build know, or a lower one that the environment variable
// LONGSHORT_ISA names ("baseline", "avx2", "avx512").
std::string instruction_set();
// Those that this machine can run, lowest first.
std::vector<std::string> instruction_sets();
// Use one of them from now on. Throws std::invalid_argument.
void use_instruction_set(const std::string& name);

}  // namespace longshort
