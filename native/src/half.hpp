#pragma once
#include <cstdint>
#include <cstring>

namespace onefold {

// Bits of the half nearest to a float, ties to even: src/kernels/half-precision.ts.
inline uint16_t toHalf(float value) {
  uint32_t x;
  std::memcpy(&x, &value, 4);
  const uint32_t sign = (x >> 16) & 0x8000u;
  const uint32_t exponent = (x >> 23) & 0xffu;
  const uint32_t mantissa = x & 0x7fffffu;
  if (exponent == 0xff) return static_cast<uint16_t>(sign | 0x7c00u | (mantissa == 0 ? 0 : 0x200u));
  const int unbiased = static_cast<int>(exponent) - 127;
  if (unbiased >= 16) return static_cast<uint16_t>(sign | 0x7c00u);
  const bool subnormal = unbiased < -14;
  if (subnormal && unbiased < -25) return static_cast<uint16_t>(sign);
  const uint32_t shift = subnormal ? static_cast<uint32_t>(-1 - unbiased) : 13;
  const uint32_t significand = subnormal ? (mantissa | 0x800000u) : mantissa;
  const uint32_t base = subnormal ? significand >> shift : (static_cast<uint32_t>(unbiased + 15) << 10) | (significand >> shift);
  const uint32_t rest = significand & ((1u << shift) - 1);
  const uint32_t half = 1u << (shift - 1);
  return static_cast<uint16_t>(sign | (base + (rest > half || (rest == half && (base & 1)) ? 1 : 0)));
}

}  // namespace onefold
