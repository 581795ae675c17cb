import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { INPUT, searchSurface } from '../../../test/support/search-surface.js';
import type { ProjectConfig } from '../../config/project.js';
import { resolveProject } from '../../config/resolve.js';
import { openDataset } from '../../data/dataset.js';
import { openDatabase } from '../../data/duckdb.js';
import { createEncoder } from '../../data/encode.js';
import { prepare } from '../../data/prepare.js';
import { readScoreRequest } from '../json/read-score-request.js';
import type { RawRequest } from '../raw-request.js';
import { createFeatureLog } from './feature-log.js';

let directory: string;

beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'onefold-feature-log-'));
});

afterAll(() => {
  rmSync(directory, { recursive: true, force: true });
});

const SERVED = searchSurface(INPUT.country, INPUT.age, INPUT.pins, INPUT.times, INPUT.brand, INPUT.price, INPUT.tags, INPUT.shape);

const REQUESTS = 60;
const START = Date.parse('2026-01-01T00:00:00Z');

/** Requests with all kinds of values, some of them missing. */
const requestOf = (index: number): RawRequest => {
  const time = START + index * 3_600_000;
  const body = {
    surface: 'search',
    requestId: `r${index}`,
    userId: `u${index % 7}`,
    time,
    features: {
      country: index % 5 === 0 ? null : `c${index % 3}`,
      ...(index % 4 === 0 ? {} : { age: index / 2 }),
      history: Array.from({ length: index % 4 }, (_, event) => ({ pin: event === 1 ? null : `p${event}`, '@time': time - (10 - event) * 60_000 })),
    },
    candidates: Array.from({ length: 1 + (index % 3) }, (_, place) => ({ brand: `b${place}`, price: place === 1 ? null : place + index, tags: place === 0 ? ['x', `y${index % 2}`] : [], shape: place === 2 ? null : [0.5, index] })),
  };
  return readScoreRequest(body, () => SERVED, { maxCandidates: 10 });
};

const config = (files: string): ProjectConfig => ({
  name: 'logged',
  surfaces: {
    search: {
      source: { sql: `SELECT *, list_transform("probability.click", lambda p, i: i % 2) AS clicks FROM read_parquet('${files}')`, layout: 'request' },
      keys: { request: '"@request_id"', user: '"@user_id"', time: '"@time"', timeUnit: 'ms' },
    },
  },
  features: {
    country: { kind: 'categorical', side: 'request', encoding: { type: 'vocabulary', minCount: 1 } },
    age: { kind: 'number', side: 'request' },
    history: { kind: 'sequence', length: 2, time: '"history.@time"', timeUnit: 'ms', fields: { pin: { column: '"history.pin"' }, gap: { kind: 'time_gap' } } },
    brand: { kind: 'categorical', side: 'candidate' },
    price: { kind: 'number', side: 'candidate' },
    tags: { kind: 'multi', side: 'candidate' },
    shape: { kind: 'vector', side: 'candidate', size: 2 },
  },
  tasks: { click: { label: 'clicks' } },
  models: { unified: { preset: 'unified' } },
  split: { validationFrom: '2026-01-02', testFrom: '2026-01-03' },
});

describe('the feature log', () => {
  it('is what prepare reads: encoded, it is what was served', async () => {
    const folder = join(directory, 'served');
    const log = createFeatureLog({ directory: folder, sample: 1, fileRequests: 25, onNotice: (message) => expect.fail(message) });
    const requests = Array.from({ length: REQUESTS }, (_, index) => requestOf(index));
    for (const request of requests) log.log(request, { surface: 'search', version: 'v1', scores: { click: new Float32Array(request.candidateCount).fill(0.25) }, defaulted: [], ignored: [], degraded: [] }, SERVED);
    await log.close();
    expect(log.counts).toEqual({ written: REQUESTS, dropped: 0 });
    expect(readdirSync(join(folder, 'search')).every((file) => /^[^.].*\.parquet$/.test(file))).toBe(true);

    const project = resolveProject(config(join(folder, 'search', '*.parquet')), { file: join(directory, 'onefold.config.ts') });
    const manifest = await prepare(project);
    const encoder = createEncoder(manifest.encoders);
    let seen = 0;
    for (const split of ['train', 'validation', 'test'] as const) {
      const dataset = await openDataset(manifest.directory, manifest, split, { tasks: ['click'], batchCandidates: 64 });
      for await (const { shard } of dataset.iterateShards()) {
        for (const [place, id] of shard.requestIds.entries()) {
          const request = requests[Number(id.slice(1))]!;
          const context = { surfaces: 0, requestTimes: Float64Array.of(request.time), serving: true };
          const served = encoder.encodeRows('request', request.requestColumns, 1, context);
          for (const [name, column] of shard.requestColumns) {
            const own = served.get(name)!;
            if (column.kind === 'ids' && own.kind === 'ids') expect([...column.values.subarray(column.offsets[place], column.offsets[place + 1])]).toEqual([...own.values]);
            else expect(column.values[place]).toEqual(own.values[0]);
          }
          const [from, to] = [shard.offsets[place]!, shard.offsets[place + 1]!];
          expect(to - from).toBe(request.candidateCount);
          const candidates = encoder.encodeRows('candidate', request.candidateColumns, request.candidateCount, { surfaces: 0, serving: true });
          for (const [name, column] of shard.candidateColumns) {
            const own = candidates.get(name)!;
            if (column.kind === 'ids') expect([...column.values.subarray(column.offsets[from], column.offsets[to])]).toEqual([...own.values]);
            else {
              const size = column.kind === 'vector' ? column.size : 1;
              expect([...column.values.subarray(from * size, to * size)]).toEqual([...own.values]);
            }
          }
          seen += 1;
        }
      }
      dataset.close();
    }
    expect(seen).toBe(REQUESTS);
  }, 30_000);

  it('takes the same share of the requests everywhere', async () => {
    const counts: number[] = [];
    const kept: string[][] = [];
    for (const machine of ['a', 'b']) {
      const folder = join(directory, machine);
      const log = createFeatureLog({ directory: folder, sample: 0.3, onNotice: (message) => expect.fail(message) });
      for (let index = 0; index < 200; index += 1) {
        const request = { ...requestOf(index % 10), requestId: `id ${index}` };
        log.log(request, { surface: 'search', version: 'v1', scores: { click: new Float32Array(request.candidateCount) }, defaulted: [], ignored: [], degraded: [] }, SERVED);
      }
      await log.close();
      counts.push(log.counts.written);
      const database = await openDatabase({ threads: 1 });
      kept.push((await database.rows<{ id: string }>(`SELECT "@request_id" AS id FROM read_parquet('${join(folder, 'search', '*.parquet')}') ORDER BY 1`)).map(({ id }) => id));
      database.close();
    }
    expect(counts[0]).toBeGreaterThan(30);
    expect(counts[0]).toBeLessThan(90);
    expect(kept[0]).toEqual(kept[1]);
  });
});
