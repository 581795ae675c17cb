import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
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
import { sequenceFields, wholeSequences } from '../engine/whole-sequences.js';
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

/** The query of docs/features.md; every second candidate was clicked. */
const logged = (folder: string): string => {
  const [, sql] = /sql: `([^`]+l\."@request_id"[^`]+)`/u.exec(readFileSync(new URL('../../../docs/features.md', import.meta.url), 'utf8'))!;
  const files = `read_parquet('${folder}/search/*.parquet', union_by_name = true)`;
  const outcomes = `(SELECT DISTINCT ON ("@request_id") "@request_id" AS request, list_transform("probability.click", lambda p, i: i % 2) AS clicks FROM ${files})`;
  return sql!.replace("read_parquet('served/search/*.parquet', union_by_name = true)", files).replace('JOIN outcomes o', `JOIN ${outcomes} o`);
};

const config = (folder: string): ProjectConfig => ({
  name: 'logged',
  data: { badRows: 'quarantine' },
  surfaces: {
    search: {
      source: { sql: logged(folder), layout: 'request' },
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

/** Prepares, expects what was prepared to be what was scored, and gives the ids of the requests. */
const preparedAsServed = async (project: ProjectConfig, requests: readonly RawRequest[]): Promise<string[]> => {
  const manifest = await prepare(resolveProject(project, { file: join(directory, `${project.name}.config.ts`) }));
  const encoder = createEncoder(manifest.encoders);
  const seen: string[] = [];
  for (const split of ['train', 'validation', 'test'] as const) {
    const dataset = await openDataset(manifest.directory, manifest, split, { tasks: ['click'], batchCandidates: 64 });
    for await (const { shard } of dataset.iterateShards()) {
      for (const [place, id] of shard.requestIds.entries()) {
        const request = requests.find(({ requestId }) => requestId === id)!;
        const context = { surfaces: 0, requestTimes: Float64Array.of(request.time), serving: true };
        const served = encoder.encodeRows('request', wholeSequences(request.requestColumns, sequenceFields(SERVED.inputs), request.time, () => undefined), 1, context);
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
        seen.push(id);
      }
    }
    dataset.close();
  }
  return seen;
};

describe('the feature log', () => {
  it('is what prepare reads: encoded, it is what was served', async () => {
    const folder = join(directory, 'served');
    const log = createFeatureLog({ directory: folder, sample: 1, fileRequests: 25, onNotice: (message) => expect.fail(message) });
    const requests = Array.from({ length: REQUESTS }, (_, index) => requestOf(index));
    for (const request of requests) log.log(request, { surface: 'search', version: 'v1', scores: { click: new Float32Array(request.candidateCount).fill(0.25) }, defaulted: [], ignored: [], degraded: [] }, SERVED);
    await log.close();
    expect(log.counts).toEqual({ written: REQUESTS, dropped: 0 });
    expect(readdirSync(join(folder, 'search')).every((file) => /^[^.].*\.parquet$/.test(file))).toBe(true);

    expect((await preparedAsServed(config(folder), requests)).sort()).toEqual(requests.map(({ requestId }) => requestId).sort());
  }, 30_000);

  it('is what prepare reads where requests are odd: what it cannot take is set aside', async () => {
    const folder = join(directory, 'odd');
    const log = createFeatureLog({ directory: folder, sample: 1, fileRequests: 25, onNotice: (message) => expect.fail(message) });
    const time = START + 10.5 * 3_600_000;
    const odd = (requestId: string, over: Readonly<Record<string, unknown>>, history: unknown = []): RawRequest =>
      readScoreRequest({ surface: 'search', requestId, userId: 'u1', time, features: { country: 'c1', history }, candidates: [{ brand: 'b0' }, { brand: 'b1' }], ...over }, () => SERVED, { maxCandidates: 10 });
    const kept = [
      odd('at the moment of the request', {}, [{ pin: 'p1', '@time': time - 1 }, { pin: 'p2', '@time': time }]),
      odd('within a millisecond', { time: time + 0.75 }, [{ pin: 'p1', '@time': time + 0.25 }, { pin: 'p2', '@time': time + 0.8 }]),
      odd('newest first', {}, [{ pin: 'p1', '@time': time - 1 }, { pin: 'p2', '@time': time - 2 }]),
      odd('a field alone', {}, { '@time': [time - 2, time - 1] }),
      odd('nobody', { userId: undefined }),
    ];
    const apart = [odd('of no view type', {}), odd('no times', {}, { pin: ['p1', 'p2'] }), odd('one without its time', {}, [{ pin: 'p1' }, { pin: 'p2', '@time': time - 1 }])];
    const requests = [...Array.from({ length: REQUESTS }, (_, index) => requestOf(index)), ...kept, ...apart];
    const again = [odd('nobody', { userId: undefined, time: time + 20 }), requestOf(3)];
    for (const request of [...requests, ...again]) log.log({ ...request, ...(request.requestId === 'of no view type' ? {} : { viewType: 'grid' }) }, { surface: 'search', version: 'v1', scores: { click: new Float32Array(request.candidateCount).fill(0.25) }, defaulted: [], ignored: [], degraded: [] }, { ...SERVED, viewTypes: ['grid'] });
    await log.close();
    expect(log.counts).toEqual({ written: requests.length + again.length, dropped: 0 });
    const logged = config(folder);
    const search = { ...logged.surfaces['search']!, viewType: '"@view_type"' };
    const seen = await preparedAsServed({ ...logged, name: 'odd', surfaces: { search } }, requests);
    expect(seen.sort()).toEqual(requests.filter((request) => !apart.includes(request)).map(({ requestId }) => requestId).sort());
  }, 30_000);

  it('is read where a version came between that has another feature, or has one no more', async () => {
    const folder = join(directory, 'versions');
    const log = createFeatureLog({ directory: folder, sample: 1, onNotice: (message) => expect.fail(message) });
    const requests = Array.from({ length: REQUESTS }, (_, index) => requestOf(index));
    const served = requests.map((request, index) => {
      const [version, lacks] = index < 20 ? ['v1', 'brand'] : ['v2', 'age'];
      const without = (columns: RawRequest['requestColumns']): RawRequest['requestColumns'] => new Map([...columns].filter(([name]) => name !== lacks));
      const own = { ...request, requestColumns: without(request.requestColumns), candidateColumns: without(request.candidateColumns) };
      const surface = { ...SERVED, version, inputs: SERVED.inputs.filter(({ name }) => name !== lacks) };
      log.log(own, { surface: 'search', version, scores: { click: new Float32Array(request.candidateCount) }, defaulted: [], ignored: [], degraded: [] }, surface);
      return own;
    });
    await log.close();
    expect(await preparedAsServed({ ...config(folder), name: 'versions' }, served)).toHaveLength(REQUESTS);
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
