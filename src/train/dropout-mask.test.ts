import { describe, expect, it } from 'vitest';
import { fillDropoutMask } from './dropout-mask.js';

const draw = (seed: number, step: number, stream: number, rate = 0.25): Float32Array => {
  const mask = new Float32Array(100_001);
  fillDropoutMask(mask, rate, seed, step, stream);
  return mask;
};

describe('fillDropoutMask', () => {
  it('drops the rate and keeps the mean', () => {
    for (const rate of [0.1, 0.25, 0.5]) {
      const mask = draw(1, 1, 0, rate);
      const dropped = mask.filter((entry) => entry === 0).length / mask.length;
      expect(Math.abs(dropped - rate)).toBeLessThan(0.006);
      expect(new Set(mask).size).toBe(2);
      expect(mask.reduce((sum, entry) => sum + entry, 0) / mask.length).toBeCloseTo(1, 1);
    }
  });

  it('depends on seed, step and stream alone', () => {
    expect(draw(1, 2, 3)).toEqual(draw(1, 2, 3));
    for (const other of [draw(2, 2, 3), draw(1, 3, 3), draw(1, 2, 4)]) {
      const equal = draw(1, 2, 3).filter((entry, index) => entry === other[index]).length / other.length;
      expect(equal).toBeCloseTo(0.75 ** 2 + 0.25 ** 2, 1);
    }
  });
});
