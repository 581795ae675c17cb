import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { stageFixture, type RawRow, type StagedFixture } from '../../test/fixtures/staged-tables.js';
import { openDatabase, type Database } from './duckdb.js';
import type { ColumnState, EncoderSet, TableState } from './encoder-state.js';
import { fitEncoders } from './fit-encoders.js';

let database: Database;
let folder: string;
let fixture: StagedFixture;
let encoders: EncoderSet;
let requests: readonly RawRow[];
let candidates: readonly RawRow[];

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'onefold-fit-'));
  database = await openDatabase({ threads: 2 });
  fixture = await stageFixture(database, folder, 2000, 3);
  encoders = await fitEncoders(database, fixture.staged, fixture.project);
  requests = fixture.requests.filter((row) => row['@split'] === 0);
  candidates = fixture.candidates.filter((row) => row['@split'] === 0);
});
afterAll(() => {
  database.close();
  rmSync(folder, { recursive: true });
});

const table = (name: string): TableState => encoders.tables.find((state) => state.name === name)!;
const column = (name: string): ColumnState => encoders.columns.find((state) => state.name === name)!;
const valuesOf = (rows: readonly RawRow[], name: string): number[] => rows.flatMap((row) => (row[name] === null ? [] : [row[name] as number]));

/** Values of several columns by count, then by value. */
const vocabulary = (values: readonly (string | null)[], minCount: number): string[] => {
  const counts = new Map<string, number>();
  for (const value of values) if (value !== null) counts.set(value, (counts.get(value) ?? 0) + 1);
  const kept = [...counts].filter(([, count]) => count >= minCount);
  return kept.sort(([a, m], [b, n]) => n - m || (a < b ? -1 : 1)).map(([value]) => value);
};

const quantile = (sorted: readonly number[], fraction: number): number => {
  const place = fraction * (sorted.length - 1);
  const low = sorted[Math.floor(place)]!;
  return low + (place - Math.floor(place)) * (sorted[Math.ceil(place)]! - low);
};

describe('fitEncoders', () => {
  it('counts a shared table over every column that names it, on the training split alone', () => {
    const events = requests.flatMap((row) => (row['history.ad'] as (string | null)[]).slice(-4));
    const expected = vocabulary([...(candidates.map((row) => row['ad']) as (string | null)[]), ...events], 2);
    expect(expected.length).toBeGreaterThan(12);
    expect(table('ad')).toEqual({ type: 'vocabulary', name: 'ad', rows: 15, values: expected.slice(0, 12) });
  });

  it('counts multi-valued ids as far as they are kept', () => {
    const tags = candidates.flatMap((row) => ((row['tags'] ?? []) as (string | null)[]).slice(0, 3));
    expect(table('tags')).toMatchObject({ values: vocabulary(tags, 1) });
  });

  it('does not see values of later splits', () => {
    const late = fixture.requests.filter((row) => row['@split'] !== 0).map((row) => row['user']);
    expect(late).toContain('22');
    expect(table('user')).toMatchObject({ values: expect.not.arrayContaining(['22']) });
  });

  it('fits population moments', () => {
    const ages = valuesOf(requests, 'age');
    const mean = ages.reduce((a, b) => a + b, 0) / ages.length;
    const deviation = Math.sqrt(ages.reduce((sum, age) => sum + (age - mean) ** 2, 0) / ages.length);
    expect(column('age')).toMatchObject({ encoding: { type: 'affine', log: false, mean: expect.closeTo(mean, 9), deviation: expect.closeTo(deviation, 9) } });
    const logs = valuesOf(candidates, 'price').map((price) => Math.sign(price) * Math.log1p(Math.abs(price)));
    const logMean = logs.reduce((a, b) => a + b, 0) / logs.length;
    expect(column('price')).toMatchObject({ encoding: { log: true, mean: expect.closeTo(logMean, 9) } });
  });

  it('gives a constant the deviation 1', () => {
    expect(column('constant')).toMatchObject({ encoding: { deviation: 1, mean: expect.closeTo(0.1, 12) } });
  });

  it('takes exact quantiles', () => {
    const ranks = valuesOf(candidates, 'rank').sort((a, b) => a - b);
    expect(column('rank')).toMatchObject({ encoding: { type: 'quantile', quantiles: Array.from({ length: 11 }, (_, i) => quantile(ranks, i / 10)) } });
  });

  it('cuts buckets of equal mass', () => {
    const hours = valuesOf(candidates, 'hour').sort((a, b) => a - b);
    expect(table('hour')).toEqual({ type: 'bucket', name: 'hour', rows: 7, boundaries: [1, 2, 3].map((i) => quantile(hours, i / 4)) });
    expect(column('hour')).toMatchObject({ kind: 'id', table: 'hour' });
  });

  it('drops boundaries that would leave a bucket empty, and sorts declared ones', async () => {
    const { project, staged } = fixture;
    const refit = async (encoding: Extract<(typeof project.features)[number], { kind: 'number' }>['encoding'], name: string): Promise<TableState> => {
      const features = project.features.map((feature) => (feature.kind === 'number' && feature.name === name ? { ...feature, encoding } : feature));
      return (await fitEncoders(database, staged, { ...project, features })).tables.find((state) => state.name === name)!;
    };
    expect(await refit({ type: 'bucket', count: 8 }, 'constant')).toMatchObject({ boundaries: [], rows: 4 });
    expect(await refit({ type: 'bucket', boundaries: [9, 3, 9] }, 'rank')).toMatchObject({ boundaries: [3, 9], rows: 6 });
  });

  it('describes hashed, timed, multi-valued and training-only columns', () => {
    expect(table('query')).toEqual({ type: 'hash', name: 'query', rows: 53, buckets: 50 });
    const gap = column('history.gap');
    expect(gap).toMatchObject({ kind: 'ids', side: 'request', keep: 'last', maxLength: 4, pooling: 'sum', feature: 'history' });
    expect('table' in gap && table(gap.table)).toMatchObject({ type: 'time_gap', rows: 19 });
    expect(column('tags')).toMatchObject({ keep: 'first', maxLength: 3, surfaces: ['feed'] });
    expect(column('position')).toMatchObject({ serveAs: '1' });
    expect(column('taste')).toMatchObject({ kind: 'vector', size: 3 });
  });

  it('lists view types, with index 0 for one never seen', () => {
    expect(encoders.viewTypes).toEqual(['', 'feed/feed', 'search/grid', 'search/list']);
    expect(encoders.surfaces).toEqual(['feed', 'search']);
  });

  it('fits the same encoders again, whatever the number of threads', async () => {
    await database.run('SET threads TO 4');
    expect(await fitEncoders(database, fixture.staged, fixture.project)).toEqual(encoders);
    expect(await database.rows(`SELECT current_setting('threads') AS threads`)).toEqual([{ threads: 4 }]);
  });

  it('copes with a training split without values', async () => {
    const empty = { ...fixture.staged, splits: { ...fixture.staged.splits, train: { firstKey: 0, requests: 0, candidates: 0 } } };
    const fitted = await fitEncoders(database, empty, fixture.project);
    expect(fitted.tables.find((state) => state.name === 'ad')).toMatchObject({ rows: 3, values: [] });
    expect(fitted.columns.find((state) => state.name === 'age')).toMatchObject({ encoding: { mean: 0, deviation: 1 } });
    expect(fitted.tables.find((state) => state.name === 'hour')).toMatchObject({ boundaries: [] });
  });
});
