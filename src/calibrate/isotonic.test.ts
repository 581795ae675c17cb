import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { applyLayer, sigmoid } from './apply-layer.js';
import type { BinnedRows } from './binned-rows.js';
import { IDENTITY_LAYER, type CalibrationLayer } from './calibration.js';
import { fitIsotonic, MOST_KNOTS } from './isotonic.js';

const number = (min: number, max: number): fc.Arbitrary<number> => fc.double({ min, max, noNaN: true });
const binned = fc
  .uniqueArray(fc.tuple(fc.integer({ min: -700, max: 500 }), fc.integer({ min: 1, max: 200 }), number(0, 1)), { selector: ([key]) => key, maxLength: 60 })
  .map((bins) => bins.toSorted(([a], [b]) => a - b))
  .map((bins): BinnedRows => ({
    logits: Float64Array.from(bins, ([key]) => key / 64),
    weights: Float64Array.from(bins, ([, weight]) => weight),
    positives: Float64Array.from(bins, ([, weight, part]) => Math.round(part * weight)),
  }));
const line = (offset: number, slope: number): CalibrationLayer => ({ offset, below: slope, above: slope, knots: [], rises: [] });

describe('fitIsotonic', () => {
  it('makes rising curves with few knots apart from each other', () => {
    fc.assert(
      fc.property(binned, number(-1, 1), number(0.2, 2), number(1, 1e5), (rows, offset, slope, pseudo) => {
        const layer = fitIsotonic(rows, line(offset, slope), pseudo);
        expect(layer.knots.length).toBeLessThanOrEqual(MOST_KNOTS);
        layer.knots.slice(1).forEach((knot, k) => expect(knot - layer.knots[k]!).toBeGreaterThan(1 / 33));
        const steps = Array.from({ length: 240 }, (_, i) => applyLayer(layer, i / 10 - 13.9) - applyLayer(layer, i / 10 - 14));
        expect(Math.min(...steps)).toBeGreaterThanOrEqual(-1e-9);
      }),
    );
  });

  it('is its target when that is all there is', () => {
    const empty = { logits: new Float64Array(0), weights: new Float64Array(0), positives: new Float64Array(0) };
    expect(fitIsotonic(empty, line(-0.5, 0.8), 10)).toEqual(line(-0.5, 0.8));
    fc.assert(
      fc.property(binned, (rows) => {
        const target = line(0.4, 0.7);
        const layer = fitIsotonic(rows, target, 1e12);
        for (const knot of layer.knots) expect(applyLayer(layer, knot)).toBeCloseTo(applyLayer(target, knot), 4);
      }),
    );
  });

  it('gives the rates of many rows, and their sum', () => {
    // A kink at −2 that no line has.
    const truth = (z: number): number => sigmoid(z < -2 ? z - 0.5 : -2.5 + 2 * (z + 2));
    const logits = Float64Array.from({ length: 321 }, (_, i) => (i - 320) / 64);
    const weights = logits.map(() => 1e5);
    const layer = fitIsotonic({ logits, weights, positives: logits.map((z, i) => weights[i]! * truth(z)) }, IDENTITY_LAYER, 4);
    let [predicted, expected] = [0, 0];
    for (const z of logits) {
      expect(Math.abs(applyLayer(layer, z) - Math.log(truth(z) / (1 - truth(z))))).toBeLessThan(0.12);
      predicted += sigmoid(applyLayer(layer, z));
      expected += truth(z);
    }
    expect(predicted / expected).toBeCloseTo(1, 2);
  });
});
