import type { RawNumbers, RawStrings } from './raw-column.js';

/** Values of 32 bits as int64, written as pairs of words: a BigInt a value would cost more than what the values are for. */
export const toInt64 = (values: ArrayLike<number>): BigInt64Array => {
  const int64 = new BigInt64Array(values.length);
  const words = new Int32Array(int64.buffer);
  for (let i = 0; i < values.length; i += 1) {
    words[2 * i] = values[i]!;
    words[2 * i + 1] = values[i]! >> 31;
  }
  return int64;
};

/**
 * 64-bit integers, as doubles where all of them fit exactly and as text otherwise.
 *
 * @param offset of the first of them in the buffer, in bytes: a multiple of 8
 */
export const fromInt64 = (buffer: ArrayBuffer, offset: number, count: number, signed: boolean, valid: (row: number) => boolean): RawNumbers | RawStrings => {
  const low = new Uint32Array(buffer, offset, 2 * count);
  const high = signed ? new Int32Array(buffer, offset, 2 * count) : low;
  const values = new Float64Array(count);
  for (let row = 0; row < count; row += 1) {
    const top = high[2 * row + 1]!;
    if ((top >= 0x200000 || top < -0x200000) && valid(row)) {
      const exact = signed ? new BigInt64Array(buffer, offset, count) : new BigUint64Array(buffer, offset, count);
      return { type: 'string', values: Array.from(exact, (value, i) => (valid(i) ? value.toString() : null)) };
    }
    values[row] = top * 4294967296 + low[2 * row]!;
  }
  return { type: 'number', values, valid };
};
