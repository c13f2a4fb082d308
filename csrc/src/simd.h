// Vectors of the instruction set that this is compiled for. Included by kernels.cpp alone, once for each.
#pragma once

#include <cstdint>
#include <cstring>
#include <type_traits>
#include <utility>

#if defined(__AVX2__)
#include <immintrin.h>
#endif

#if !defined(LONGSHORT_ISA)
#error "LONGSHORT_ISA and LONGSHORT_VECTOR_BYTES are set by the build"
#endif

#define LONGSHORT_INLINE inline __attribute__((always_inline))
#define LONGSHORT_UNROLL _Pragma("GCC unroll 32")

namespace longshort::LONGSHORT_ISA {

constexpr int kVectorBytes = LONGSHORT_VECTOR_BYTES;

template <class T>
struct Bits;
template <>
struct Bits<float> {
  using Integer = std::int32_t;
  static constexpr int mantissa = 23;
  static constexpr Integer bias = 127;
};
template <>
struct Bits<double> {
  using Integer = std::int64_t;
  static constexpr int mantissa = 52;
  static constexpr Integer bias = 1023;
};

template <class T>
struct VectorOf {
  typedef T type __attribute__((vector_size(LONGSHORT_VECTOR_BYTES)));
  typedef typename Bits<T>::Integer integer __attribute__((vector_size(LONGSHORT_VECTOR_BYTES)));
};

template <class T>
using Vec = typename VectorOf<T>::type;
template <class T>
using IntVec = typename VectorOf<T>::integer;

// Numbers in a vector.
template <class T>
constexpr int kLanes = kVectorBytes / static_cast<int>(sizeof(T));

template <class T>
LONGSHORT_INLINE Vec<T> splat(T value) {
  return Vec<T>{} + value;
}

template <class T>
LONGSHORT_INLINE Vec<T> load(const T* from) {
  Vec<T> v;
  std::memcpy(&v, from, sizeof v);
  return v;
}

template <class T>
LONGSHORT_INLINE void store(T* to, Vec<T> v) {
  std::memcpy(to, &v, sizeof v);
}

// A part of a vector: the first n numbers, 0 <= n < kLanes<T>; the others are not touched in memory, and read as 0.
#if defined(__AVX512F__)
LONGSHORT_INLINE Vec<float> load_part(const float* from, int n) {
  return reinterpret_cast<Vec<float>>(_mm512_maskz_loadu_ps(static_cast<__mmask16>((1u << n) - 1), from));
}
LONGSHORT_INLINE Vec<double> load_part(const double* from, int n) {
  return reinterpret_cast<Vec<double>>(_mm512_maskz_loadu_pd(static_cast<__mmask8>((1u << n) - 1), from));
}
LONGSHORT_INLINE void store_part(float* to, Vec<float> v, int n) {
  _mm512_mask_storeu_ps(to, static_cast<__mmask16>((1u << n) - 1), reinterpret_cast<__m512>(v));
}
LONGSHORT_INLINE void store_part(double* to, Vec<double> v, int n) {
  _mm512_mask_storeu_pd(to, static_cast<__mmask8>((1u << n) - 1), reinterpret_cast<__m512d>(v));
}
#elif defined(__AVX2__)
template <class T>
LONGSHORT_INLINE __m256i first(int n) {
  IntVec<T> mask;
  for (int k = 0; k < kLanes<T>; ++k) mask[k] = k < n ? -1 : 0;
  return reinterpret_cast<__m256i>(mask);
}
LONGSHORT_INLINE Vec<float> load_part(const float* from, int n) {
  return reinterpret_cast<Vec<float>>(_mm256_maskload_ps(from, first<float>(n)));
}
LONGSHORT_INLINE Vec<double> load_part(const double* from, int n) {
  return reinterpret_cast<Vec<double>>(_mm256_maskload_pd(from, first<double>(n)));
}
LONGSHORT_INLINE void store_part(float* to, Vec<float> v, int n) {
  _mm256_maskstore_ps(to, first<float>(n), reinterpret_cast<__m256>(v));
}
LONGSHORT_INLINE void store_part(double* to, Vec<double> v, int n) {
  _mm256_maskstore_pd(to, first<double>(n), reinterpret_cast<__m256d>(v));
}
#else
template <class T>
LONGSHORT_INLINE Vec<T> load_part(const T* from, int n) {
  Vec<T> v{};
  for (int k = 0; k < n; ++k) v[k] = from[k];
  return v;
}
template <class T>
LONGSHORT_INLINE void store_part(T* to, Vec<T> v, int n) {
  for (int k = 0; k < n; ++k) to[k] = v[k];
}
#endif

// The first n numbers; n may be more than a vector holds, or negative.
template <class T>
LONGSHORT_INLINE Vec<T> load(const T* from, std::int64_t n) {
  if (n >= kLanes<T>) return load(from);
  return n <= 0 ? Vec<T>{} : load_part(from, static_cast<int>(n));
}

template <class T>
LONGSHORT_INLINE void store(T* to, Vec<T> v, std::int64_t n) {
  if (n >= kLanes<T>) return store(to, v);
  if (n > 0) store_part(to, v, static_cast<int>(n));
}

// v with all but the first n numbers set to 0, whatever they were.
template <class T>
LONGSHORT_INLINE Vec<T> keep(Vec<T> v, std::int64_t n) {
  if (n >= kLanes<T>) return v;
  for (std::int64_t k = n < 0 ? 0 : n; k < kLanes<T>; ++k) v[k] = 0;
  return v;
}

// Turns a square of vectors: v[r][l] becomes v[l][r]. Each round exchanges one bit of the row with one of the lane.
template <int Bit, int Lanes, class V, std::size_t... K>
LONGSHORT_INLINE void exchange(V& low, V& high, std::index_sequence<K...>) {
  const V a = low, b = high;
  low = __builtin_shufflevector(a, b, (K & Bit ? Lanes + K - Bit : K)...);
  high = __builtin_shufflevector(a, b, (K & Bit ? Lanes + K : K + Bit)...);
}

template <class T, int Bit = 1>
LONGSHORT_INLINE void transpose(Vec<T> (&v)[kLanes<T>]) {
  constexpr int lanes = kLanes<T>;
  LONGSHORT_UNROLL for (int r = 0; r < lanes; ++r) {
    if (!(r & Bit)) exchange<Bit, lanes>(v[r], v[r | Bit], std::make_index_sequence<lanes>());
  }
  if constexpr (2 * Bit < lanes) transpose<T, 2 * Bit>(v);
}

// -- bfloat16
// ----------------------------------------------------------------------------------------------------------

// Two bfloat16, the first one in the low half: an element of a product whose two sides are rounded.
struct Pair {
  std::uint32_t bits;
};
typedef std::uint32_t Pairs __attribute__((vector_size(LONGSHORT_VECTOR_BYTES)));
template <>
struct VectorOf<Pair> {
  typedef Pairs type;
};

// Numbers in an element of a product.
template <class P>
constexpr int kPer = std::is_same_v<P, Pair> ? 2 : 1;

LONGSHORT_INLINE Pairs splat(Pair value) { return Pairs{} + value.bits; }

// sum += a b, of pairs both products.
template <class T>
LONGSHORT_INLINE void add_product(Vec<T>& sum, Vec<T> a, Vec<T> b) {
  sum += a * b;
}
#if defined(__AVX512BF16__)
template <class T>
LONGSHORT_INLINE void add_product(Vec<float>& sum, Pairs a, Pairs b) {
  sum = reinterpret_cast<Vec<float>>(
      _mm512_dpbf16_ps(reinterpret_cast<__m512>(sum), reinterpret_cast<__m512bh>(a), reinterpret_cast<__m512bh>(b)));
}
#endif

// The nearest bfloat16 to each number, in the low half of 32 bits.
LONGSHORT_INLINE Pairs rounded(Vec<float> v) {
  Pairs bits;
  std::memcpy(&bits, &v, sizeof bits);
  const Pairs nearest = (bits + (0x7fff + ((bits >> 16) & 1))) >> 16;
  return v == v ? nearest : (bits >> 16) | 0x40;  // NaN stays NaN
}

LONGSHORT_INLINE Pairs paired(Vec<float> first, Vec<float> second) { return rounded(first) | rounded(second) << 16; }

// Numbers side by side in memory as bfloat16, and back.
typedef std::uint16_t Halves __attribute__((vector_size(LONGSHORT_VECTOR_BYTES / 2)));
LONGSHORT_INLINE void store_rounded(std::uint16_t* to, Vec<float> v) {
  const Halves halves = __builtin_convertvector(rounded(v), Halves);
  std::memcpy(to, &halves, sizeof halves);
}
LONGSHORT_INLINE Pairs load_halves(const std::uint16_t* from) {
  Halves halves;
  std::memcpy(&halves, from, sizeof halves);
  return __builtin_convertvector(halves, Pairs);
}
LONGSHORT_INLINE Vec<float> load_rounded(const std::uint16_t* from) {
  const Pairs bits = load_halves(from) << 16;
  Vec<float> v;
  std::memcpy(&v, &bits, sizeof v);
  return v;
}

// -- functions
// ---------------------------------------------------------------------------------------------------------

// exp(x) - 1 = scale * reduced + (scale - 1), for x of moderate size: the two parts of Cody and Waite's reduction.
template <class V>
struct Exponential {
  V scale;    // 2^n
  V reduced;  // exp(r) - 1, |r| <= ln 2 / 2
};

LONGSHORT_INLINE Vec<float> reduced_exponential(Vec<float> r) {  // Cephes' expf, relative error 2e-7
  Vec<float> p = splat(1.9875691500e-4f);
  p = p * r + 1.3981999507e-3f;
  p = p * r + 8.3334519073e-3f;
  p = p * r + 4.1665795894e-2f;
  p = p * r + 1.6666665459e-1f;
  p = p * r + 5.0000001201e-1f;
  return r * r * p + r;
}

LONGSHORT_INLINE Vec<double> reduced_exponential(Vec<double> r) {  // Taylor's series to r^13, relative error 2e-16
  Vec<double> p = splat(1.0 / 6227020800.0);
  p = p * r + 1.0 / 479001600.0;
  p = p * r + 1.0 / 39916800.0;
  p = p * r + 1.0 / 3628800.0;
  p = p * r + 1.0 / 362880.0;
  p = p * r + 1.0 / 40320.0;
  p = p * r + 1.0 / 5040.0;
  p = p * r + 1.0 / 720.0;
  p = p * r + 1.0 / 120.0;
  p = p * r + 1.0 / 24.0;
  p = p * r + 1.0 / 6.0;
  p = p * r + 0.5;
  return r * r * p + r;
}

template <class T>
LONGSHORT_INLINE Exponential<Vec<T>> exponential(Vec<T> x) {
  using B = Bits<T>;
  // Adding 1.5 * 2^mantissa rounds to the nearest integer, which then stands in the low bits.
  constexpr T magic = static_cast<T>(3) * static_cast<T>(typename B::Integer{1} << (B::mantissa - 1));
  constexpr T high = sizeof(T) == 4 ? T(0.693359375) : T(6.93145751953125e-1);
  constexpr T low = sizeof(T) == 4 ? T(-2.12194440e-4) : T(1.42860682030941723212e-6);
  const Vec<T> shifted = x * T(1.44269504088896340736) + magic;
  const Vec<T> n = shifted - magic;
  const Vec<T> r = (x - n * high) - n * low;
  IntVec<T> integer;
  std::memcpy(&integer, &shifted, sizeof integer);
  const IntVec<T> exponent = (integer + B::bias) << B::mantissa;  // the bits of `magic` above are shifted out
  Vec<T> scale;
  std::memcpy(&scale, &exponent, sizeof scale);
  return {scale, reduced_exponential(r)};
}

// NaN stays NaN: a comparison with it is false.
template <class T>
LONGSHORT_INLINE Vec<T> clamp(Vec<T> x, T bound) {
  x = x > bound ? splat(bound) : x;
  return x < -bound ? splat(-bound) : x;
}

template <class T>
LONGSHORT_INLINE Vec<T> sigmoid(Vec<T> x) {
  const auto e = exponential<T>(clamp<T>(-x, sizeof(T) == 4 ? T(87) : T(700)));
  return T(1) / ((e.scale * e.reduced + e.scale) + T(1));
}

template <class T>
LONGSHORT_INLINE Vec<T> tanh(Vec<T> x) {
  const auto e = exponential<T>(clamp<T>(x + x, sizeof(T) == 4 ? T(30) : T(60)));
  const Vec<T> less_one = e.scale * e.reduced + (e.scale - T(1));
  return less_one / (less_one + T(2));
}

}  // namespace longshort::LONGSHORT_ISA
