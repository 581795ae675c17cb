import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { auc } from './auc.js';

/** Scores on a coarse grid, so that ties are common. */
const rows = fc.array(fc.record({ label: fc.constantFrom(0, 1), score: fc.integer({ min: 0, max: 20 }).map((n) => n / 32) }), {
  minLength: 2,
  maxLength: 60,
});

const byDefinition = (labels: readonly number[], scores: readonly number[]): number => {
  let wins = 0;
  let pairs = 0;
  labels.forEach((positive, i) => {
    labels.forEach((negative, j) => {
      if (positive !== 1 || negative !== 0) return;
      pairs++;
      wins += scores[i]! > scores[j]! ? 1 : scores[i] === scores[j] ? 0.5 : 0;
    });
  });
  return wins / pairs;
};

describe('auc', () => {
  it('counts pairs, ties as one half', () => {
    fc.assert(
      fc.property(rows, (cases) => {
        const labels = cases.map(({ label }) => label);
        const scores = cases.map(({ score }) => score);
        expect(auc(labels, Float32Array.from(scores))).toBe(byDefinition(labels, scores));
      }),
    );
  });

  it('does not change under a monotone transform, and is mirrored by 1 − p', () => {
    fc.assert(
      fc.property(rows, (cases) => {
        const labels = cases.map(({ label }) => label);
        fc.pre(labels.includes(0) && labels.includes(1));
        const scores = Float64Array.from(cases, ({ score }) => score);
        const value = auc(labels, scores);
        expect(auc(labels, scores.map((score) => Math.exp(3 * score) - 7))).toBe(value);
        expect(auc(labels, scores.map((score) => 1 - score))).toBeCloseTo(1 - value, 12);
      }),
    );
  });

  it('takes a weight as so many copies of the row', () => {
    fc.assert(
      fc.property(rows, fc.infiniteStream(fc.integer({ min: 0, max: 3 })), (cases, stream) => {
        const weights = cases.map(() => stream.next().value!);
        const copies = cases.flatMap((row, i) => Array.from({ length: weights[i]! }, () => row));
        const weighted = auc(cases.map(({ label }) => label), Float32Array.from(cases, ({ score }) => score), weights);
        expect(weighted).toBe(auc(copies.map(({ label }) => label), Float32Array.from(copies, ({ score }) => score)));
      }),
    );
  });

  it('is undefined with one class', () => {
    expect(auc([1, 1], Float32Array.of(0.1, 0.2))).toBeNaN();
    expect(auc([], new Float32Array())).toBeNaN();
  });
});
