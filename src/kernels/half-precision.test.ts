import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { fromHalf, toHalf } from './half-precision.js';

const FINITE = Array.from({ length: 0x10000 }, (_, half) => half).filter((half) => (half & 0x7c00) !== 0x7c00);

describe('half precision', () => {
  it('gives back the bits of every finite half', () => {
    for (const half of FINITE) if (toHalf(fromHalf(half)) !== half) expect.fail(`half ${half.toString(16)}`);
  });

  it('rounds to the nearest half, ties to even', () => {
    const ascending = FINITE.filter((half) => half < 0x8000).map(fromHalf);
    fc.assert(
      fc.property(fc.integer({ min: 0, max: ascending.length - 2 }), fc.double({ min: 0, max: 1, noNaN: true }), (index, fraction) => {
        const [low, high] = [ascending[index]!, ascending[index + 1]!];
        const value = Math.fround(low + (high - low) * fraction);
        const rounded = fromHalf(toHalf(value));
        const best = Math.min(value - low, high - value);
        expect(Math.abs(rounded - value)).toBe(best);
        if (value - low === high - value) expect(toHalf(value) & 1).toBe(0);
      }),
    );
  });

  it('keeps infinities, NaN and the sign, and overflows to infinity', () => {
    expect(toHalf(Infinity)).toBe(0x7c00);
    expect(toHalf(-1e9)).toBe(0xfc00);
    expect(toHalf(65519)).toBe(0x7bff);
    expect(toHalf(65520)).toBe(0x7c00);
    expect(fromHalf(toHalf(NaN))).toBeNaN();
    expect(toHalf(-0)).toBe(0x8000);
    expect(toHalf(-1e-9)).toBe(0x8000);
  });
});
