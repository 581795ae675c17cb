import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { normalizedDcg, reciprocalRank, requestValues, type RequestValue } from './ranking.js';

const one = (value: RequestValue, labels: number[], scores: number[]): number =>
  requestValues(labels, scores, [0, labels.length], value)[0]!;

const permutations = (items: readonly number[]): number[][] =>
  items.length < 2 ? [[...items]] : items.flatMap((item, i) => permutations([...items.slice(0, i), ...items.slice(i + 1)]).map((rest) => [item, ...rest]));

/** Mean over all orders of the candidates that descend in score. */
const overTieOrders = (value: (labels: number[]) => number, labels: number[], scores: number[]): number => {
  const orders = permutations(labels.map((_, i) => i)).filter((order) => order.every((row, i) => i === 0 || scores[order[i - 1]!]! >= scores[row]!));
  return orders.reduce((sum, order) => sum + value(order.map((row) => labels[row]!)), 0) / orders.length;
};

const plainDcg = (labels: readonly number[], k: number): number =>
  labels.slice(0, k).reduce((sum, label, i) => sum + label / Math.log2(i + 2), 0);

const request = fc
  .array(fc.record({ label: fc.constantFrom(0, 1), score: fc.constantFrom(0.1, 0.2, 0.3) }), { minLength: 1, maxLength: 6 })
  .filter((rows) => rows.some(({ label }) => label === 1));

describe('ranking metrics', () => {
  it('are expectations over the orders of ties', () => {
    fc.assert(
      fc.property(request, (rows) => {
        const labels = rows.map(({ label }) => label);
        const scores = rows.map(({ score }) => score);
        expect(one(reciprocalRank, labels, scores)).toBeCloseTo(overTieOrders((order) => 1 / (1 + order.indexOf(1)), labels, scores), 12);
        const ideal = [...labels].sort((a, b) => b - a);
        expect(one(normalizedDcg(3), labels, scores)).toBeCloseTo(
          overTieOrders((order) => plainDcg(order, 3) / plainDcg(ideal, 3), labels, scores),
          12,
        );
      }),
      { numRuns: 60 },
    );
  });

  it('do not depend on the order of rows, in short and in long requests', () => {
    const count = 120;
    const labels = Array.from({ length: count }, (_, i) => (i % 17 === 3 ? 1 : 0));
    const scores = Array.from({ length: count }, (_, i) => ((i * 37) % 11) / 11);
    for (const size of [20, count]) {
      for (const value of [reciprocalRank, normalizedDcg(5)]) {
        const reversed = one(value, labels.slice(0, size).reverse(), scores.slice(0, size).reverse());
        expect(reversed).toBeCloseTo(one(value, labels.slice(0, size), scores.slice(0, size)), 12);
      }
    }
  });

  it('leave out requests without a positive', () => {
    expect([...requestValues([0, 0, 1, 0], [0.4, 0.3, 0.2, 0.9], [0, 2, 4], reciprocalRank)]).toEqual([NaN, 0.5]);
  });
});
