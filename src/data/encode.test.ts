import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { encodeNaively, plainRow } from '../../test/fixtures/encode-oracle.js';
import { openDatabase } from './duckdb.js';
import { createEncoder, rawColumnName, type EncodeContext } from './encode.js';
import type { ColumnState, EncoderSet } from './encoder-state.js';
import type { RawColumn, RawLists } from './raw-column.js';
import { canonicalText } from './table-rows.js';

const base = { side: 'candidate', surfaces: ['feed', 'search'] } as const;

const SET: EncoderSet = {
  surfaces: ['feed', 'search'],
  viewTypes: [''],
  tables: [
    { type: 'vocabulary', name: 'item', rows: 8, values: ['5', '7', 'x', '-3', '2.5'] },
    { type: 'hash', name: 'query', rows: 103, buckets: 100 },
    { type: 'bucket', name: 'hour', rows: 6, boundaries: [0, 8] },
    { type: 'time_gap', name: 'seen.gap', rows: 19 },
  ],
  columns: [
    { ...base, name: 'item', feature: 'item', kind: 'id', table: 'item' },
    { ...base, name: 'query', feature: 'query', surfaces: ['search'], kind: 'id', table: 'query' },
    { ...base, name: 'hour', feature: 'hour', kind: 'id', table: 'hour' },
    { ...base, name: 'tags', feature: 'tags', kind: 'ids', table: 'item', pooling: 'mean', maxLength: 3, keep: 'first' },
    { ...base, name: 'seen.item', feature: 'seen', surfaces: ['feed'], kind: 'ids', table: 'item', pooling: 'sum', maxLength: 3, keep: 'last' },
    { ...base, name: 'seen.gap', feature: 'seen', surfaces: ['feed'], kind: 'ids', table: 'seen.gap', pooling: 'sum', maxLength: 3, keep: 'last' },
    { ...base, name: 'price', feature: 'price', kind: 'number', encoding: { type: 'affine', log: true, mean: 0.5, deviation: 2 } },
    { ...base, name: 'age', feature: 'age', kind: 'number', encoding: { type: 'affine', log: false, mean: -1, deviation: 3 } },
    { ...base, name: 'rank', feature: 'rank', surfaces: ['feed'], kind: 'number', encoding: { type: 'quantile', quantiles: [0, 1, 1, 1, 2, 10] } },
    { ...base, name: 'taste', feature: 'taste', kind: 'vector', size: 2 },
    { ...base, name: 'position', feature: 'position', kind: 'id', table: 'item', serveAs: 7 },
  ],
};

const encoder = createEncoder(SET);
const NOW = 1_700_000_000_000;

const state = (name: string): ColumnState => SET.columns.find((column) => column.name === name)!;

const numbers = (values: readonly (number | null)[]): RawColumn => ({
  type: 'number',
  values: Float64Array.from(values, (value) => value ?? 0),
  valid: (row) => values[row] !== null,
});
const strings = (values: readonly (string | null)[]): RawColumn => ({ type: 'string', values });
const lists = (rows: readonly (readonly unknown[] | null)[], child: (values: never[]) => RawColumn): RawLists => {
  const offsets = new Int32Array(rows.length + 1);
  rows.forEach((row, i) => (offsets[i + 1] = offsets[i]! + (row?.length ?? 0)));
  return { type: 'list', offsets, valid: (row) => rows[row] !== null, child: child(rows.flatMap((row) => row ?? []) as never[]) };
};

const encode = (name: string, raw: RawColumn | undefined, rowCount: number, context: Partial<EncodeContext> = {}): unknown[] => {
  const column = encoder.encodeColumn(state(name), raw, rowCount, { surfaces: 0, ...context });
  return Array.from({ length: rowCount }, (_, row) => plainRow(column, row));
};

describe('ids', () => {
  it('tells absent, missing and unknown apart', () => {
    expect(encode('item', strings(['5', 'x', null, 'never seen', '']), 5)).toEqual([3, 5, 1, 2, 2]);
    expect(encode('query', strings(['a']), 1, { surfaces: 0 })).toEqual([0]);
    expect(encode('item', undefined, 2)).toEqual([1, 1]);
    expect(encode('query', undefined, 2, { surfaces: Int32Array.of(0, 1) })).toEqual([0, 1]);
  });

  it('gives one row to 5, 5.0 and "5"', () => {
    for (const raw of [numbers([5]), numbers([5.0]), strings(['5'])]) {
      expect(encode('item', raw, 1)).toEqual([3]);
      expect(encode('query', raw, 1, { surfaces: 1 })).toEqual(encode('query', strings(['5']), 1, { surfaces: 1 }));
    }
    expect(encode('item', numbers([-3, 2.5, -0, 1e9, NaN]), 5)).toEqual([6, 7, 2, 2, 1]);
  });

  it('buckets numbers, given as numbers or as text', () => {
    expect(encode('hour', numbers([-1, 0, 7.9, 8, null]), 5)).toEqual([3, 4, 4, 5, 1]);
    expect(encode('hour', strings(['-1', '0', ' 8 ', null]), 4)).toEqual([3, 4, 5, 1]);
  });

  it('serves training-only features with their fixed value', () => {
    expect(encode('position', strings(['5', null]), 2)).toEqual([3, 1]);
    expect(encode('position', strings(['5', null]), 2, { serving: true })).toEqual([4, 4]);
    expect(encode('position', undefined, 1, { serving: true })).toEqual([4]);
  });
});

describe('lists', () => {
  it('keeps the first or the newest values', () => {
    const raw = lists([['5', '7', 'x', '-3'], null, [], [null, 'other']], strings);
    expect(encode('tags', raw, 4)).toEqual([[3, 4, 5], [], [], [1, 2]]);
    expect(encode('seen.item', raw, 4)).toEqual([[4, 5, 6], [], [], [1, 2]]);
    expect(encode('seen.item', raw, 4, { surfaces: 1 })).toEqual([[0], [0], [0], [0]]);
    expect(encode('tags', undefined, 1)).toEqual([[]]);
  });

  it('puts the time between event and request into doubling rows', () => {
    const minute = 60_000;
    const gaps = [0.5, 1, 2.9, 3, 7, 65_535, 1e9].map((minutes) => NOW - minutes * minute);
    const raw = lists(gaps.map((gap) => [gap]), numbers);
    expect(encode('seen.gap', raw, gaps.length, { requestTimes: new Float64Array(gaps.length).fill(NOW) })).toEqual([[3], [4], [4], [5], [6], [18], [18]]);
    expect(rawColumnName(state('seen.gap'), SET)).toBe('seen.@time');
    expect(() => encode('seen.gap', raw, gaps.length)).toThrow(/request times/u);
  });
});

describe('numbers and vectors', () => {
  it('encodes what is there and leaves NaN where nothing is', () => {
    expect(encode('age', numbers([5, null, NaN, Infinity]), 4)).toEqual([2, NaN, NaN, NaN]);
    expect(encode('price', numbers([Math.E - 1, -(Math.E - 1)]), 2)).toEqual([0.25, -0.75]);
    expect(encode('rank', numbers([0, -4, 1, 0.5, 6, 10, 99]), 7).map((value) => Number((value as number).toFixed(6)))).toEqual([-1, -1, -0.2, -0.8, 0.8, 1, 1]);
    expect(encode('rank', numbers([0]), 1, { surfaces: 1 })).toEqual([NaN]);
    expect(encode('taste', lists([[1, 2], null, [3, NaN]], numbers), 3)).toEqual([[1, 2], [NaN, NaN], [NaN, NaN]]);
  });

  it('reads numbers written as text and refuses other text', () => {
    expect(encode('age', strings(['5', ' 2 ', null]), 3)).toEqual([2, 1, NaN]);
    expect(() => encode('age', strings(['']), 1)).toThrow(/row 0 holds ""/u);
    expect(() => encode('age', strings(['1', 'many']), 2)).toThrow(/feature "age": row 1 holds "many"/u);
  });

  it('refuses raw values of another shape', () => {
    expect(() => encode('taste', lists([[1]], numbers), 1)).toThrow(/row 0 holds 1 numbers/u);
    expect(() => encode('age', lists([[1]], numbers), 1)).toThrow(/another shape/u);
    expect(() => encode('item', lists([['5']], strings), 1)).toThrow(/another shape/u);
    expect(() => encode('tags', strings(['5']), 1)).toThrow(/another shape/u);
  });
});

describe('encodeRows', () => {
  it('equals the oracle on any rows', () => {
    const text = fc.oneof(fc.constantFrom('5', '7', 'x', '-3', '2.5', ''), fc.string({ unit: 'grapheme' }), fc.integer().map(String));
    const orNull = <T>(value: fc.Arbitrary<T>): fc.Arbitrary<T | null> => fc.option(value, { freq: 6 });
    const number = fc.oneof(fc.integer({ min: -5, max: 12 }), fc.double({ noNaN: true, noDefaultInfinity: true, min: -1e6, max: 1e6 }));
    const row = fc.record({
      surface: fc.nat(1),
      time: fc.integer({ min: NOW, max: NOW + 1e9 }),
      item: orNull(text),
      query: orNull(text),
      hour: orNull(number),
      tags: orNull(fc.array(orNull(text), { maxLength: 6 })),
      'seen.item': orNull(fc.array(orNull(number), { maxLength: 6 })),
      'seen.@time': orNull(fc.array(fc.integer({ min: NOW - 1e10, max: NOW - 1 }), { maxLength: 6 })),
      price: orNull(number),
      age: orNull(number),
      rank: orNull(number),
      taste: orNull(fc.tuple(number, number)),
      position: orNull(text),
    });
    fc.assert(
      fc.property(fc.array(row, { maxLength: 20 }), (rows) => {
        const of = <K extends keyof (typeof rows)[number]>(name: K): (typeof rows)[number][K][] => rows.map((entry) => entry[name]);
        const raw = new Map<string, RawColumn>([
          ['item', strings(of('item'))],
          ['query', strings(of('query'))],
          ['hour', numbers(of('hour'))],
          ['tags', lists(of('tags'), strings)],
          ['seen.item', lists(of('seen.item'), numbers)],
          ['seen.@time', lists(of('seen.@time'), numbers)],
          ['price', numbers(of('price'))],
          ['age', numbers(of('age'))],
          ['rank', numbers(of('rank'))],
          ['taste', lists(of('taste'), numbers)],
          ['position', strings(of('position'))],
        ]);
        const columns = encoder.encodeRows('candidate', raw, rows.length, { surfaces: Int32Array.from(of('surface')), requestTimes: Float64Array.from(of('time')) });
        for (const column of SET.columns) {
          rows.forEach((entry, index) => {
            const value = entry[rawColumnName(column, SET) as keyof typeof entry];
            // The oracle compares texts, so numeric ids are given to it as the text that identifies them.
            const plain = column.name === 'seen.item' && value !== null ? (value as (number | null)[]).map((id) => (id === null ? null : canonicalText(id))) : value;
            const actual = plainRow(columns.get(column.name)!, index);
            const expected = encodeNaively(SET, column, entry.surface, plain, entry.time);
            if (column.name === 'rank' && !Number.isNaN(expected)) expect(actual).toBeCloseTo(expected as number, 5);
            else expect(actual, column.name).toEqual(expected);
          });
        }
      }),
      { numRuns: 150 },
    );
  });
});

describe('canonicalText', () => {
  it('is what DuckDB makes of a DOUBLE in the staging tables', async () => {
    const database = await openDatabase();
    const doubles = fc.sample(fc.double({ noNaN: true, noDefaultInfinity: true }), { numRuns: 3000, seed: 5 });
    const powers = Array.from({ length: 40 }, (_, i) => [10 ** (i - 15), -1.5 * 10 ** (i - 15), 3 * 2 ** (i + 20)]).flat();
    const values = [...doubles, ...powers, 0, -0, 5, 0.1, Math.fround(0.1), 2 ** 53, 2 ** 53 - 1];
    const writer = await database.tableWriter('doubles', [{ name: 'v', type: 'DOUBLE' }]);
    writer.append([Float64Array.from(values)], 0, values.length);
    writer.close();
    const rows = await database.rows<{ text: string }>(
      `SELECT CASE WHEN v = trunc(v) AND abs(v) < 9007199254740992 THEN CAST(CAST(v AS BIGINT) AS VARCHAR) ELSE CAST(v AS VARCHAR) END AS text FROM doubles`,
    );
    database.close();
    expect(values.map(canonicalText)).toEqual(rows.map((row) => row.text));
  });
});
