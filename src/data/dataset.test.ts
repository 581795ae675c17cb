import { mkdtempSync, rmSync, truncateSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { byUser, stageFixture, type StagedFixture } from '../../test/fixtures/staged-tables.js';
import { openDataset, type DatasetBatch, type DatasetOptions } from './dataset.js';
import { openDatabase } from './duckdb.js';
import { fitEncoders } from './fit-encoders.js';
import type { PreparedManifest } from './prepared.js';
import { writeShards } from './shard-writer.js';

const TASKS = ['click', 'save'];
let folder: string;
let fixture: StagedFixture;
let manifest: PreparedManifest;
/** Ids of the training requests in file order, and of those on search. */
let trained: readonly string[];
let searched: readonly string[];

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'onefold-dataset-'));
  const database = await openDatabase({ threads: 2 });
  fixture = await stageFixture(database, folder, 1500);
  const encoders = await fitEncoders(database, fixture.staged, fixture.project);
  const write = (split: 'train' | 'validation' | 'test') => writeShards(database, fixture.staged, encoders, split, folder, { shardCandidates: 500 });
  manifest = {
    version: 1, project: 'fixture', key: '', sources: [], encoders, tasks: [], boundaries: fixture.staged.boundaries, sampling: {}, rawRows: {}, quarantined: 0,
    splits: { train: await write('train'), validation: await write('validation'), test: await write('test') },
  };
  database.close();
  let start = 0;
  const inTime = fixture.requests.filter((row) => row['@split'] === 0);
  const rows = manifest.splits.train.shards.flatMap(({ requestCount }) => byUser(inTime.slice(start, (start += requestCount))));
  trained = rows.map((row) => row['@request_id'] as string);
  searched = rows.filter((row) => row['@surface'] === 1).map((row) => row['@request_id'] as string);
});
afterAll(() => {
  rmSync(folder, { recursive: true });
});

const open = (options: Partial<DatasetOptions> = {}) => openDataset(folder, manifest, 'train', { tasks: TASKS, batchCandidates: 64, ...options });

const idsOf = (batch: DatasetBatch): string[] => Array.from(batch.requestIndex, (request) => batch.source.requestIds[request]!);

const collect = async (options: Partial<DatasetOptions>, epoch = 0, from = 0): Promise<string[][]> => {
  const dataset = await open(options);
  const batches: string[][] = [];
  for await (const batch of dataset.batches({ epoch, from })) {
    expect(batch.candidateCount).toBeLessThanOrEqual(options.batchCandidates ?? 64);
    expect(batch.candidateCount).toBe(batch.labels[0]!.length);
    batches.push(idsOf(batch));
  }
  if (from === 0) expect(dataset.batchCount(epoch)).toBe(batches.length);
  dataset.close();
  return batches;
};

describe('openDataset', () => {
  it('gives requests in file order without shuffling', async () => {
    const dataset = await open();
    const seen: string[] = [];
    for await (const batch of dataset.batches()) {
      expect(batch.shardNumbers).toHaveLength(1);
      seen.push(...Array.from(batch.requestIndex).sort((a, b) => a - b).map((request) => batch.source.requestIds[request]!));
    }
    expect(seen).toEqual(trained);
    expect(dataset.requestCount).toBe(trained.length);
    expect(dataset.candidateCount).toBe(fixture.staged.splits.train.candidates);
    dataset.close();
  });

  it.each([
    ['one pool in memory', { poolCandidates: 4_000_000 }],
    ['pools of several shards', { poolCandidates: 2_000 }],
    ['a pool per shard', { poolCandidates: 1 }],
  ])('shuffles every request into exactly one batch: %s', async (_, options) => {
    const shuffled = { ...options, shuffle: true, seed: 7 };
    const first = await collect(shuffled);
    expect(first.flat().sort()).toEqual([...trained].sort());
    expect(first.flat()).not.toEqual(trained);
    expect(await collect(shuffled)).toEqual(first);
    expect(await collect(shuffled, 1)).not.toEqual(first);
    expect(await collect({ ...shuffled, seed: 8 })).not.toEqual(first);
  });

  it.each([4_000_000, 2_000, 1])('resumes inside an epoch (pool of %i candidates)', async (poolCandidates) => {
    const options = { shuffle: true, seed: 3, poolCandidates };
    const whole = await collect(options, 2);
    for (const from of [1, 10, whole.length - 1, whole.length]) expect(await collect(options, 2, from)).toEqual(whole.slice(from));
  });

  it('gives the same batches in every epoch of one dataset as in a fresh one', async () => {
    for (const poolCandidates of [4_000_000, 1_000]) {
      const dataset = await open({ shuffle: true, poolCandidates });
      for (const epoch of [0, 1, 0]) {
        const batches: string[][] = [];
        for await (const batch of dataset.batches({ epoch })) batches.push(idsOf(batch));
        expect(batches).toEqual(await collect({ shuffle: true, poolCandidates }, epoch));
      }
      dataset.close();
    }
  });

  it('bounds requests and sequence tokens beside candidates', async () => {
    for (const [shuffle, poolCandidates] of [[false, 4_000_000], [true, 4_000_000], [true, 1_000]] as const) {
      const dataset = await open({ batchRequests: 20, batchTokens: 40, sequences: ['history.ad'], shuffle, poolCandidates });
      const seen: string[] = [];
      let fullOfTokens = 0;
      let fullOfRequests = 0;
      for await (const batch of dataset.batches()) {
        const history = batch.requestColumns.get('history.ad');
        if (history?.kind !== 'ids') throw new Error('the fixture has a history');
        expect(batch.candidateCount).toBeLessThanOrEqual(64);
        expect(batch.requestCount).toBeLessThanOrEqual(20);
        expect(history.values.length).toBeLessThanOrEqual(40);
        if (history.values.length > 36) fullOfTokens += 1;
        if (batch.requestCount === 20) fullOfRequests += 1;
        seen.push(...idsOf(batch));
      }
      expect(seen.sort()).toEqual([...trained].sort());
      expect(fullOfTokens).toBeGreaterThan(0);
      expect(fullOfRequests).toBeGreaterThan(0);
      dataset.close();
    }
    const all = { shuffle: true, poolCandidates: 1_000 };
    expect(await collect({ ...all, batchRequests: Infinity, batchTokens: Infinity, sequences: ['history.ad'] })).toEqual(await collect(all));
  });

  it('keeps to the surfaces asked for', async () => {
    for (const shuffle of [false, true]) {
      const batches = await collect({ surfaces: [1], shuffle, poolCandidates: 1_000 });
      expect(batches.flat().sort()).toEqual([...searched].sort());
    }
    const dataset = await open({ surfaces: [1] });
    expect(dataset.requestCount).toBe(searched.length);
    for await (const batch of dataset.batches()) expect([...batch.surfaceCandidates]).toEqual([0, batch.candidateCount]);
    dataset.close();
  });

  it('iterates whole shards', async () => {
    const dataset = await open();
    const ids: string[] = [];
    const numbers: number[] = [];
    for await (const { shard, number } of dataset.iterateShards()) {
      ids.push(...shard.requestIds);
      numbers.push(number);
    }
    expect(ids).toEqual(trained);
    expect(numbers).toEqual(manifest.splits.train.shards.map((_, index) => index));
    dataset.close();
  });

  it('may be left in the middle', async () => {
    const dataset = await open({ shuffle: true, poolCandidates: 1 });
    for await (const batch of dataset.batches()) {
      expect(batch.requestCount).toBeGreaterThan(0);
      break;
    }
    let count = 0;
    for await (const batch of dataset.batches()) count += batch.requestCount;
    expect(count).toBe(trained.length);
    dataset.close();
  });

  it('refuses a shard that was cut short after opening', async () => {
    const dataset = await openDataset(folder, manifest, 'test', { tasks: TASKS, batchCandidates: 64 });
    truncateSync(join(folder, manifest.splits.test.shards[1]!.candidates.path), 1000);
    const consume = async (): Promise<void> => {
      for await (const batch of dataset.batches()) expect(batch.requestCount).toBeGreaterThan(0);
    };
    await expect(consume()).rejects.toMatchObject({ code: 'artifact' });
    dataset.close();
    truncateSync(join(folder, manifest.splits.test.shards[0]!.requests.path), 10);
    await expect(openDataset(folder, manifest, 'test', { tasks: TASKS, batchCandidates: 64 })).rejects.toMatchObject({ code: 'artifact' });
  });
});
