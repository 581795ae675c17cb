import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { simulatedPredictions } from '../../test/fixtures/simulated-predictions.js';
import { auc } from './auc.js';
import { concatPredictions } from './concat-predictions.js';
import { evaluatePredictions } from './evaluate.js';
import { LogitHistogram } from './logit-histogram.js';
import { METRIC_NAMES } from './metrics.js';
import type { Predictions } from './predictions.js';
import { createAccumulator } from './streaming.js';

const whole = simulatedPredictions({ requests: 900, levels: 5000 });

const cut = (from: number, to: number): Predictions => ({
  ...whole,
  count: to - from,
  surfaces: whole.surfaces.subarray(from, to),
  viewTypes: whole.viewTypes.subarray(from, to),
  users: whole.users.subarray(from, to),
  requests: whole.requests.subarray(from, to),
  tasks: whole.tasks.map((task) => ({
    ...task,
    labels: task.labels.subarray(from, to),
    probabilities: task.probabilities.subarray(from, to),
    truths: task.truths!.subarray(from, to),
  })),
});

/** Chunks of about `size` rows that hold whole requests. */
const chunks = (size: number): Predictions[] => {
  const found: Predictions[] = [];
  let start = 0;
  for (let row = 1; row <= whole.count; row++) {
    if (row < whole.count && (row - start < size || whole.requests[row] === whole.requests[row - 1])) continue;
    found.push(cut(start, row));
    start = row;
  }
  return found;
};

describe('createAccumulator', () => {
  const exact = evaluatePredictions(whole);

  it('is exact while rows fit', () => {
    const accumulator = createAccumulator();
    for (const chunk of chunks(500)) accumulator.add(chunk);
    expect(accumulator.method).toBe('exact');
    expect(accumulator.evaluate()).toEqual(exact);
  });

  it('streams beyond, exactly but for AUC and ECE, which are close', () => {
    const accumulator = createAccumulator({ exactRows: 1200 });
    for (const chunk of chunks(500)) accumulator.add(chunk);
    expect(accumulator.rows).toBe(whole.count);
    const streamed = accumulator.evaluate();
    expect(streamed.method).toBe('streaming');
    streamed.tasks.forEach((task, index) => {
      const expected = exact.tasks[index]!;
      const pairs = [...task.surfaces, ...task.viewTypes, task.overall].map((slice) => {
        const all = [...expected.surfaces, ...expected.viewTypes, expected.overall];
        return [slice, all.find(({ scope, name }) => scope === slice.scope && name === slice.name)!] as const;
      });
      expect(pairs).toHaveLength(expected.surfaces.length + expected.viewTypes.length + 1);
      for (const [slice, wanted] of pairs) {
        expect(slice.rows).toBe(wanted.rows);
        for (const name of METRIC_NAMES.filter((metric) => !['auc', 'gauc', 'ece'].includes(metric))) {
          expect(slice.metrics[name]).toBeCloseTo(wanted.metrics[name]!, 10);
        }
        expect(Math.abs(slice.metrics.auc! - wanted.metrics.auc!)).toBeLessThanOrEqual(slice.aucErrorBound + 1e-12);
        expect(slice.aucErrorBound).toBeLessThan(2e-3);
        expect(slice.metrics.ece).toBeCloseTo(wanted.metrics.ece!, 2);
        expect(slice.metrics.gauc).toBeNull();
      }
    });
  });

  it('merges, whichever side streams', () => {
    const parts = chunks(2000);
    for (const [left, right] of [[0, 0], [0, 1e6], [1e6, 0], [1e6, 1e6], [1e6, 100]] as const) {
      const [a, b] = [createAccumulator({ exactRows: left }), createAccumulator({ exactRows: right })];
      parts.forEach((chunk, index) => {
        (index < 2 ? a : b).add(chunk);
      });
      a.merge(b);
      expect(a.rows).toBe(whole.count);
      const { metrics } = a.evaluate().tasks[0]!.overall;
      expect(metrics.logLoss).toBeCloseTo(exact.tasks[0]!.overall.metrics.logLoss!, 12);
      expect(metrics.auc).toBeCloseTo(exact.tasks[0]!.overall.metrics.auc!, 3);
    }
  });

  it('has no tasks without rows', () => {
    expect(createAccumulator().evaluate().tasks).toEqual([]);
  });
});

describe('LogitHistogram', () => {
  it('is within its bound of the exact AUC, and its bound is small', () => {
    const row = fc.record({ label: fc.constantFrom(0, 1), probability: fc.oneof(fc.float({ min: 0, max: 1, noNaN: true }), fc.float({ min: 0.5, max: Math.fround(0.501), noNaN: true })) });
    fc.assert(
      fc.property(fc.array(row, { minLength: 2, maxLength: 200 }), (rows) => {
        fc.pre(rows.some(({ label }) => label === 1) && rows.some(({ label }) => label === 0));
        const histogram = new LogitHistogram();
        for (const { label, probability } of rows) histogram.add(label, probability);
        const { auc: value, errorBound } = histogram.auc();
        const wanted = auc(rows.map(({ label }) => label), Float32Array.from(rows, ({ probability }) => probability));
        expect(Math.abs(value - wanted)).toBeLessThanOrEqual(errorBound + 1e-12);
        expect(errorBound).toBeLessThanOrEqual(0.5);
      }),
      { numRuns: 40 },
    );
  });
});

describe('concatPredictions', () => {
  it('joins chunks that name surfaces in another order', () => {
    const [first, second] = [cut(0, 1000), cut(1000, whole.count)];
    const renamed = { ...second, surfaceNames: [...whole.surfaceNames].reverse(), surfaces: second.surfaces.map((surface) => 2 - surface) };
    expect(concatPredictions([first, renamed])).toEqual(whole);
  });

  it('refuses chunks that lack a task', () => {
    expect(() => concatPredictions([cut(0, 10), { ...cut(10, 20), tasks: [] }])).toThrow(/chunk 1 .* lacks task "click"/u);
  });
});
