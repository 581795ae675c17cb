import { expect, test } from 'vitest';
import { createRandom } from './random.js';

const take = (seed: number, stream: number): number[] => {
  const random = createRandom(seed, stream);
  return Array.from({ length: 8 }, () => random.uniform());
};

test('a seed and stream fix the numbers; another seed or stream changes them', () => {
  expect(take(7, 1)).toEqual(take(7, 1));
  expect(take(7, 1)).not.toEqual(take(8, 1));
  expect(take(7, 1)).not.toEqual(take(7, 2));
});

test('uniform and normal numbers have their means and variances', () => {
  const random = createRandom(3, 4);
  const count = 40_000;
  const uniform = Array.from({ length: count }, () => random.uniform());
  const normal = Array.from({ length: count }, () => random.normal());
  const mean = (values: number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length;
  expect(Math.min(...uniform.slice(0, 1000))).toBeGreaterThanOrEqual(0);
  expect(Math.max(...uniform.slice(0, 1000))).toBeLessThan(1);
  expect(mean(uniform)).toBeCloseTo(0.5, 1.8);
  expect(mean(normal)).toBeCloseTo(0, 1.4);
  expect(mean(normal.map((value) => value * value))).toBeCloseTo(1, 1.2);
});
