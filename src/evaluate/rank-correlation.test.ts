import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { rankCorrelation } from './rank-correlation.js';

const cases = JSON.parse(readFileSync(new URL('oracle/scipy_ranks.json', import.meta.url), 'utf8')) as { readonly a: number[]; readonly b: number[]; readonly correlation: number }[];

describe('rankCorrelation', () => {
  it.each(cases.map((one, index) => [index, one] as const))("is SciPy's Spearman, ties and all: case %i", (_, { a, b, correlation }) => {
    expect(rankCorrelation(Float32Array.from(a), Float32Array.from(b))).toBeCloseTo(correlation, 12);
  });

  it('is that of any increasing map of the values', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.integer({ min: -20, max: 20 }), fc.integer({ min: -20, max: 20 })), { minLength: 2, maxLength: 40 }), (rows) => {
        const [a, b] = [Float64Array.from(rows, ([x]) => x), Float64Array.from(rows, ([, y]) => y)];
        const found = rankCorrelation(a, b);
        expect(rankCorrelation(a.map((x) => x ** 3 + 1), b)).toEqual(found);
        expect(rankCorrelation(b, a)).toEqual(found);
        if (found !== null) expect(rankCorrelation(a, b.map((y) => -y))).toBeCloseTo(-found, 12);
      }),
    );
  });

  it('is none where nothing is ranked', () => {
    expect(rankCorrelation(Float32Array.of(0.5, 0.5), Float32Array.of(0.1, 0.2))).toBeNull();
    expect(rankCorrelation(Float32Array.of(0.5), Float32Array.of(0.1))).toBeNull();
  });
});
