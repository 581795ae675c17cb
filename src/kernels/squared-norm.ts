/** Partial sums run over blocks of this many floats, so that threads may take blocks without changing the order. */
export const NORM_BLOCK = 8192;

/**
 * Sum of squares in double precision: within a block eight running sums, float i to sum i mod 8; then the blocks' sums in
 * turn. Squares of floats are exact in double, so every implementation of this order gives the same bits.
 */
export const squaredNorm = (values: Float32Array): number => {
  let total = 0;
  const sums = new Float64Array(8);
  for (let start = 0; start < values.length; start += NORM_BLOCK) {
    const end = Math.min(start + NORM_BLOCK, values.length);
    sums.fill(0);
    for (let i = start; i < end; i += 1) {
      const value = values[i]!;
      sums[i & 7] = sums[i & 7]! + value * value;
    }
    total += sums[0]! + sums[4]! + (sums[2]! + sums[6]!) + (sums[1]! + sums[5]! + (sums[3]! + sums[7]!));
  }
  return total;
};
