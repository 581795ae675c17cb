const RADIX_BITS = 11;
const RADIX = 1 << RADIX_BITS;

/** Maps float bits to unsigned integers of the same order: flips all bits of negatives, only the sign of the rest. */
const orderedBits = (high: number): number => (high >>> 31 === 1 ? ~high >>> 0 : (high | 0x80000000) >>> 0);

const sortByKeys = (keys: Uint32Array, order: Uint32Array, spare: Uint32Array): [Uint32Array, Uint32Array] => {
  const count = keys.length;
  const starts = new Uint32Array(RADIX);
  let from = order;
  let to = spare;
  for (let shift = 0; shift < 32; shift += RADIX_BITS) {
    starts.fill(0);
    for (let i = 0; i < count; i++) starts[(keys[i]! >>> shift) & (RADIX - 1)]!++;
    // All keys share this digit: the pass would move nothing.
    if (count > 0 && starts[(keys[0]! >>> shift) & (RADIX - 1)] === count) continue;
    let start = 0;
    for (let digit = 0; digit < RADIX; digit++) {
      const size = starts[digit]!;
      starts[digit] = start;
      start += size;
    }
    for (let i = 0; i < count; i++) {
      const row = from[i]!;
      to[starts[(keys[row]! >>> shift) & (RADIX - 1)]!++] = row;
    }
    [from, to] = [to, from];
  }
  return [from, to];
};

/**
 * Row indices in ascending order of score; equal scores keep their row order. Least-significant-digit radix sort over
 * the float bits, O(n). Scores must not be NaN; −0 equals 0.
 */
export const ascendingOrder = (scores: Float32Array | Float64Array): Uint32Array => {
  const count = scores.length;
  const order = new Uint32Array(count);
  for (let i = 0; i < count; i++) order[i] = i;
  const spare = new Uint32Array(count);
  // Adding 0 turns −0 into 0, so that both tie.
  if (scores instanceof Float32Array) {
    const bits = new Uint32Array(scores.map((score) => score + 0).buffer);
    for (let i = 0; i < count; i++) bits[i] = orderedBits(bits[i]!);
    return sortByKeys(bits, order, spare)[0];
  }
  const words = new Uint32Array(scores.map((score) => score + 0).buffer);
  const low = new Uint32Array(count);
  const high = new Uint32Array(count);
  for (let i = 0; i < count; i++) {
    const word = words[2 * i + 1]!;
    high[i] = orderedBits(word);
    low[i] = word >>> 31 === 1 ? ~words[2 * i]! : words[2 * i]!;
  }
  return sortByKeys(high, ...sortByKeys(low, order, spare))[0];
};
