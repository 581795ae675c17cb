import { describe, expect, it } from 'vitest';
import { between, bytes, count, fixed, flops, milliseconds, percent, ratioOf, seconds, signed, times, UNKNOWN } from './numbers.js';

describe('numbers', () => {
  it('have a sign, and none where they round to zero', () => {
    expect([0.01234, -0.01234, 0.00001, -0.00001, 0].map((value) => signed(value))).toEqual(['+0.0123', '−0.0123', '0.0000', '0.0000', '0.0000']);
    expect([1.5, -1.5, -0.00001].map((value) => fixed(value, 2))).toEqual(['1.50', '−1.50', '0.00']);
    expect(between({ low: -0.001, high: 0.002 }, signed)).toBe('[−0.0010, +0.0020]');
  });

  it('are dashes where they are not known', () => {
    expect([fixed(null), signed(undefined), bytes(NaN), count(Infinity), percent(null), times(null), seconds(undefined), milliseconds(null), between(null, signed)]).toEqual(Array.from({ length: 9 }, () => UNKNOWN));
  });

  it('come in units of a thousand, with three digits', () => {
    expect([0, 950, 9500, 12_345, 999_999, 1_234_567].map(count)).toEqual(['0', '950', '9500', '12.3 k', '1000 k', '1.23 M']);
    expect([999, 1000, 26_210_000, 5e15].map(bytes)).toEqual(['999 B', '1.00 kB', '26.2 MB', '5000 TB']);
    expect([12.5, 171_234, 3.91e13].map(flops)).toEqual(['12.5 FLOPs', '171 kFLOPs', '39.1 TFLOPs']);
  });

  it('tell time', () => {
    expect([1.234, 42.44, 141.6, 7500].map(seconds)).toEqual(['1.23 s', '42.4 s', '2 min 21 s', '2 h 05 min']);
    expect([0.98, 12.345, 123.45, 1234, 12_345].map(milliseconds)).toEqual(['0.980 ms', '12.3 ms', '123.5 ms', '1234 ms', '12345 ms']);
  });

  it('compare', () => {
    expect([ratioOf(1, 2), ratioOf(1, 0), ratioOf(null, 2)]).toEqual([0.5, null, null]);
    expect([times(0.625), times(12.3), percent(0.1234, 1)]).toEqual(['0.63×', '12×', '12.3 %']);
  });
});
