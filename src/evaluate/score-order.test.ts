import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ascendingOrder } from './score-order.js';

const stableOrder = (scores: readonly number[]): number[] =>
  scores.map((_, row) => row).sort((a, b) => scores[a]! - scores[b]! || a - b);

describe('ascendingOrder', () => {
  it('is the stable sort of float32 scores', () => {
    fc.assert(
      fc.property(fc.array(fc.float({ noNaN: true })), (scores) => {
        expect([...ascendingOrder(Float32Array.from(scores))]).toEqual(stableOrder(scores));
      }),
    );
  });

  it('is the stable sort of float64 scores, nearly equal ones included', () => {
    const near = fc.oneof(fc.double({ noNaN: true }), fc.integer({ min: -3, max: 3 }).map((n) => 0.5 + n * Number.EPSILON));
    fc.assert(
      fc.property(fc.array(near), (scores) => {
        expect([...ascendingOrder(Float64Array.from(scores))]).toEqual(stableOrder(scores));
      }),
    );
  });

  it('ties −0 with 0', () => {
    expect([...ascendingOrder(Float32Array.of(0, -0, -1, 0))]).toEqual([2, 0, 1, 3]);
  });
});
