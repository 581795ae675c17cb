import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { applyLayer, lineAfter, logitOf, shiftLayer, sigmoid } from './apply-layer.js';
import type { CalibrationLayer } from './calibration.js';

const number = (min: number, max: number): fc.Arbitrary<number> => fc.double({ min, max, noNaN: true });
const knotted = fc.uniqueArray(number(-6, 3), { maxLength: 16 }).chain((knots) =>
  fc.record({ knots: fc.constant(knots.toSorted((a, b) => a - b)), rises: fc.array(number(-1, 2), { minLength: knots.length, maxLength: knots.length }) }),
);
const layers = fc.tuple(number(-3, 3), number(0, 3), fc.option(number(0, 3)), knotted).map(([offset, below, above, bends]): CalibrationLayer => ({ offset, below, above: above ?? below, ...bends }));
const logits = number(-17, 17);

/** As exports compute it. */
const exported = ({ offset, below, above, knots, rises }: CalibrationLayer, z: number): number =>
  offset - below * Math.log1p(Math.exp(-z)) + above * Math.log1p(Math.exp(z)) + knots.reduce((sum, knot, k) => sum + rises[k]! * Math.max(0, z - knot), 0);

describe('applyLayer', () => {
  it('is the documented sum', () => {
    fc.assert(
      fc.property(layers, logits, (layer, z) => {
        expect(applyLayer(layer, z)).toBeCloseTo(exported(layer, z), 9);
      }),
    );
  });
});

describe('lineAfter', () => {
  it('is one layer after another', () => {
    fc.assert(
      fc.property(layers, logits, number(-2, 2), number(0, 3), (layer, z, offset, slope) => {
        const line: CalibrationLayer = { offset, below: slope, above: slope, knots: [], rises: [] };
        expect(applyLayer(lineAfter(line, layer), z)).toBeCloseTo(applyLayer(line, applyLayer(layer, z)), 9);
        expect(applyLayer(shiftLayer(layer, offset), z)).toBeCloseTo(applyLayer(layer, z) + offset, 9);
      }),
    );
  });
});

describe('logitOf', () => {
  it('undoes the sigmoid, and stays finite at 0 and 1', () => {
    fc.assert(
      fc.property(number(-15, 15), (z) => {
        expect(logitOf(sigmoid(z))).toBeCloseTo(z, 8);
      }),
    );
    expect(logitOf(0)).toBeCloseTo(-24 * Math.LN2, 6);
    expect(logitOf(1)).toBeCloseTo(24 * Math.LN2, 6);
  });
});
