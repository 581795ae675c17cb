import { mkdtempSync, readFileSync, rmSync, truncateSync, unlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { encodeNaively, plainRow } from '../../test/fixtures/encode-oracle.js';
import { byUser, stageFixture, type RawRow, type StagedFixture } from '../../test/fixtures/staged-tables.js';
import type { Columns } from './columns.js';
import { openDatabase, type Database } from './duckdb.js';
import { rawColumnName } from './encode.js';
import type { ColumnState, EncoderSet } from './encoder-state.js';
import { fitEncoders } from './fit-encoders.js';
import type { ShardEntry, Split } from './prepared.js';
import { readShard } from './shard-reader.js';
import type { Shard } from './shard.js';
import { writeShards, type ShardProgress, type WrittenShards } from './shard-writer.js';

const REQUESTS = 3000;
const SHARD_CANDIDATES = 2500;
const TASKS = ['click', 'save'];

let database: Database;
let folder: string;
let fixture: StagedFixture;
let encoders: EncoderSet;
let written: WrittenShards;

const write = (into: string, split: Split = 'train', onProgress?: (progress: ShardProgress) => void): Promise<WrittenShards> =>
  writeShards(database, fixture.staged, encoders, split, into, { shardCandidates: SHARD_CANDIDATES, ...(onProgress === undefined ? {} : { onProgress }) });

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'onefold-shards-'));
  database = await openDatabase({ threads: 2 });
  fixture = await stageFixture(database, folder, REQUESTS);
  encoders = await fitEncoders(database, fixture.staged, fixture.project);
  written = await write(join(folder, 'prepared'));
});
afterAll(() => {
  database.close();
  rmSync(folder, { recursive: true });
});

const read = (entry: ShardEntry): Promise<Shard> => readShard(database, join(folder, 'prepared'), entry, encoders, TASKS);

const rowsOf = (rows: readonly RawRow[], split: number): readonly RawRow[] => rows.filter((row) => row['@split'] === split);

/** Compares every encoded value of a side with the oracle. */
const expectEncoded = (side: ColumnState['side'], columns: Columns, rows: readonly RawRow[]): void => {
  const states = encoders.columns.filter((state) => state.side === side);
  expect([...columns.keys()]).toEqual(states.map((state) => state.name));
  for (const state of states) {
    const name = rawColumnName(state, encoders);
    rows.forEach((row, index) => {
      const expected = encodeNaively(encoders, state, row['@surface'] as number, row[name], (row['@time'] as number | undefined) ?? 0);
      expect(plainRow(columns.get(state.name)!, index), `${state.name}, row ${index}, raw ${JSON.stringify(row[name])}`).toEqual(expected);
    });
  }
};

describe('writeShards and readShard', () => {
  it('give back every request and candidate, encoded as the oracle encodes them', async () => {
    const requests = rowsOf(fixture.requests, 0);
    const candidates = rowsOf(fixture.candidates, 0);
    expect(written.shards.length).toBeGreaterThan(2);
    let [request, candidate] = [0, 0];
    for (const entry of written.shards) {
      const shard = await read(entry);
      const ownRequests = byUser(requests.slice(request, request + shard.requestCount));
      const ownCandidates = ownRequests.flatMap((row) => candidates.filter((one) => one['@key'] === row['@key']));
      expect(shard.requestIds).toEqual(ownRequests.map((row) => row['@request_id']));
      expect(shard.users).toEqual(ownRequests.map((row) => row['@user_id']));
      expect([...shard.times]).toEqual(ownRequests.map((row) => row['@time']));
      expect([...shard.surfaces]).toEqual(ownRequests.map((row) => row['@surface']));
      expect([...shard.viewTypes].map((index) => encoders.viewTypes[index])).toEqual(
        ownRequests.map((row) => `${['feed', 'search'][row['@surface'] as number]!}/${row['@view_type'] as string}`),
      );
      ownRequests.forEach((row, index) => {
        expect(shard.offsets[index + 1]! - shard.offsets[index]!).toBe(row['@candidates']);
      });
      TASKS.forEach((task, index) => {
        expect([...shard.labels[index]!]).toEqual(ownCandidates.map((row) => row[`label.${task}`] ?? NaN));
      });
      expect([...shard.truths.keys()]).toEqual(['click']);
      expect([...shard.truths.get('click')!]).toEqual(ownCandidates.map((row) => row['truth.click']));
      expect(shard.weights.every((weight) => weight === 1)).toBe(true);
      expectEncoded('request', shard.requestColumns, ownRequests);
      expectEncoded('candidate', shard.candidateColumns, ownCandidates);
      request += shard.requestCount;
      candidate += shard.candidateCount;
    }
    expect([request, candidate]).toEqual([requests.length, candidates.length]);
  });

  it('fills shards to their limit and never cuts a request', async () => {
    for (const entry of written.shards) expect(entry.candidateCount).toBeLessThanOrEqual(SHARD_CANDIDATES);
    for (const entry of written.shards.slice(0, -1)) expect(entry.candidateCount).toBeGreaterThan(SHARD_CANDIDATES - 6);
    const shard = await read(written.shards[1]!);
    expect(shard.offsets[shard.requestCount]).toBe(shard.candidateCount);
  });

  it('keeps held-out requests in time order', async () => {
    const { shards } = await write(join(folder, 'held-out'), 'test');
    const ids: string[] = [];
    for (const entry of shards) ids.push(...(await readShard(database, join(folder, 'held-out'), entry, encoders, TASKS)).requestIds);
    expect(ids).toEqual(rowsOf(fixture.requests, 2).map((row) => row['@request_id']));
  });

  it('gives a request that is larger than a shard one of its own', async () => {
    const { splits } = fixture.staged;
    const staged = { ...fixture.staged, splits: { ...splits, test: { ...splits.test, requests: 25 } } };
    const { shards } = await writeShards(database, staged, encoders, 'test', join(folder, 'tiny'), { shardCandidates: 1 });
    expect(shards).toHaveLength(25);
    expect(shards.every((entry) => entry.requestCount === 1)).toBe(true);
  });

  it('counts requests, candidates, labels and positives by surface', () => {
    const count = (rows: readonly RawRow[], surface: number, condition: (row: RawRow) => boolean = () => true): number =>
      rows.filter((row) => row['@split'] === 0 && row['@surface'] === surface && condition(row)).length;
    ['feed', 'search'].forEach((name, surface) => {
      expect(written.counts[name]).toEqual({
        requests: count(fixture.requests, surface),
        candidates: count(fixture.candidates, surface),
        positives: Object.fromEntries(TASKS.map((task) => [task, count(fixture.candidates, surface, (row) => row[`label.${task}`] === 1)])),
        labelled: Object.fromEntries(TASKS.map((task) => [task, count(fixture.candidates, surface, (row) => row[`label.${task}`] !== null)])),
      });
    });
  });

  it('writes the same bytes again, and reports progress', async () => {
    const seen: ShardProgress[] = [];
    const again = await write(join(folder, 'again'), 'train', (progress) => seen.push(progress));
    expect(again).toEqual(written);
    for (const entry of written.shards) {
      for (const file of [entry.requests, entry.candidates]) {
        expect(readFileSync(join(folder, 'again', file.path)).equals(readFileSync(join(folder, 'prepared', file.path)))).toBe(true);
      }
    }
    const { requests, candidates } = fixture.staged.splits.train;
    expect(seen.at(-1)).toEqual({ requests, candidates, totalRequests: requests, totalCandidates: candidates });
  });

  it('gives no shards for an empty split', async () => {
    const staged = { ...fixture.staged, splits: { ...fixture.staged.splits, test: { firstKey: REQUESTS, requests: 0, candidates: 0 } } };
    const { shards, counts } = await writeShards(database, staged, encoders, 'test', join(folder, 'empty'), { shardCandidates: 10 });
    expect(shards).toEqual([]);
    expect(counts['feed']).toMatchObject({ requests: 0, candidates: 0, positives: { click: 0 } });
  });

  it('reports a folder that cannot be made', async () => {
    writeFileSync(join(folder, 'file'), '');
    await expect(write(join(folder, 'file'))).rejects.toMatchObject({ code: 'io' });
  });
});

describe('readShard', () => {
  it.each([
    ['is missing', (file: string) => { unlinkSync(file); }, /is missing/u],
    ['is cut short', (file: string) => { truncateSync(file, 100); }, /has 100 bytes; its manifest says/u],
    ['was altered', (file: string) => {
      const bytes = readFileSync(file);
      bytes[200] = bytes[200]! ^ 255;
      writeFileSync(file, bytes);
    }, /other content/u],
  ])('refuses a file that %s', async (_, damage, message) => {
    const { shards } = await write(join(folder, 'damaged'), 'validation');
    for (const part of ['requests', 'candidates'] as const) {
      const before = readFileSync(join(folder, 'damaged', shards[0]![part].path));
      damage(join(folder, 'damaged', shards[0]![part].path));
      await expect(readShard(database, join(folder, 'damaged'), shards[0]!, encoders, TASKS)).rejects.toMatchObject({ code: 'artifact', message: expect.stringMatching(message) });
      writeFileSync(join(folder, 'damaged', shards[0]![part].path), before);
    }
  });

  it('refuses a manifest that disagrees with its files', async () => {
    const [entry] = written.shards;
    await expect(read({ ...entry!, requestCount: entry!.requestCount + 1 })).rejects.toMatchObject({ code: 'artifact', message: expect.stringContaining('rows; its manifest says') });
    await expect(read({ ...entry!, candidateCount: entry!.candidateCount - 1 })).rejects.toMatchObject({ code: 'artifact' });
  });

  it('reads the labels asked for, in that order', async () => {
    const entry = written.shards[0]!;
    const both = await read(entry);
    const one = await readShard(database, join(folder, 'prepared'), entry, encoders, ['save']);
    expect(one.labels).toEqual([both.labels[1]]);
  });
});
