/** Two rounds of a 32-bit mix (Wellons, lowbias32): the start of a step's stream. */
const mix = (value: number): number => {
  let x = Math.imul(value ^ (value >>> 16), 0x21f0aaad);
  x = Math.imul(x ^ (x >>> 15), 0x735a2d97);
  return x ^ (x >>> 15);
};

/**
 * Fills a dropout mask: each entry 0 with probability `rate`, else `1 / (1 − rate)` (inverted dropout, Srivastava et al.
 * 2014). A pure function of seed, step and `stream` (the index of the dropout in its model). The rate is kept to 1 / 65536.
 */
export const fillDropoutMask = (mask: Float32Array, rate: number, seed: number, step: number, stream: number): void => {
  const threshold = Math.round(rate * 65536);
  const kept = 65536 / (65536 - threshold);
  // xorshift128 (Marsaglia 2003): two 16-bit draws a word.
  let a = mix(seed ^ 0x9e3779b9);
  let b = mix(a + step);
  let c = mix(b + stream);
  let d = mix(c ^ seed) | 1;
  const count = mask.length;
  for (let i = 0; i < count; i += 2) {
    let t = a ^ (a << 11);
    t ^= t >>> 8;
    a = b;
    b = c;
    c = d;
    d ^= (d >>> 19) ^ t;
    mask[i] = (d & 0xffff) < threshold ? 0 : kept;
    // Writing one past an odd end is ignored by typed arrays.
    mask[i + 1] = d >>> 16 < threshold ? 0 : kept;
  }
};
