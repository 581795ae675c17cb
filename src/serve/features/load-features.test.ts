import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { DataError } from '../../config/errors.js';
import { openDatabase, quoteLiteral } from '../../data/duckdb.js';
import type { FeatureFile } from './feature-file.js';
import type { FeatureValues } from './feature-store.js';
import { openLmdbStore } from './lmdb-store.js';
import { loadFeatures } from './load-features.js';

let directory: string;
let store: Awaited<ReturnType<typeof openLmdbStore>>;

beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'onefold-load-'));
  store = await openLmdbStore(join(directory, 'store'));
});

afterAll(async () => {
  await store.close();
  rmSync(directory, { recursive: true, force: true });
});

/** Writes a query's rows to a file, in the format of its name. */
const write = async (name: string, sql: string): Promise<string> => {
  const file = join(directory, name);
  const database = await openDatabase({ threads: 1 });
  const format = name.endsWith('.csv') ? 'FORMAT csv, HEADER' : name.endsWith('.jsonl') ? 'FORMAT json' : 'FORMAT parquet';
  await database.run(`COPY (${sql}) TO ${quoteLiteral(file)} (${format})`);
  database.close();
  return file;
};

const load = (source: FeatureFile, ttl?: number): Promise<number> => loadFeatures({ store, source, ttl });

const item = async (id: string): Promise<FeatureValues | undefined> => (await store.lookup({ userId: undefined, itemIds: [id], sequences: [], before: 0, limit: 0 })).items[0];

const history = async (user: string): Promise<unknown> => (await store.lookup({ userId: user, itemIds: [], sequences: ['h'], before: Infinity, limit: 100 })).events[0];

describe('loading features', () => {
  it('keeps values as the logs of training have them', async () => {
    const file = await write(
      'items.parquet',
      `SELECT 'i' AS id, true AS is_new, [true, NULL] AS flags, 'x' AS brand, 2::DECIMAL(9, 2) / 4 AS price, 9007199254740993::BIGINT AS big, 7::UTINYINT AS small,
        TIMESTAMP '2026-01-01 10:00:00' AS since, ['a', NULL] AS tags, [0.5, 1]::FLOAT[2] AS shape, 'nan'::DOUBLE AS none, NULL::INTEGER AS missing, CAST([] AS INTEGER[]) AS nothing, true AS "True name"`,
    );
    expect(await load({ kind: 'item', file, key: 'id' })).toBe(1);
    expect(await item('i')).toEqual({
      is_new: true,
      flags: [true, null],
      brand: 'x',
      price: 0.5,
      big: '9007199254740993',
      small: 7,
      since: '2026-01-01 10:00:00',
      tags: ['a', null],
      shape: [0.5, 1],
      none: null,
      missing: null,
      nothing: [],
      'True name': true,
    });
  });

  it('keeps whole numbers as numbers beside one that is too large to be exact', async () => {
    const values = `CASE i WHEN 2 THEN 9300000000000001 WHEN 3 THEN NULL ELSE i END`;
    await load({ kind: 'item', file: await write('large.parquet', `SELECT 'large ' || i AS id, CAST(${values} AS BIGINT) AS v, [CAST(${values} AS BIGINT)] AS all FROM range(4) t(i)`), key: 'id' });
    expect(await Promise.all([0, 1, 2, 3].map((row) => item(`large ${row}`)))).toEqual([{ v: 0, all: [0] }, { v: 1, all: [1] }, { v: '9300000000000001', all: ['9300000000000001'] }, { v: null, all: [null] }]);
  });

  it('reads ids as training does: a text as it is, a whole number whatever its type', async () => {
    await load({ kind: 'item', file: await write('texts.parquet', `SELECT * FROM (VALUES ('007', 1), ('7e1', 2), (' 8', 3)) AS t(id, v)`), key: 'id' });
    expect([await item('007'), await item('7e1'), await item(' 8'), await item('7'), await item('70')]).toEqual([{ v: 1 }, { v: 2 }, { v: 3 }, undefined, undefined]);
    await load({ kind: 'item', file: await write('numbers.parquet', `SELECT * FROM (VALUES (50.0::DOUBLE, 1), (50.5, 2)) AS t(id, v)`), key: 'id' });
    expect([await item('50'), await item('50.5')]).toEqual([{ v: 1 }, { v: 2 }]);
  });

  it.for(['csv', 'jsonl', 'parquet'])('takes columns under other names and expressions out of %s', async (format) => {
    const file = await write(`named-${format}.${format}`, `SELECT 'n-${format}' AS id, 1990 AS born, 'de' AS ctry, 'secret' AS mail`);
    await load({ kind: 'item', file, key: 'id', columns: { country: 'ctry', age: '2026 - born' } });
    expect(await item(`n-${format}`)).toEqual({ country: 'de', age: 36 });
  });

  it('reads all files of a pattern, in batches, and lets them expire', async () => {
    for (const part of [0, 1]) await write(`many-${part}.parquet`, `SELECT 'm' || (i + ${part * 3000}) AS id, i AS v FROM range(3000) t(i)`);
    const told: number[] = [];
    const source = { kind: 'item', file: join(directory, 'many-*.parquet'), key: 'id' } as const;
    expect(await loadFeatures({ store, source, ttl: 2, onProgress: (rows) => told.push(rows) })).toBe(6000);
    expect(told.length).toBeGreaterThan(2);
    expect(await item('m5999')).toEqual({ v: 2999 });
    await new Promise((resolve) => setTimeout(resolve, 2050));
    expect(await item('m5999')).toBeUndefined();
    expect(await store.sweep()).toBeGreaterThanOrEqual(6000);
  });

  it.for([
    ['timestamps', `TIMESTAMP '2026-01-01 00:00:00.0015'`, 'ms'],
    ['microseconds', '1767225600001500', 'us'],
    ['seconds', '1767225600.0015::DOUBLE', 's'],
    ['texts', `'2026-01-01T00:00:00.0015Z'`, 'ms'],
  ] as const)('reads times that are %s', async ([kind, sql, timeUnit]) => {
    const file = await write(`events-${kind}.parquet`, `SELECT 'u-${kind}' AS user, ${sql} AS at, 'p' AS pin, 7 AS topic`);
    await load({ kind: 'event', sequence: 'h', file, user: 'user', time: 'at', timeUnit });
    expect(await history(`u-${kind}`)).toEqual({ times: [1767225600001.5], fields: { pin: ['p'], topic: [7] } });
  });

  it('takes the rows of a condition, as training does', async () => {
    const file = await write('some.jsonl', `SELECT 's' AS user, 1767225600000 + i AS at, i AS n, CASE i % 2 WHEN 0 THEN 'click' ELSE 'view' END AS action FROM range(5) t(i)`);
    const source = { kind: 'event', sequence: 'h', file, user: 'user', time: 'at', timeUnit: 'ms', columns: { n: 'n' } } as const;
    expect(await load({ ...source, where: "action = 'click'" })).toBe(3);
    expect(await history('s')).toMatchObject({ fields: { n: [0, 2, 4] } });
    await expect(load({ ...source, where: 'acton = 1' })).rejects.toMatchObject({ code: 'data', where: '--where', message: expect.stringContaining('acton') as string });
  });

  it('puts events of any order in their order', async () => {
    const file = await write('order.csv', `SELECT 'o' AS user, 1767225600000 + (i * 7) % 50 AS at, 'p' || (i * 7) % 50 AS pin FROM range(50) t(i)`);
    await load({ kind: 'event', sequence: 'h', file, user: 'user', time: 'at', timeUnit: 'ms' });
    expect(await history('o')).toEqual({ times: Array.from({ length: 50 }, (_, index) => 1767225600000 + index), fields: { pin: Array.from({ length: 50 }, (_, index) => `p${index}`) } });
  });

  describe('refuses', () => {
    const refused = async (source: FeatureFile, says: readonly (string | RegExp)[]): Promise<void> => {
      const error: unknown = await load(source).catch((cause: unknown) => cause);
      expect(error).toBeInstanceOf(DataError);
      for (const one of says) expect((error as DataError).message).toMatch(one);
    };

    it('rows without an id or a time, by file and row', async () => {
      writeFileSync(join(directory, 'ids-1.csv'), 'id,v\na,1\nb,2\n');
      writeFileSync(join(directory, 'ids-2.csv'), 'id,v\nc,1\n,2\n');
      await refused({ kind: 'user', file: join(directory, 'ids-*.csv'), key: 'id' }, [/ids-2\.csv, row 2: the id of the user: missing/]);
      const file = await write('times.parquet', `SELECT 'u' AS user, CASE WHEN i <> 3 THEN 1767225600000 + i END AS at FROM range(9) t(i)`);
      await refused({ kind: 'event', sequence: 'h', file, user: 'user', time: 'at', timeUnit: 'ms' }, [/times\.parquet, row 4: the time of an event: not a time/]);
      await refused({ kind: 'event', sequence: 'h', file, user: 'user', time: 'at', timeUnit: 's' }, [/times\.parquet, row 1: the time of an event: not a time \(1767225600000\)/]);
    });

    it('ids that no store can keep', async () => {
      await refused({ kind: 'item', file: await write('long.parquet', `SELECT repeat('é', 501) AS id, 1 AS v`), key: 'id' }, [/long\.parquet, row 1: an id of 1002 bytes/]);
    });

    it('columns that are not there, and values that are no features', async () => {
      const file = await write('structs.parquet', `SELECT 'i' AS id, {'a': 1} AS nested, ['x'] AS list, 1767225600000 AS at`);
      await refused({ kind: 'item', file, key: 'ids' }, [/there is no column "ids"; did you mean "id"\?/]);
      await refused({ kind: 'item', file, key: 'id', columns: { brand: 'brnd' } }, [/feature "brand": there is no column "brnd"/]);
      await refused({ kind: 'item', file, key: 'id' }, [/feature "nested": "nested" is a nested or binary value/]);
      await refused({ kind: 'event', sequence: 'h', file, user: 'id', time: 'at', timeUnit: 'ms', columns: { pin: 'list' } }, [/feature "pin": "list" is a list of texts/]);
      await refused({ kind: 'item', file: join(directory, 'nowhere.parquet'), key: 'id' }, [/no file matches .*nowhere\.parquet/]);
      writeFileSync(join(directory, 'cut.parquet'), 'PAR1');
      await refused({ kind: 'item', file: join(directory, 'cut.parquet'), key: 'id' }, [/cut\.parquet.* truncated or damaged/]);
    });
  });
});
