import { describe, expect, it } from 'vitest';
import { readPart, uniform } from '../../test/support/kernel-cases.js';
import { initializeRows } from './initialize-rows.js';
import { typescriptKernel } from './typescript-kernel.js';

describe('initializeRows', () => {
  it('keeps the rows of a table that grows or moves', () => {
    const small = typescriptKernel.createTable(8, 10);
    const large = typescriptKernel.createTable(8, 30);
    initializeRows(small, { name: 'ad', base: 0, rows: 10 }, 1);
    initializeRows(large, { name: 'ad', base: 5, rows: 20 }, 1);
    expect(readPart(large).slice(5 * 8, 15 * 8)).toEqual(readPart(small));
    expect(readPart(large).subarray(0, 40).every((weight) => weight === 0)).toBe(true);
  });

  it('draws only the new rows of a table that grew, as a larger table would have them', () => {
    const grown = typescriptKernel.createTable(3, 20);
    const trained = uniform(3 * 7, 1);
    grown.writeRows('weights', 0, trained);
    initializeRows(grown, { name: 'ad', base: 0, rows: 20, from: 7 }, 1);
    const fresh = typescriptKernel.createTable(3, 20);
    initializeRows(fresh, { name: 'ad', base: 0, rows: 20 }, 1);
    expect(readPart(grown)).toEqual(Float32Array.of(...trained, ...readPart(fresh).subarray(21)));
  });

  it('draws the same rows in pieces as one by one', () => {
    // A piece holds 2^18 floats: the second table is drawn in three.
    const width = 4096;
    const [few, many] = [1, 150].map((rows) => {
      const table = typescriptKernel.createTable(width, rows);
      initializeRows(table, { name: 'wide', base: 0, rows }, 1);
      return table;
    });
    const row = new Float32Array(width);
    many!.readRows('weights', 0, row);
    expect(row).toEqual(readPart(few!));
    const last = new Float32Array(width);
    many!.readRows('weights', 149, last);
    expect(new Set([...row, ...last]).size).toBeGreaterThan(1.9 * width);
  });

  it('is uniform within its bound, and differs by seed and name', () => {
    const draw = (name: string, seed: number): Float32Array => {
      const table = typescriptKernel.createTable(16, 4000);
      initializeRows(table, { name, base: 0, rows: 4000 }, seed, 0.5);
      return readPart(table);
    };
    const a = draw('a', 1);
    const mean = a.reduce((sum, value) => sum + value, 0) / a.length;
    const variance = a.reduce((sum, value) => sum + value * value, 0) / a.length;
    expect(Math.max(...a)).toBeLessThanOrEqual(0.5);
    expect(Math.abs(mean)).toBeLessThan(0.005);
    expect(variance).toBeCloseTo(1 / 12, 2);
    const correlation = (b: Float32Array): number => a.reduce((sum, value, i) => sum + value * b[i]!, 0) / a.length / variance;
    expect(Math.abs(correlation(draw('b', 1)))).toBeLessThan(0.02);
    expect(Math.abs(correlation(draw('a', 2)))).toBeLessThan(0.02);
    expect(Math.abs(correlation(new Float32Array([...a.subarray(16), ...a.subarray(0, 16)])))).toBeLessThan(0.02);
  });
});
