import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { softplus } from './apply-layer.js';
import { designOf, FAMILIES, type ParametricMethod } from './families.js';
import { fitLogistic, type Design, type Prior } from './newton.js';

const number = (min: number, max: number): fc.Arbitrary<number> => fc.double({ min, max, noNaN: true });
const binned = fc
  .array(fc.tuple(number(-8, 4), fc.integer({ min: 1, max: 50 }), number(0, 1)), { minLength: 1, maxLength: 20 })
  .map((bins) => ({ logits: Float64Array.from(bins, ([z]) => z), weights: Float64Array.from(bins, ([, weight]) => weight), positives: Float64Array.from(bins, ([, weight, part]) => Math.round(part * weight)) }));
const methods = fc.constantFrom<ParametricMethod>('shift', 'temperature', 'affine', 'beta');

const objective = ({ columns, base, weights, positives }: Design, { mean, variance }: Prior, parameters: readonly number[]): number =>
  parameters.reduce((sum, value, j) => sum + (value - mean[j]!) ** 2 / (2 * variance[j]!), 0) +
  base.reduce((sum, own, row) => {
    const z = columns.reduce((of, column, j) => of + parameters[j]! * column[row]!, own);
    return sum + weights[row]! * softplus(z) - positives[row]! * z;
  }, 0);

describe('fitLogistic', () => {
  it('finds the lowest penalized loss, with slopes that do not fall', () => {
    fc.assert(
      fc.property(binned, methods, fc.array(number(-1, 1), { minLength: 3, maxLength: 3 }), number(0.01, 4), (rows, method, moves, variance) => {
        const family = FAMILIES[method];
        const design = designOf(family, rows, -2);
        const prior = { mean: family.isSlope.map(Number), variance: family.isSlope.map(() => variance) };
        const { parameters } = fitLogistic(design, prior);
        parameters.forEach((value, j) => expect(family.isSlope[j]! ? value : 0).toBeGreaterThanOrEqual(0));
        const best = objective(design, prior, parameters);
        for (const scale of [1, 0.1, 0.01]) {
          const other = parameters.map((value, j) => (family.isSlope[j]! ? Math.max(0, value + scale * moves[j]!) : value + scale * moves[j]!));
          expect(objective(design, prior, other)).toBeGreaterThanOrEqual(best - 1e-9);
        }
      }),
    );
  });

  it('stays at the prior without rows, and says how sure it is', () => {
    const empty = designOf(FAMILIES.affine, { logits: new Float64Array(0), weights: new Float64Array(0), positives: new Float64Array(0) }, 0);
    const { parameters, variance } = fitLogistic(empty, { mean: [0.3, 1.2], variance: [0.25, 0.04] });
    [0.3, 1.2].forEach((value, j) => expect(parameters[j]).toBeCloseTo(value, 12));
    [0.25, 0.04].forEach((value, j) => expect(variance[j]).toBeCloseTo(value, 12));
    // A shift alone: the inverse of Σ w p (1 − p).
    const rows = { logits: Float64Array.of(0), weights: Float64Array.of(100), positives: Float64Array.of(50) };
    expect(fitLogistic(designOf(FAMILIES.shift, rows, 0), { mean: [0], variance: [Infinity] }).variance[0]).toBeCloseTo(1 / 25, 9);
  });
});
