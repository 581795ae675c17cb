import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { applyLayer, sigmoid, softplus } from '../apply-layer.js';
import type { BinnedRows } from '../binned-rows.js';
import { designOf, FAMILIES, identityOf, type ParametricMethod } from '../families.js';
import { poolAdjacentViolators } from '../isotonic.js';
import { fitLogistic } from '../newton.js';

interface Fits {
  readonly seed: number;
  readonly count: number;
  readonly offset: number;
  readonly slope: number;
  readonly positives: number;
  readonly shift: number;
  readonly temperature: number;
  readonly affine: readonly [number, number];
  readonly beta: readonly [number, number, number];
}

interface Pooled {
  readonly count: number;
  readonly values: number[];
  readonly weights: number[];
  readonly fitted: number[];
}

const stored = JSON.parse(readFileSync(new URL('calibration_fits.json', import.meta.url), 'utf8')) as { fits: Fits[]; pooled: Pooled[] };

/** The generator of calibration_fits.py: mulberry32. */
const uniforms = (seed: number, count: number): Float64Array => {
  let state = seed >>> 0;
  return new Float64Array(count).map(() => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  });
};

const rowsOf = ({ seed, count, offset, slope }: Fits): BinnedRows => {
  const u = uniforms(seed, 2 * count);
  const logits = Float64Array.from({ length: count }, (_, i) => Math.floor(384 * u[i]!) / 64 - 5);
  return { logits, weights: new Float64Array(count).fill(1), positives: logits.map((logit, i) => (u[count + i]! < sigmoid(offset + slope * logit) ? 1 : 0)) };
};

describe.each(stored.fits)('scikit-learn and scipy on $count rows of seed $seed', (expected) => {
  const rows = rowsOf(expected);
  const { shift, temperature, affine, beta } = expected;
  const calibrated: (readonly [ParametricMethod, (z: number) => number])[] = [
    ['shift', (z) => shift + z],
    ['temperature', (z) => temperature * z],
    // Ours has no falling slopes.
    ...(affine[1] > 0 ? [['affine', (z: number): number => affine[0] + affine[1] * z] as const] : []),
    ['beta', (z) => beta[0] - beta[1] * softplus(-z) + beta[2] * softplus(z)],
  ];

  it('has the same rows', () => {
    expect(rows.positives.reduce((sum, label) => sum + label, 0)).toBe(expected.positives);
  });

  it.each(calibrated)('agrees on %s', (method, reference) => {
    const family = FAMILIES[method];
    for (const center of [-2.5, 0]) {
      const free = { mean: identityOf(family), variance: family.isSlope.map(() => Infinity) };
      const layer = family.layer(fitLogistic(designOf(family, rows, center), free).parameters, center);
      for (let z = -6; z <= 2; z += 0.25) expect(Math.abs(applyLayer(layer, z) - reference(z))).toBeLessThan(1e-6);
    }
  });
});

describe.each(stored.pooled)('IsotonicRegression on $count values', ({ values, weights, fitted }) => {
  it('agrees', () => {
    const pooled = poolAdjacentViolators(values, weights);
    const ours = values.map((_, i) => pooled.values[pooled.starts.findLastIndex((start) => start <= i)]!);
    ours.forEach((value, i) => expect(Math.abs(value - fitted[i]!)).toBeLessThan(1e-12));
  });
});
