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

// The LSTM also with peepholes, with its input and forget gate coupled, and with layer normalisation: cells.h has the
// equations and their sources.
enum class Cell { rnn_tanh, rnn_relu, gru, lstm, peephole_lstm, coupled_lstm, coupled_peephole_lstm, layer_norm_lstm };
constexpr int kCells = 8;

// Gates of a cell: blocks of rows in its weights, in PyTorch's order (LSTM i f g o, coupled i g o, GRU r z n, RNN one).
int gates(Cell cell);
// Peepholes of a cell: from c to i, f and o; coupled, to i and o.
int peepholes(Cell cell);
// Whether a cell carries a cell state c beside its hidden state h.
bool has_memory(Cell cell);
// Whether a cell is normalised over its units.
bool is_normalized(Cell cell);

// The parameters of a layer; T is const T where they are read. Biases may be null, all at once. With a projection
// (LSTMs only), the hidden state is the projection of the cell's output and has R = P elements, else R = H.
template <class T>
struct Parameters {
  T* input;                 // (G H, I)
  T* recurrent;             // (G H, R)
  T* input_bias = nullptr;  // (G H)
  T* recurrent_bias = nullptr;
  T* projection = nullptr;      // (P, H)
  T* peephole = nullptr;        // (peepholes, H), of a cell that has some
  T* input_gain = nullptr;      // (G H), of a normalised cell, as all below: of the input's sums
  T* recurrent_gain = nullptr;  // (G H), of the recurrent sums
  T* memory_gain = nullptr;     // (H), of the cell state on its way out
  T* memory_bias = nullptr;     // (H)
};
template <class T>
using Weights = Parameters<const T>;
// The gradients of the parameters that there are, written, not added to.
template <class T>
using WeightGradients = Parameters<T>;

// Sequences in memory: step t of sequence b begins at data + t * step + b * sequence and is contiguous from there.
template <class T>
struct Sequences {
  T* data = nullptr;
  std::ptrdiff_t step = 0;
  std::ptrdiff_t sequence = 0;
};

// What is computed. lengths holds the valid steps of each sequence, 1 to T, or is null where all have T.
struct Shape {
  Cell cell;
  std::int64_t steps, batch, input, hidden;
  const std::int64_t* lengths = nullptr;
  bool reverse = false;        // from each sequence's last valid step to its first
  int threads = 1;             // at most so many
  std::int64_t projected = 0;  // P, or 0 for no projection
  // A tape that holds the states at every so many steps only, from which backward runs forward again; 0: all steps.
  std::int64_t chunk = 0;
  // Whether the products may round both of their sides to bfloat16, where the machine then is faster (float, LSTM and
  // GRU). Sums, gates and cell state stay float.
  bool rounds = false;

  std::int64_t output() const { return projected > 0 ? projected : hidden; }  // R
};

// What a layer reads.
template <class T>
struct Input {
  Sequences<const T> x;         // (T, B, I)
  const T* h0 = nullptr;        // (B, R), or null for zeros
  const T* c0 = nullptr;        // (B, H), or null for zeros; null for a cell without memory
  const T* h_mask = nullptr;    // (B, R), or null: factors of h on its way into the recurrent product
  Sequences<const T> h_zone{};  // (T, B, R), data may be null: the share of the last h that a step keeps, 0 to 1;
  Sequences<const T> c_zone{};  // (T, B, H): of the last c. Without a projection.
};

// What it gives.
template <class T>
struct Output {
  Sequences<T> y;   // (T, B, R); 0 at padded steps
  T* hn;            // as h0: the state after each sequence's last computed step
  T* cn = nullptr;  // as c0
};

// The gradients of a loss: given for a layer's results, each of which may be null for zeros,
template <class T>
struct OutputGradients {
  Sequences<const T> y{};
  const T* hn = nullptr;
  const T* cn = nullptr;
};

// and asked for what it reads, each of which may be null; written, 0 at padded steps.
template <class T>
struct InputGradients {
  Sequences<T> x{};
  T* h0 = nullptr;
  T* c0 = nullptr;
};

// Bytes that the tape of a layer takes: what forward leaves for backward. For N = T B steps these are
// N ((S + M + J) H' + K) numbers, with S = 4 for LSTM and GRU, 3 for the coupled, 8 for the normalised LSTM, 1 for the
// RNNs; M = 1 for the LSTMs, else 0; J = 1 with a projection, else 0; K = 4 for the normalised LSTM, else 0; and
// H' = H rounded up to whole panels of vectors (at most 64 units); and a header. With lengths, only the valid steps'
// share of it is touched. With chunks of n steps: for each chunk B (R + H) numbers, or B R without memory.
template <class T>
std::int64_t tape_bytes(const Shape& shape);
constexpr std::int64_t kTapeHeader = 64;  // bytes

// Runs a layer. tape: tape_bytes(shape) bytes, aligned to 64, written; or null: no backward will follow. hn and cn may
// be h0 and c0. Throws std::invalid_argument if a length is not among 1 to T.
template <class T>
void forward(const Shape& shape, const Weights<T>& weights, const Input<T>& input, const Output<T>& output, void* tape);

// Its gradients. y and tape are as forward wrote them; the tape is overwritten: called with it again, backward runs
// forward once more.
template <class T>
void backward(const Shape& shape, const Weights<T>& weights, const Input<T>& input, Sequences<const T> y, void* tape,
              const OutputGradients<T>& given, const InputGradients<T>& asked, const WeightGradients<T>& dw);

// The shares of the last state that all steps of a stream keep, those of a layer without a projection.
template <class T>
struct Zoneout {
  T h = 0, c = 0;
};

// A layer that is run one step at a time, in one thread. Copies the weights; holds the state, zeros at first. `rounds`
// is that of a Shape.
template <class T>
class Stream {
 public:
  virtual ~Stream() = default;
  // x (B, I), y (B, R): one step.
  virtual void step(const T* x, T* y) = 0;
  // Copies the state out or in, h (B, R) and c (B, H); c is null for a cell without memory.
  virtual void read(T* h, T* c) const = 0;
  virtual void write(const T* h, const T* c) = 0;
};

template <class T>
std::unique_ptr<Stream<T>> stream(Cell cell, std::int64_t batch, std::int64_t input, std::int64_t hidden,
                                  std::int64_t projected, const Weights<T>& weights, Zoneout<T> zoneout = {},
                                  bool rounds = false);

// A linear layer for the outputs of a stream, run again and again in one thread: y = x W' + b. Copies the weights.
template <class T>
class Readout {
 public:
  virtual ~Readout() = default;
  // x (B, I), y (B, O).
  virtual void run(std::int64_t batch, const T* x, T* y) = 0;
};

// weight (O, I), bias (O) or null for zeros; `rounds` is that of a Shape, in any layer.
template <class T>
std::unique_ptr<Readout<T>> readout(std::int64_t inputs, std::int64_t outputs, const T* weight, const T* bias,
                                    bool rounds = false);

// An OpenMP library's own functions: GOMP_parallel, omp_get_thread_num, omp_get_num_threads, omp_get_max_threads.
struct OpenMP {
  void (*parallel)(void (*work)(void*), void* data, unsigned threads, unsigned flags) = nullptr;
  int (*number)() = nullptr;
  int (*team)() = nullptr;
  int (*most)() = nullptr;
};
// Have calls that want several threads use that library's, from now on; not in a forked child, in which that library
// itself may hang. Without it, or where it has fewer than are wanted, they use threads of their own.
void borrow_threads(const OpenMP& library);

// The instruction set in use: the widest that machine and build know, or a lower one that the environment variable
// LONGSHORT_ISA names ("baseline", "avx2", "avx512").
std::string instruction_set();
// Those that this machine can run, lowest first.
std::vector<std::string> instruction_sets();
// Use one of them from now on. Throws std::invalid_argument.
void use_instruction_set(const std::string& name);

}  // namespace longshort
