import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { DataError } from '../config/errors.js';
import { openDatabase } from './duckdb.js';
import { inspectColumns, type InspectedColumn, type InspectedTable } from './inspect-columns.js';

let folder: string;
const rows = `
  SELECT i // 3 AS request_id, (i // 3) % 5 AS user_id, TIMESTAMP '2025-01-01' + to_minutes((i // 3)::BIGINT) AS time,
    'ad' || (i % 7) AS ad_id, CASE WHEN i % 4 = 0 THEN NULL ELSE i / 8.0 END AS price,
    CASE WHEN i % 5 = 0 THEN 'NaN'::DOUBLE ELSE i END AS score, i % 2 = 0 AS clicked,
    CASE WHEN i % 3 = 1 THEN 'x' END AS partly, [i, i + 1, i + 2][: i % 4] AS topics,
    [i / 2.0, 1.0]::FLOAT[2] AS image, {'a': i} AS nested
  FROM range(30) t(i)`;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'onefold-inspect-'));
  const database = await openDatabase();
  await database.run(`COPY (${rows}) TO '${folder}/a.parquet'`);
  await database.run(`COPY (SELECT * EXCLUDE (topics, image, nested) FROM (${rows})) TO '${folder}/a.csv'`);
  await database.run(`COPY (SELECT * EXCLUDE (image, nested, score) FROM (${rows})) TO '${folder}/a.jsonl.gz' (FORMAT json, COMPRESSION gzip)`);
  await database.run(
    `COPY (SELECT request_id, any_value(user_id) AS user_id, list(ad_id) AS ad_id, list(clicked) AS clicked, any_value(topics) AS interests FROM (${rows}) GROUP BY 1 ORDER BY 1) TO '${folder}/grouped.parquet'`,
  );
  database.close();
});
afterAll(async () => {
  await rm(folder, { recursive: true, force: true });
});

const column = (table: InspectedTable, name: string): InspectedColumn => table.columns.find((found) => found.name === name)!;
const inspect = (files: string, options = {}) => inspectColumns({ files }, folder, 'surface "home"', options);

describe('columns', () => {
  test('of Parquet: types, distinct values, missing share, range', async () => {
    const table = await inspect('a.parquet');
    expect(table).toMatchObject({ rows: 30, complete: true, groups: [] });
    expect(table.columns.map((found) => found.name)).toEqual([
      'request_id', 'user_id', 'time', 'ad_id', 'price', 'score', 'clicked', 'partly', 'topics', 'image', 'nested',
    ]);
    expect(column(table, 'request_id')).toEqual({
      name: 'request_id',
      type: { sql: 'BIGINT', scalar: 'number', list: false, fractional: false },
      distinct: 10,
      nullShare: 0,
      min: 0,
      max: 9,
      whole: true,
      lengths: undefined,
      textLength: undefined,
    });
    expect(column(table, 'time')).toMatchObject({ type: { scalar: 'time' }, min: '2025-01-01 00:00:00', max: '2025-01-01 00:09:00' });
    expect(column(table, 'ad_id')).toMatchObject({ distinct: 7, min: 'ad0', max: 'ad6', textLength: 3, whole: false });
    expect(column(table, 'price')).toMatchObject({ distinct: 22, nullShare: 8 / 30, min: 1 / 8, max: 29 / 8, whole: false });
    expect(column(table, 'clicked')).toMatchObject({ type: { scalar: 'boolean' }, distinct: 2, min: 0, max: 1 });
    expect(column(table, 'nested')).toMatchObject({ type: { scalar: 'other' }, min: undefined, max: undefined });
  });

  test('NaN is no extreme, and whole numbers in a double are whole', async () => {
    expect(column(await inspect('a.parquet'), 'score')).toMatchObject({ min: 1, max: 29, whole: true });
  });

  test('of lists: their elements and lengths', async () => {
    const table = await inspect('a.parquet');
    expect(column(table, 'topics')).toMatchObject({ type: { list: true, scalar: 'number' }, min: 1, max: 29, lengths: { min: 0, max: 3 } });
    expect(column(table, 'image')).toMatchObject({
      type: { list: true, fractional: true },
      min: 0,
      max: 14.5,
      whole: false,
      lengths: { min: 2, max: 2, mean: 2 },
    });
  });

  test('of CSV, gzipped JSONL and a query', async () => {
    const expected = { distinct: 7, nullShare: 0, min: 'ad0', max: 'ad6' };
    for (const table of [
      await inspect('a.csv'),
      await inspect('*.jsonl.gz'),
      await inspectColumns({ sql: "FROM read_parquet('a.parquet');" }, folder, 'surface "home"'),
    ]) {
      expect(table.rows).toBe(30);
      expect(column(table, 'ad_id')).toMatchObject(expected);
      expect(column(table, 'price')).toMatchObject({ nullShare: 8 / 30 });
    }
    expect((await inspect('a.csv')).columns).toHaveLength(8);
  });

  test('of the first rows only', async () => {
    expect(await inspect('a.parquet', { sampleRows: 10 })).toMatchObject({ rows: 10, complete: false });
    expect(await inspect('a.parquet', { sampleRows: 30 })).toMatchObject({ rows: 30, complete: true });
  });
});

describe('groups', () => {
  test('which columns are constant within a request, a user', async () => {
    const { groups } = await inspect('a.parquet', { groups: () => ['request_id', 'user_id'] });
    expect(groups).toEqual([
      { count: 10, withSeveralRows: 10, constant: ['request_id', 'user_id', 'time'] },
      { count: 5, withSeveralRows: 5, constant: ['user_id'] },
    ]);
  });

  test('the keys are chosen from the columns, and may be expressions', async () => {
    const groups = (columns: readonly InspectedColumn[]) => [`user_id || '-' || ${columns[2]!.name}`];
    expect((await inspect('a.parquet', { groups })).groups).toMatchObject([{ count: 10 }]);
  });

  test('a log with one row per request is expanded to its candidates', async () => {
    const table = await inspect('grouped.parquet', { candidateLists: () => ['ad_id', 'clicked'], groups: () => ['request_id'] });
    expect(table.rows).toBe(30);
    expect(column(table, 'ad_id')).toMatchObject({ type: { list: false, scalar: 'text' }, distinct: 7 });
    expect(table.groups).toEqual([{ count: 10, withSeveralRows: 10, constant: ['request_id', 'user_id', 'interests'] }]);
  });
});

describe('refuses', () => {
  test('files that are not there', async () => {
    await expect(inspect('nope/*.parquet')).rejects.toThrow(/surface "home".*no file matches/);
  });

  test('a damaged file', async () => {
    await writeFile(join(folder, 'torn.parquet'), 'PAR1 not really');
    await expect(inspect('torn.parquet')).rejects.toThrow(DataError);
  });

  test('a query that DuckDB refuses', async () => {
    await expect(inspectColumns({ sql: 'selct 1' }, folder, 'surface "home"')).rejects.toThrow(DataError);
  });
});
