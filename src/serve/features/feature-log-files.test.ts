/** What the feature log's files are while they are written, and when they cannot be. */
import { mkdirSync, mkdtempSync, readdirSync, rmSync, watch, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { onSmallDisk } from '../../../test/support/refusing-disk.js';
import { INPUT, searchSurface } from '../../../test/support/search-surface.js';
import { openDatabase } from '../../data/duckdb.js';
import type { RawColumn } from '../../data/raw-column.js';
import type { RawRequest } from '../raw-request.js';
import { createFeatureLog, type FeatureLog, type FeatureLogOptions } from './feature-log.js';

let directory: string;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'onefold-log-files-'));
});

afterEach(() => {
  rmSync(directory, { recursive: true, force: true });
});

const SERVED = searchSurface(INPUT.query, INPUT.times);

const texts = (...values: readonly string[]): RawColumn => ({ type: 'string', values });
const times = (...values: readonly number[]): RawColumn => ({ type: 'list', offsets: Int32Array.of(0, values.length), valid: () => true, child: { type: 'number', values: Float64Array.from(values), valid: () => true } });

const logOne = (log: FeatureLog, requestId: string, over: Partial<RawRequest> = {}): void => {
  const request: RawRequest = { surface: 'search', requestId, time: 1000, candidateCount: 1, requestColumns: new Map(), candidateColumns: new Map(), ...over };
  log.log(request, { surface: 'search', version: 'v1', scores: { click: Float32Array.of(0.5) }, defaulted: [], ignored: [], degraded: [] }, SERVED);
};

const open = (over: Partial<FeatureLogOptions> = {}): FeatureLog => createFeatureLog({ directory: join(directory, 'served'), sample: 1, onNotice: (message) => expect.fail(message), ...over });

const read = async (): Promise<readonly Record<string, unknown>[]> => {
  const database = await openDatabase({ threads: 1 });
  try {
    return await database.rows<Record<string, unknown>>(`FROM read_parquet('${join(directory, 'served/search/*.parquet')}') ORDER BY "@request_id"`);
  } finally {
    database.close();
  }
};

it('shows readers no file that is not whole', async () => {
  mkdirSync(join(directory, 'served/search'), { recursive: true });
  const seen: string[] = [];
  const watcher = watch(join(directory, 'served/search'), (_, name) => seen.push(name!));
  const log = open();
  logOne(log, 'r1');
  await log.close();
  await expect.poll(() => seen.some((name) => name.endsWith('.parquet'))).toBe(true);
  watcher.close();
  // DuckDB's patterns match names that begin with a dot, too.
  const [file] = readdirSync(join(directory, 'served/search'));
  expect(seen.filter((name) => name.endsWith('.parquet')).every((name) => name === file)).toBe(true);
});

it('loses no other request to values that no file can hold', async () => {
  const log = open();
  logOne(log, 'r1', { requestColumns: new Map([['query', texts('half \ud83d of a character, and \\ud83d in letters')], ['history.@time', times(-1e300, -0.5, 999.9, 1000)]]) });
  logOne(log, 'r2', { requestColumns: new Map([['query', texts('zero \0, quotes " and 👟')]]), time: 1234.5 });
  await log.close();
  expect(log.counts).toEqual({ written: 2, dropped: 0 });
  expect(await read()).toMatchObject([
    { '@request_id': 'r1', query: 'half \ufffd of a character, and \\ud83d in letters', 'history.@time': [null, -0.5, 999.9] },
    { '@request_id': 'r2', query: 'zero \0, quotes " and 👟', '@time': 1234.5, 'probability.click': [0.5] },
  ]);
});

it('counts what a full disk refuses, says so, and goes on when there is room', async (context) => {
  const served = join(directory, 'served');
  mkdirSync(served);
  const disk = onSmallDisk(context, served);
  try {
    const notices: string[] = [];
    const log = open({ fileRequests: 10, onNotice: (message) => notices.push(message) });
    const logTen = (from: number): void => {
      for (let index = from; index < from + 10; index += 1) logOne(log, `r${index}`);
    };
    disk.fill(0);
    logTen(10);
    logTen(20);
    await expect.poll(() => log.counts.dropped).toBe(20);
    expect(notices).toHaveLength(1);
    expect(notices[0]).toMatch(/no space left/i);
    disk.fill(500 * 1024);
    logTen(30);
    await log.close();
    expect(log.counts).toEqual({ written: 10, dropped: 20 });
    expect((await read()).map((row) => row['@request_id'])).toEqual(Array.from({ length: 10 }, (_, index) => `r${30 + index}`));
    expect(readdirSync(join(served, 'search')).filter((name) => name.startsWith('.'))).toEqual([]);
  } finally {
    disk.unmount();
  }
});

it('never fails a request', async () => {
  const notices: string[] = [];
  const log = open({ onNotice: (message) => notices.push(message) });
  const broken: RawColumn = { type: 'number', values: new Float64Array(1), valid: () => { throw new Error('torn'); } };
  logOne(log, 'r1', { requestColumns: new Map([['query', broken]]) });
  expect(log.counts.dropped).toBe(1);
  expect(notices[0]).toContain('torn');
  writeFileSync(join(directory, 'served'), 'a file where the folder belongs');
  logOne(log, 'r2');
  await log.close();
  expect(log.counts).toEqual({ written: 0, dropped: 2 });
});
