import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { stageFixture } from '../../test/fixtures/staged-tables.js';
import { openDataset } from './dataset.js';
import { openDatabase } from './duckdb.js';
import { fitEncoders } from './fit-encoders.js';
import type { PreparedManifest } from './prepared.js';
import { writeShards } from './shard-writer.js';
import { readTraffic } from './traffic.js';

let folder: string;
let manifest: PreparedManifest;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'onefold-traffic-'));
  const database = await openDatabase({ threads: 2 });
  const fixture = await stageFixture(database, folder, 400);
  const encoders = await fitEncoders(database, fixture.staged, fixture.project);
  const write = (split: 'train' | 'validation' | 'test') => writeShards(database, fixture.staged, encoders, split, folder, { shardCandidates: 300 });
  manifest = {
    version: 1, project: 'fixture', key: '', sources: [], encoders, tasks: [], boundaries: fixture.staged.boundaries, sampling: {}, rawRows: {}, quarantined: 0,
    splits: { train: await write('train'), validation: await write('validation'), test: await write('test') },
  };
  database.close();
});
afterAll(() => {
  rmSync(folder, { recursive: true });
});

it('counts list lengths as the batches have them', async () => {
  expect(manifest.splits.train.shards.length).toBeGreaterThan(1);
  const traffic = await readTraffic(folder, manifest, 'train');
  const dataset = await openDataset(folder, manifest, 'train', { tasks: [], batchCandidates: 1_000_000 });
  const seen = new Map<string, number>();
  const requests = [0, 0];
  const candidates = [0, 0];
  let tags = 0;
  for await (const batch of dataset.batches()) {
    const [history, tagLists] = [batch.requestColumns.get('history.ad'), batch.candidateColumns.get('tags')];
    if (history?.kind !== 'ids' || tagLists?.kind !== 'ids') throw new Error('the fixture has lists');
    for (let request = 0; request < batch.requestCount; request += 1) {
      const key = `${batch.surfaces[request]!}/${history.offsets[request + 1]! - history.offsets[request]!}`;
      seen.set(key, (seen.get(key) ?? 0) + 1);
      requests[batch.surfaces[request]!]! += 1;
    }
    batch.surfaceCandidates.forEach((count, surface) => (candidates[surface]! += count));
    tags += tagLists.values.length;
  }
  dataset.close();
  const counted = traffic.surfaces.flatMap(({ lists }, index) => {
    const { lengths, counts } = lists.get('history.ad')!;
    return lengths.map((length, at) => [`${index}/${length}`, counts[at]] as const);
  });
  expect(new Map(counted)).toEqual(seen);
  expect(traffic.surfaces.map((one) => [one.surface, one.requests, one.candidates])).toEqual([['feed', requests[0], candidates[0]], ['search', requests[1], candidates[1]]]);
  // Tags are feed's alone.
  expect(traffic.candidateLists.get('tags')).toBeCloseTo(tags / candidates[0]!, 12);
});
