import { describe, expect, it } from 'vitest';
import type { Batch } from '../data/batch.js';
import type { Column, NumberColumn } from '../data/columns.js';
import { createEncoder } from '../data/encode.js';
import type { EncoderSet } from '../data/encoder-state.js';
import type { PreparedManifest } from '../data/prepared.js';
import type { Shard } from '../data/shard.js';
import type { ModelLayout } from '../model/layout.js';
import { concatPredictions } from './concat-predictions.js';
import type { Predictions } from './predictions.js';
import { samplingOffsets, scoreShards, type ScoredGroup, type ScoreOptions } from './score.js';

const SURFACES = ['home', 'search', 'related'];

const encoders: EncoderSet = {
  tables: [{ type: 'vocabulary', name: 'position', rows: 6, values: ['1', '2', '3'] }],
  columns: [
    { kind: 'number', name: 'x', feature: 'x', side: 'candidate', surfaces: SURFACES, encoding: { type: 'affine', log: false, mean: 0, deviation: 1 } },
    { kind: 'id', name: 'position', feature: 'position', side: 'candidate', surfaces: ['home', 'search'], table: 'position', serveAs: 2 },
  ],
  surfaces: SURFACES,
  viewTypes: ['', 'home/grid', 'search/results', 'related/pins'],
};

const counts = { shards: [], counts: {} };
const manifest: PreparedManifest = {
  version: 1,
  project: 'scored',
  key: 'k',
  sources: [],
  encoders,
  tasks: [
    { name: 'click', surfaces: SURFACES, weight: 1 },
    { name: 'save', surfaces: ['search', 'related'], weight: 1 },
  ],
  boundaries: { from: 0, validation: 1, test: 2, until: 3 },
  splits: { train: counts, validation: counts, test: counts },
  sampling: { search: { task: 'click', rate: 0.25 } },
  rawRows: {},
  quarantined: 0,
};

/** A shard of requests given as surface, user and candidates; `x` numbers the candidates of all shards. */
const shardOf = (requests: readonly (readonly [surface: number, user: string, candidates: number])[], first: number): Shard => {
  const offsets = new Int32Array(requests.length + 1);
  requests.forEach(([, , candidates], request) => (offsets[request + 1] = offsets[request]! + candidates));
  const count = offsets[requests.length]!;
  const x = Float32Array.from({ length: count }, (_, row) => first + row);
  const surfaceOfRow = requests.flatMap(([surface, , candidates]) => new Array<number>(candidates).fill(surface));
  return {
    requestCount: requests.length,
    candidateCount: count,
    offsets,
    requestIds: requests.map((_, request) => `r${first}-${request}`),
    users: requests.map(([, user]) => user),
    times: new Float64Array(requests.length),
    surfaces: Int32Array.from(requests, ([surface]) => surface),
    viewTypes: Int32Array.from(requests, ([surface]) => surface + 1),
    requestColumns: new Map(),
    candidateColumns: new Map<string, Column>([
      ['x', { kind: 'number', values: x }],
      ['position', { kind: 'id', values: Int32Array.from(surfaceOfRow, (surface, row) => (surface === 2 ? 0 : 3 + (row % 3))) }],
    ]),
    labels: [Float32Array.from(x, (value) => value % 2), Float32Array.from(x, (value, row) => (surfaceOfRow[row] === 0 ? NaN : value % 3 === 0 ? 1 : 0))],
    weights: new Float32Array(count).fill(1),
    truths: new Map([['click', Float64Array.from(x, (value) => value / 1000)]]),
    outsides: new Map(),
  };
};

const SHARDS = [
  shardOf([[1, 'ann', 2], [0, 'bob', 3], [2, 'ann', 1], [1, 'cid', 4], [0, 'ann', 1], [2, 'dan', 2]], 0),
  shardOf([[2, 'bob', 3], [0, 'eve', 2], [1, 'bob', 1]], 13),
];

const dataset = {
  candidateCount: SHARDS.reduce((sum, shard) => sum + shard.candidateCount, 0),
  async *iterateShards() {
    for (const [number, shard] of SHARDS.entries()) yield await Promise.resolve({ shard, number });
  },
};

/** What the scorer below gives: a number that says which candidate and task it is of. */
const logitOf = (x: number, task: string): number => (task === 'click' ? x / 10 : -x / 20);

const groupOf = (surfaces: readonly string[], seen: Batch[] = []): ScoredGroup => {
  const tasks = manifest.tasks.filter((task) => task.surfaces.some((surface) => surfaces.includes(surface)));
  const layout: ModelLayout = {
    surfaces,
    surfaceIndices: surfaces.map((surface) => SURFACES.indexOf(surface)),
    tasks: tasks.map((task) => ({ ...task, surfaces: task.surfaces.filter((surface) => surfaces.includes(surface)) })),
    fusedTables: [],
    blocks: [],
    dense: [],
    dropout: [], sequences: [],
  };
  return {
    layout,
    scorer: {
      predict: (batch) => {
        seen.push(batch);
        const { values } = batch.candidateColumns.get('x') as NumberColumn;
        return Promise.resolve(Float32Array.from([...values].flatMap((x) => tasks.map((task) => logitOf(x, task.name)))));
      },
    },
  };
};

const score = async (options: Omit<ScoreOptions, 'manifest'>): Promise<Predictions> => {
  const chunks: Predictions[] = [];
  for await (const chunk of scoreShards(dataset, { manifest, ...options })) chunks.push(chunk);
  return concatPredictions(chunks);
};

const sigmoid = (logit: number): number => 1 / (1 + Math.exp(-logit));

/** Probabilities of rows in the dataset's order; x is the row's number. */
const expectedOf = (task: string, rows: readonly number[]): number[] => {
  const surfaces = SHARDS.flatMap((shard) => [...shard.surfaces].flatMap((surface, request) => new Array<number>(shard.offsets[request + 1]! - shard.offsets[request]!).fill(surface)));
  return rows.map((x) => {
    const surface = SURFACES[surfaces[x]!]!;
    if (task === 'save' && surface === 'home') return NaN;
    const offset = task === 'click' && surface === 'search' ? Math.log(0.25) : 0;
    return sigmoid(logitOf(x, task) + offset);
  });
};

const expectClose = (values: ArrayLike<number>, expected: readonly number[]): void => {
  expect(values.length).toBe(expected.length);
  expected.forEach((value, index) => {
    if (Number.isNaN(value)) expect(values[index]).toBeNaN();
    else expect(values[index]).toBeCloseTo(value, 6);
  });
};

const allRows = Array.from({ length: dataset.candidateCount }, (_, row) => row);

describe('scoring a split', () => {
  it.each([1, 4, 1000])('puts predictions back in the order of the dataset, whatever the batches: %i candidates', async (batchCandidates) => {
    const predictions = await score({ groups: [groupOf(SURFACES)], batchCandidates });
    const [click, save] = predictions.tasks;
    expect(predictions.tasks.map((task) => task.task)).toEqual(['click', 'save']);
    expectClose(click!.probabilities, expectedOf('click', allRows));
    expectClose(save!.probabilities, expectedOf('save', allRows));
    expect([...click!.labels]).toEqual(allRows.map((x) => x % 2));
    expectClose(click!.truths!, allRows.map((x) => x / 1000));
    expect(save!.truths).toBeUndefined();
  });

  it('gives one model per surface the same rows in the same places', async () => {
    const unified = await score({ groups: [groupOf(SURFACES)] });
    const separate = await score({ groups: SURFACES.map((surface) => groupOf([surface])), batchCandidates: 3 });
    expect(separate).toEqual(unified);
  });

  it('numbers users and requests over all shards', async () => {
    const { users, requests, surfaces, viewTypes } = await score({ groups: [groupOf(SURFACES)] });
    expect([...users]).toEqual([0, 0, 1, 1, 1, 0, 2, 2, 2, 2, 0, 3, 3, 1, 1, 1, 4, 4, 1]);
    expect([...requests]).toEqual([0, 0, 1, 1, 1, 2, 3, 3, 3, 3, 4, 5, 5, 6, 6, 6, 7, 7, 8]);
    expect([...surfaces]).toEqual([1, 1, 0, 0, 0, 2, 1, 1, 1, 1, 0, 2, 2, 2, 2, 2, 0, 0, 1]);
    expect([...viewTypes]).toEqual([...surfaces].map((surface) => surface + 1));
  });

  it('leaves out rows of surfaces that no group has, and tasks that no group has', async () => {
    const home = await score({ groups: [groupOf(['home'])] });
    expect(home.tasks.map((task) => task.task)).toEqual(['click']);
    const rows = [2, 3, 4, 10, 16, 17];
    expectClose(home.tasks[0]!.probabilities, expectedOf('click', rows));
    expect([...home.requests]).toEqual([0, 0, 0, 1, 2, 2]);
    const two = await score({ groups: [groupOf(['home']), groupOf(['related'])] });
    expectClose(two.tasks[0]!.probabilities, expectedOf('click', [2, 3, 4, 5, 10, 11, 12, 13, 14, 15, 16, 17]));
  });

  it('undoes negative down-sampling in the logit of its task and surface alone', () => {
    expect(samplingOffsets(manifest, groupOf(SURFACES).layout)).toEqual([[0, 0], [Math.log(0.25), 0], [0, 0]]);
    expect(samplingOffsets(manifest, groupOf(['search']).layout)).toEqual([[Math.log(0.25), 0]]);
  });

  it('scores training-only features as logged, or as they are served', async () => {
    const positionsOf = async (trainingOnly: 'logged' | 'serving'): Promise<number[]> => {
      const seen: Batch[] = [];
      await score({ groups: [groupOf(['home'], seen), groupOf(['related'], seen)], trainingOnly });
      return seen.flatMap((batch) => [...(batch.candidateColumns.get('position') as { values: Int32Array }).values]);
    };
    expect(new Set(await positionsOf('logged')).size).toBeGreaterThan(2);
    // Row 4 of the table is the value 2; the surface that lacks the feature keeps its absent row.
    const served = await positionsOf('serving');
    expect(served).toEqual([4, 4, 4, 4, 0, 0, 0, 4, 4, 0, 0, 0]);
    expect(createEncoder(encoders).encodeColumn(encoders.columns[1]!, undefined, 1, { surfaces: 0, serving: true })).toEqual({ kind: 'id', values: Int32Array.of(4) });
  });

  it('tells how far it is', async () => {
    const told: (readonly [number, number])[] = [];
    await score({ groups: [groupOf(['home', 'search']), groupOf(['related'])], batchCandidates: 4, onProgress: (scored, total) => told.push([scored, total]) });
    expect(told.at(-1)).toEqual([dataset.candidateCount, dataset.candidateCount]);
    expect(told.map(([scored]) => scored)).toEqual([...told.map(([scored]) => scored)].sort((a, b) => a - b));
  });

  it('reports the first of several batches that fail at once', async () => {
    const failing: ScoredGroup = { ...groupOf(SURFACES), scorer: { predict: () => Promise.reject(new Error('the engine died')) } };
    await expect(score({ groups: [failing], batchCandidates: 1 })).rejects.toThrow('the engine died');
    // An unawaited rejection would end the process here.
    await new Promise((resolve) => setTimeout(resolve, 10));
  });
});
