// Vectors of the instruction set that this translation unit is compiled for. Everything here has internal linkage, and
// products are never fused with sums (-ffp-contract=off), so that every level gives the same bits.
#pragma once
#include <stddef.h>
#include <stdint.h>
#if defined(__x86_64__)
#include <immintrin.h>
#elif defined(__aarch64__)
#include <arm_neon.h>
#endif

namespace {

#if defined(__AVX512F__)
constexpr uint32_t LANES = 16;
#elif defined(__AVX2__)
constexpr uint32_t LANES = 8;
#else
constexpr uint32_t LANES = 4;
#endif

typedef float Vec __attribute__((vector_size(LANES * 4)));

inline Vec load(const float* from) {
  Vec value;
  __builtin_memcpy(&value, from, sizeof value);
  return value;
}

inline void store(float* to, Vec value) { __builtin_memcpy(to, &value, sizeof value); }

inline Vec broadcast(float value) { return Vec{} + value; }

inline Vec squareRoot(Vec value) {
#if defined(__AVX512F__)
  return (Vec)_mm512_sqrt_ps((__m512)value);
#elif defined(__AVX2__)
  return (Vec)_mm256_sqrt_ps((__m256)value);
#elif defined(__x86_64__)
  return (Vec)_mm_sqrt_ps((__m128)value);
#elif defined(__aarch64__)
  return (Vec)vsqrtq_f32((float32x4_t)value);
#else
  for (uint32_t i = 0; i < LANES; ++i) value[i] = __builtin_sqrtf(value[i]);
  return value;
#endif
}

// Value of a half's bits; exact, so every way of doing it agrees.
inline float fromHalf(uint16_t half) {
#if defined(__F16C__)
  return _mm_cvtss_f32(_mm_cvtph_ps(_mm_cvtsi32_si128(half)));
#elif defined(__aarch64__)
  __fp16 value;
  __builtin_memcpy(&value, &half, 2);
  return (float)value;
#else
  // The exponent is moved as it is and the value rescaled, which also turns subnormal halves into normal floats.
  const uint32_t magnitude = (uint32_t)(half & 0x7fff) << 13;
  uint32_t bits = magnitude;
  float value;
  __builtin_memcpy(&value, &bits, 4);
  value *= 0x1p112f;
  __builtin_memcpy(&bits, &value, 4);
  if ((half & 0x7c00) == 0x7c00) bits = 0x7f800000u | (magnitude & 0x7fffffu);
  bits |= (uint32_t)(half & 0x8000) << 16;
  __builtin_memcpy(&value, &bits, 4);
  return value;
#endif
}

inline Vec loadHalves(const uint16_t* from) {
#if defined(__AVX512F__)
  return (Vec)_mm512_cvtph_ps(_mm256_loadu_si256((const __m256i*)from));
#elif defined(__AVX2__)
  return (Vec)_mm256_cvtph_ps(_mm_loadu_si128((const __m128i*)from));
#else
  Vec value;
  for (uint32_t i = 0; i < LANES; ++i) value[i] = fromHalf(from[i]);
  return value;
#endif
}

inline Vec loadBytes(const uint8_t* from) {
#if defined(__AVX512F__)
  return (Vec)_mm512_cvtepi32_ps(_mm512_cvtepu8_epi32(_mm_loadu_si128((const __m128i*)from)));
#elif defined(__AVX2__)
  return (Vec)_mm256_cvtepi32_ps(_mm256_cvtepu8_epi32(_mm_loadl_epi64((const __m128i*)from)));
#else
  Vec value;
  for (uint32_t i = 0; i < LANES; ++i) value[i] = (float)from[i];
  return value;
#endif
}

// Into the second-level cache: it has many times the fill buffers of the first, and prefetching for reading suits rows that
// are written, too, as no other core holds them.
inline void prefetchBytes(const void* from, size_t bytes) {
  const char* line = (const char*)((uintptr_t)from & ~(uintptr_t)63);
  const char* end = (const char*)from + bytes;
  for (; line < end; line += 64) __builtin_prefetch(line, 0, 2);
}

// Rows that are fetched ahead of their use: a little more than the fetches that are under way at once.
constexpr uint32_t RING = 16;

}  // namespace
