import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { DataError } from '../config/errors.js';
import { resolveProject } from '../config/resolve.js';
import type { IdColumn, IdsColumn, NumberColumn, VectorColumn } from '../data/columns.js';
import { openDatabase } from '../data/duckdb.js';
import { createEncoder } from '../data/encode.js';
import type { EncoderSet } from '../data/encoder-state.js';
import { encodeRaw } from './encode-raw.js';
import type { EncodedRows } from './open-export.js';
import { readRawRows, type RawRows } from './raw-rows.js';
import { rawSchema, type RawSchema } from './raw-schema.js';

const TIME = 1_700_000_000;

const project = resolveProject(
  {
    name: 'raw',
    surfaces: { feed: { source: { files: 'f' }, keys: { request: 'rid', user: 'uid', time: 'at', timeUnit: 's' }, viewType: 'slot', viewTypes: ['grid', 'list'] } },
    features: {
      member: { kind: 'categorical', side: 'request', column: 'is_member' },
      history: { kind: 'sequence', length: 2, events: { source: { files: 'e' } }, fields: { item: { table: 'item' }, gap: { kind: 'time_gap' } } },
      recent: { kind: 'sequence', length: 2, time: 'recent_at', timeUnit: 's', fields: { item: { column: 'recent_items', table: 'item' } } },
      item: { kind: 'categorical', side: 'candidate', column: 'ad' },
      price: { kind: 'number', side: 'candidate', column: 'cents / 100.0', encoding: { type: 'none' } },
      shape: { kind: 'vector', side: 'candidate', size: 2 },
      position: { kind: 'categorical', side: 'candidate', trainingOnly: { serveAs: 2 } },
    },
    tasks: { click: { label: 'clicked' } },
  },
  { file: '/raw/onefold.config.ts' },
);

/** The same logs with a row per request. */
const listsOf = (one: RawSchema): RawSchema => ({
  ...one,
  layout: 'request',
  features: one.features.map((feature) => (feature.name === 'price' ? ({ ...feature, columns: { feed: 'list_transform(cents, lambda c: c / 100.0)' } } as typeof feature) : feature)),
});

const schema = rawSchema(project, 'feed', new Set(project.features.map((feature) => feature.name)));

const surfaces = ['feed'];
const encoders: EncoderSet = {
  surfaces,
  viewTypes: ['', 'feed/grid', 'feed/list'],
  tables: [
    { type: 'vocabulary', name: 'member', rows: 5, values: ['true', 'false'] },
    { type: 'vocabulary', name: 'item', rows: 6, values: ['7', '8', '9'] },
    { type: 'vocabulary', name: 'position', rows: 5, values: ['1', '2'] },
    { type: 'time_gap', name: 'history.gap', rows: 19 },
  ],
  columns: [
    { kind: 'id', name: 'member', feature: 'member', side: 'request', surfaces, table: 'member' },
    { kind: 'ids', name: 'history.item', feature: 'history', side: 'request', surfaces, table: 'item', pooling: 'mean', maxLength: 2, keep: 'last' },
    { kind: 'ids', name: 'history.gap', feature: 'history', side: 'request', surfaces, table: 'history.gap', pooling: 'mean', maxLength: 2, keep: 'last' },
    { kind: 'ids', name: 'recent.item', feature: 'recent', side: 'request', surfaces, table: 'item', pooling: 'mean', maxLength: 2, keep: 'last' },
    { kind: 'id', name: 'item', feature: 'item', side: 'candidate', surfaces, table: 'item' },
    { kind: 'number', name: 'price', feature: 'price', side: 'candidate', surfaces, encoding: { type: 'affine', log: false, mean: 0, deviation: 1 } },
    { kind: 'vector', name: 'shape', feature: 'shape', side: 'candidate', surfaces, size: 2 },
    { kind: 'id', name: 'position', feature: 'position', side: 'candidate', surfaces, table: 'position', serveAs: 2 },
  ],
};

let directory: string;
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'onefold-'));
});
afterAll(() => {
  rmSync(directory, { recursive: true, force: true });
});

/** A row of the surface's own log, changed where `change` says; `null` drops the column. */
const rowSql = (change: Readonly<Record<string, string | null>> = {}): string => {
  const columns: Record<string, string | null> = {
    rid: '1', uid: '5', at: String(TIME), slot: `'grid'`, is_member: 'true', '"history.item"': '[8, 9]', '"history.@time"': `[${TIME * 1000 - 130_000}, ${TIME * 1000 - 1}]`,
    recent_items: '[7, 8, 77]', recent_at: `[${TIME - 30}, ${TIME - 20}, ${TIME - 10}]`, ad: '7', cents: '250', shape: '[0.5, 1.0]::DOUBLE[]', position: '1',
    ...change,
  };
  return `SELECT ${Object.entries(columns).flatMap(([column, value]) => (value === null ? [] : [`${value} AS ${column}`])).join(', ')}`;
};

interface ReadOptions {
  readonly layout?: 'request';
  /** Query that gives events. */
  readonly events?: string;
}

const read = async (rows: readonly string[], serving = true, { layout, events }: ReadOptions = {}): Promise<RawRows[]> => {
  const file = join(directory, 'rows.parquet');
  const database = await openDatabase({ threads: 1 });
  try {
    await database.run(`COPY (${rows.join(' UNION ALL ')}) TO '${file}' (FORMAT parquet)`);
    if (events !== undefined) await database.run(`COPY (${events}) TO '${join(directory, 'events.parquet')}' (FORMAT parquet)`);
    const chunks: RawRows[] = [];
    const options = { directory, serving, ...(events === undefined ? {} : { events: { history: 'events.parquet' } }) };
    for await (const chunk of readRawRows(database, layout === undefined ? schema : listsOf(schema), file, options)) chunks.push(chunk);
    return chunks;
  } finally {
    database.close();
  }
};

const encode = async (rows: readonly string[], serving = true, options: ReadOptions = {}): Promise<EncodedRows> => encodeRaw((await read(rows, serving, options))[0]!, createEncoder(encoders), 'feed', serving);

describe('raw rows of a surface', () => {
  it('are grouped where the request id changes, and only there', async () => {
    const ids = ['1', '1', '2', '3', '3', '1'];
    const [rows] = await read(ids.map((id) => rowSql({ rid: id })));
    expect(rows!.requestIds).toEqual(ids);
    expect([...rows!.requestRows]).toEqual([0, 2, 3, 5]);
    expect([...rows!.rowToRequest]).toEqual([0, 0, 1, 2, 2, 3]);
  });

  it('are encoded with request columns once a request', async () => {
    const encoded = await encode([
      rowSql(),
      rowSql({ ad: '9', cents: '1', shape: 'NULL::DOUBLE[]' }),
      rowSql({ rid: '2', slot: `'list'`, is_member: 'NULL::BOOLEAN', recent_items: '[]::INTEGER[]', recent_at: '[]::BIGINT[]', ad: '123', cents: 'NULL::INTEGER' }),
    ]);
    expect([encoded.requestCount, encoded.candidateCount]).toEqual([2, 3]);
    expect([...encoded.viewTypes]).toEqual([1, 2]);
    const ids = (column: string): number[] => [...((encoded.requestColumns.get(column) ?? encoded.candidateColumns.get(column)) as IdColumn).values];
    // Booleans are the ids "true" and "false"; 1 is missing, 2 unknown, values from 3 on.
    expect(ids('member')).toEqual([3, 1]);
    expect(ids('item')).toEqual([3, 5, 2]);
    expect([...(encoded.candidateColumns.get('price') as NumberColumn).values]).toEqual([2.5, Math.fround(0.01), NaN]);
    expect([...(encoded.candidateColumns.get('shape') as VectorColumn).values]).toEqual([0.5, 1, NaN, NaN, 0.5, 1]);
    const lists = (column: string): number[][] => {
      const { offsets, values } = encoded.requestColumns.get(column) as IdsColumn;
      return [0, 1].map((row) => [...values.subarray(offsets[row], offsets[row + 1])]);
    };
    expect(lists('history.item')).toEqual([[4, 5], [4, 5]]);
    // 130 s and 1 ms before the request: rows of 2 and of less than 1 minute.
    expect(lists('history.gap')).toEqual([[4, 3], [4, 3]]);
    // The newest two of three; 77 is unknown.
    expect(lists('recent.item')).toEqual([[4, 2], []]);
  });

  it('need no column of a training-only feature when they are served, and use none', async () => {
    const served = async (position: string | null): Promise<number[]> => [...((await encode([rowSql({ position })])).candidateColumns.get('position') as IdColumn).values];
    expect(await served(null)).toEqual([4]);
    expect(await served(`'anything'`)).toEqual([4]);
    const logged = await encode([rowSql({ position: '1' })], false);
    expect([...(logged.candidateColumns.get('position') as IdColumn).values]).toEqual([3]);
    await expect(encode([rowSql({ position: null })], false)).rejects.toThrow(/position/);
  });

  it('may have the names of the merged schema', async () => {
    const merged = `SELECT '1' AS "@request_id", '5' AS "@user_id", ${TIME * 1000} AS "@time", 'grid' AS "@view_type", 'true' AS member,
      ['8', '9'] AS "history.item", [${TIME * 1000 - 130_000}, ${TIME * 1000 - 1}] AS "history.@time", ['8', '77'] AS "recent.item", [${TIME * 1000 - 20_000}, ${TIME * 1000 - 10_000}] AS "recent.@time",
      '7' AS item, 2.5::DOUBLE AS price, [0.5, 1]::FLOAT[] AS shape, '1' AS position`;
    expect(await encode([merged])).toEqual(await encode([rowSql()]));
  });

  it.each<[string, Readonly<Record<string, string | null>>, RegExp]>([
    ['an event after the request', { recent_at: `[${TIME - 30}, ${TIME - 20}, ${TIME + 10}]` }, /"recent": history from the future/],
    ['a joined event after the request', { '"history.@time"': `[${TIME * 1000 - 5}, ${TIME * 1000 + 5}]` }, /"history": history from the future/],
    ['lists of different lengths', { recent_items: '[7]' }, /"recent": its lists differ in length \(1, 3\)/],
    ['another view type', { slot: `'banner'` }, /view type not declared \(banner\)/],
    ['no request id', { rid: 'NULL::INTEGER' }, /request key: missing/],
    ['a vector of another size', { shape: '[1.0]::DOUBLE[]' }, /wrong size \(1 numbers\)/],
    ['NaN', { cents: `'nan'::DOUBLE` }, /NaN or infinite/],
    ['no time', { at: 'NULL::BIGINT' }, /not a time/],
  ])('are refused by row and reason: %s', async (_, change, reason) => {
    const error = await read([rowSql({ rid: '8', cents: '1.0::DOUBLE' }), rowSql({ rid: '9', cents: '1.0::DOUBLE', ...change })]).catch((caught: unknown) => caught);
    expect(error).toBeInstanceOf(DataError);
    expect((error as DataError).message).toMatch(reason);
    expect((error as DataError).where).toMatch(/rows\.parquet:2$/);
  });

  it('are refused where rows of one request differ on the request side', async () => {
    await expect(read([rowSql(), rowSql(), rowSql({ is_member: 'false' })])).rejects.toThrow(/row 3: the request-side values differ .* \(1\)/);
    await expect(read([rowSql(), rowSql({ rid: '2', is_member: 'false' })])).resolves.toHaveLength(1);
  });

  it('name the column that is missing', async () => {
    await expect(read([rowSql({ ad: null })])).rejects.toThrow(/no column "ad"/);
  });

  it('name all lists of a history that are missing, and what they are', async () => {
    const error = await read([rowSql({ '"history.item"': null, '"history.@time"': null })]).catch((caught: unknown) => caught);
    expect(error).toBeInstanceOf(DataError);
    expect(error).toMatchObject({
      message: expect.stringMatching(/rows\.parquet has no "history\.item", "history\.@time": what training joined from events$/) as string,
      expected: expect.stringContaining('one element per event') as string,
      fix: expect.stringContaining('--events history=FILE') as string,
    });
    await expect(read([rowSql({ '"history.@time"': null })])).rejects.toThrow(/has no "history\.@time":/);
  });
});

describe('raw rows that are requests', () => {
  const lists = { ad: '[7, 9, 123]', cents: '[250, 1, NULL]', shape: '[[0.5, 1.0], NULL, [0.5, 1.0]]', position: null };
  const listed = (change: Readonly<Record<string, string | null>> = {}): string => rowSql({ ...lists, ...change });
  const request = { layout: 'request' } as const;

  it('are encoded as their candidates in rows of their own are', async () => {
    const second = { rid: '2', is_member: 'false' };
    const candidates = [
      rowSql(),
      rowSql({ ad: '9', cents: '1', shape: 'NULL::DOUBLE[]' }),
      rowSql({ ad: '123', cents: 'NULL::INTEGER' }),
      rowSql({ ...second, ad: '8', cents: 'NULL::INTEGER', shape: '[2, 3]' }),
    ];
    const requests = [listed(), listed({ ...second, ad: '[8]', cents: 'NULL::INTEGER[]', shape: '[[2, 3]]' })];
    expect(await encode(requests, true, request)).toEqual(await encode(candidates));
    const [rows] = await read(requests, true, request);
    expect([...rows!.fileRows]).toEqual([1, 1, 1, 2]);
    expect([...rows!.rowToRequest]).toEqual([0, 0, 0, 1]);
  });

  it.each<[string, Readonly<Record<string, string | null>>, RegExp]>([
    ['lists of different lengths', { cents: '[250, 1]' }, /row 2: candidate lists differ in length \(.*ad: 3, list_transform\(cents.*: 2/],
    ['no candidates', { ad: '[]::INTEGER[]', cents: 'NULL::INTEGER[]', shape: '[]::DOUBLE[][]' }, /row 2: a request without candidates/],
    ['a candidate that does not fit', { shape: '[[0.5, 1.0], NULL, [0.5]]' }, /row 2, candidate 3: .*wrong size/],
    ['a request that does not fit', { slot: `'banner'` }, /row 2: .*view type not declared/],
  ])('are refused by row and reason: %s', async (_, change, reason) => {
    const error = await read([listed({ rid: '8' }), listed({ rid: '9', ...change })], true, request).catch((caught: unknown) => caught);
    expect(error).toBeInstanceOf(DataError);
    expect((error as DataError).message).toMatch(reason);
    expect((error as DataError).where).toMatch(/rows\.parquet:2$/);
  });

  it('must have lists where candidates differ', async () => {
    await expect(read([listed({ ad: '7' })], true, request)).rejects.toThrow(/"ad" is a number \(INTEGER\), not a list/);
  });
});

describe('histories joined to raw rows', () => {
  const bare = (change: Readonly<Record<string, string | null>> = {}): string => rowSql({ '"history.item"': null, '"history.@time"': null, ...change });
  /** Of user 5: three before the request, one at its time; of user 6 one before it. */
  const events = `SELECT * FROM (VALUES (5, ${TIME * 1000 - 900_000}, 7), (5, ${TIME * 1000 - 130_000}, 8), (5, ${TIME * 1000 - 1}, 9), (5, ${TIME * 1000}, 7), (6, ${TIME * 1000 - 1}, 7)) AS e(user_id, time, item)`;

  it('are the newest events strictly before each row, rows staying in order', async () => {
    const ids = Array.from({ length: 20 }, (_, index) => String(100 - index));
    const [rows] = await read(ids.map((rid) => bare({ rid })), true, { events });
    expect(rows!.requestIds).toEqual(ids);
    expect(await encode([bare()], true, { events })).toEqual(await encode([rowSql()]));
    const none = rowSql({ uid: '7', '"history.item"': '[]::INTEGER[]', '"history.@time"': '[]::BIGINT[]' });
    expect(await encode([bare({ uid: '7' })], true, { events })).toEqual(await encode([none]));
  });

  it('are there once', async () => {
    await expect(read([rowSql()], true, { events })).rejects.toThrow(/has a column "history\.item" already/);
  });

  it('are of events that fit', async () => {
    await expect(read([bare()], true, { events: 'SELECT 5 AS user_id, 7 AS item' })).rejects.toThrow(/events of "history".*no column "time"/);
    await expect(read([bare()], true, { events: `SELECT 5 AS user_id, 7 AS item, 'soon' AS time` })).rejects.toThrow(/events of "history" has 1 bad row/);
  });
});
