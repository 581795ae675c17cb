import { uniformFloat64 } from 'pure-rand/distribution/uniformFloat64';
import { xoroshiro128plus } from 'pure-rand/generator/xoroshiro128plus';
import { randomNormal } from 'd3-random';
import { describe, expect, it } from 'vitest';
import { sigmoid } from './apply-layer.js';
import { shrinkLevel, type ShrunkGroup } from './shrink-level.js';

/** A group of rows at logit 0 whose positives are what an offset gives, exactly. */
const group = (offset: number, rows: number): ShrunkGroup => ({
  design: { columns: [Float64Array.of(1)], base: Float64Array.of(0), weights: Float64Array.of(rows), positives: Float64Array.of(rows * sigmoid(offset)), isSlope: [false] },
  parent: [0],
  distance: 1,
});

const normals = (seed: number): (() => number) => {
  const generator = xoroshiro128plus(seed);
  return randomNormal.source(() => uniformFloat64(generator))(0, 1);
};

describe('shrinkLevel', () => {
  it('leaves thick groups free and draws thin ones to their parent', () => {
    const offsets = [0.4, -0.4, 0.3, -0.3, 0.5, -0.5];
    const { parameters } = shrinkLevel([...offsets.map((offset) => group(offset, 1e6)), group(1, 4), group(1, 0)], [false]);
    offsets.forEach((offset, index) => expect(parameters[index]![0]).toBeCloseTo(offset, 4));
    // Four rows hold a quarter of the information that the spread of the thick ones does.
    expect(parameters[6]![0]).toBeGreaterThan(0.05);
    expect(parameters[6]![0]).toBeLessThan(0.3);
    expect(parameters[7]![0]).toBe(0);
  });

  it('draws groups together that do not differ', () => {
    const draw = normals(3);
    // 400 rows tell an offset to ±0.1; these differ by no more.
    const groups = Array.from({ length: 60 }, () => group(0.1 * draw(), 400));
    const { parameters } = shrinkLevel(groups, [false]);
    const size = (values: readonly number[]): number => Math.sqrt(values.reduce((sum, value) => sum + value ** 2, 0) / values.length);
    expect(size(parameters.map(([offset]) => offset!))).toBeLessThan(0.05);
  });

  it.each([0.1, 0.3, 0.8])('finds how far groups stray: %d', (spread) => {
    const draw = normals(7);
    const groups = Array.from({ length: 200 }, (_, index) => {
      const rows = index % 2 === 0 ? 400 : 4000;
      return group(spread * draw() + (2 / Math.sqrt(rows)) * draw(), rows);
    });
    const found = Math.sqrt(shrinkLevel(groups, [false]).variance[0]!);
    expect(found / spread).toBeGreaterThan(0.85);
    expect(found / spread).toBeLessThan(1.15);
  });

  it('draws from the posterior when told to', () => {
    const draw = normals(11);
    const prior = 0.09;
    // Without rows that is the prior; a perturbed prior and fixed rows leave the share of the variance that the rows do not tell.
    const spreadOf = (rows: number): number => {
      const draws = Array.from({ length: 2000 }, () => shrinkLevel([group(0, rows)], [false], [prior], draw).parameters[0]![0]!);
      return draws.reduce((sum, value) => sum + value ** 2, 0) / draws.length;
    };
    expect(spreadOf(0) / prior).toBeCloseTo(1, 0.9);
    const told = 1 / (1 / prior + 44.4 / 4);
    expect(spreadOf(44.4) / (told ** 2 / prior)).toBeCloseTo(1, 0.9);
  });
});
