/**
 * IEEE 754 half precision as 16-bit patterns: how exported tables can be stored at half the size. Node has no
 * Float16Array before version 24.
 */

const float = new Float32Array(1);
const bits = new Uint32Array(float.buffer);

/** Bits of the half nearest to `value`, ties to even; beyond ±65504 (rounded) it is infinite. */
export const toHalf = (value: number): number => {
  float[0] = value;
  const x = bits[0]!;
  const sign = (x >>> 16) & 0x8000;
  const exponent = (x >>> 23) & 0xff;
  const mantissa = x & 0x7fffff;
  if (exponent === 0xff) return sign | 0x7c00 | (mantissa === 0 ? 0 : 0x200);
  const unbiased = exponent - 127;
  if (unbiased >= 16) return sign | 0x7c00;
  // Normal halves keep 10 bits of the mantissa; subnormal ones shift its implicit 1 further down.
  const subnormal = unbiased < -14;
  if (subnormal && unbiased < -25) return sign;
  const shift = subnormal ? 13 + (-14 - unbiased) : 13;
  const significand = subnormal ? mantissa | 0x800000 : mantissa;
  const base = subnormal ? significand >>> shift : ((unbiased + 15) << 10) | (significand >>> shift);
  const rest = significand & ((1 << shift) - 1);
  const half = 1 << (shift - 1);
  // A carry out of the mantissa rightly raises the exponent.
  return sign | (base + (rest > half || (rest === half && (base & 1) === 1) ? 1 : 0));
};

/** Value of a half's bits. */
export const fromHalf = (half: number): number => {
  const sign = half & 0x8000 ? -1 : 1;
  const exponent = (half >>> 10) & 0x1f;
  const mantissa = half & 0x3ff;
  if (exponent === 0) return sign * mantissa * 2 ** -24;
  if (exponent === 0x1f) return mantissa === 0 ? sign * Infinity : NaN;
  return sign * (1 + mantissa / 1024) * 2 ** (exponent - 15);
};

/** Each value's half, as bits. */
export const toHalves = (values: Float32Array): Uint16Array => Uint16Array.from(values, toHalf);
