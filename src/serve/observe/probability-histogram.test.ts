import fc from 'fast-check';
import { Registry } from 'prom-client';
import { expect, test } from 'vitest';
import { parseMetrics } from './parse-metrics.js';
import { PROBABILITY_BOUNDS, ProbabilityBins, registerProbabilities } from './probability-histogram.js';

/** As a histogram is defined: the first bound that is not below the value. */
const binOf = (value: number): number => {
  const bin = PROBABILITY_BOUNDS.findIndex((bound) => value <= bound);
  return bin < 0 ? PROBABILITY_BOUNDS.length : bin;
};

const expectBins = (values: Float32Array): void => {
  const bins = new ProbabilityBins();
  const expected = new Float64Array(PROBABILITY_BOUNDS.length + 1);
  const finite = values.filter((value) => Number.isFinite(value));
  for (const value of finite) expected[binOf(value)]! += 1;
  const { sum, count } = bins.add(values);
  expect(bins.counts).toEqual(expected);
  expect({ count, notFinite: bins.notFinite }).toEqual({ count: finite.length, notFinite: values.length - finite.length });
  expect(sum).toBeCloseTo(finite.reduce((total, value) => total + value, 0), 6);
};

test('every value is counted under the first bound that is not below it', () => {
  const probability = fc.oneof(fc.float({ min: 0, max: 1, noNaN: true }), fc.float({ min: 0, max: Math.fround(0.001), noNaN: true }), fc.constantFrom(0, -0, 1, 1.5, -1, NaN, Infinity, -Infinity));
  fc.assert(fc.property(fc.array(probability, { maxLength: 300 }), (values) => { expectBins(Float32Array.from(values)); }));
});

test('bounds themselves, and the floats on both sides of them', () => {
  const bits = new Int32Array(1);
  const float = new Float32Array(bits.buffer);
  const around = PROBABILITY_BOUNDS.flatMap((bound) => [-1, 0, 1].map((step) => {
    float[0] = bound;
    bits[0]! += step;
    return float[0];
  }));
  expectBins(Float32Array.from(around));
});

test('a part of a larger array is read where it is', () => {
  const bins = new ProbabilityBins();
  expect(bins.add(Float32Array.of(0.9, 0.9, 0.5, 0.25, 0.9).subarray(2, 4))).toEqual({ sum: 0.75, count: 2 });
});

test('prints cumulative buckets, sum and count of each series', async () => {
  const registry = new Registry();
  const bins = new ProbabilityBins();
  bins.add(Float32Array.of(0.00005, 0.25, 0.5, 0.5, 2));
  registerProbabilities({ registry, name: 'score', help: 'Scores.', series: () => [{ labels: { task: 'a "b"' }, bins }] });
  const text = await registry.metrics();
  expect(text).toContain('# TYPE score histogram');
  const samples = parseMetrics(text, 'text');
  const bucket = (le: string): number | undefined => samples.find(({ name, labels }) => name === 'score_bucket' && labels['le'] === le && labels['task'] === 'a "b"')?.value;
  expect([bucket('0.0001'), bucket('0.18'), bucket('0.32'), bucket('0.56'), bucket('1'), bucket('+Inf')]).toEqual([1, 1, 2, 4, 4, 5]);
  expect(samples.find(({ name }) => name === 'score_count')?.value).toBe(5);
  expect(samples.find(({ name }) => name === 'score_sum')?.value).toBeCloseTo(3.25005);
});
