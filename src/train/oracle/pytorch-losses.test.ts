import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import type { ModelConfig } from '../../config/project.js';
import { resolveProject } from '../../config/resolve.js';
import type { Batch } from '../../data/batch.js';
import type { Column } from '../../data/columns.js';
import type { ColumnState, EncoderSet } from '../../data/encoder-state.js';
import { expandBatch } from '../../data/expand-batch.js';
import { buildModelGraph } from '../../model/build-model.js';
import { EngineCore } from '../engine-core.js';
import { makeFeeds } from '../feeds.js';
import { buildScoreModel, buildTrainModel } from '../step-graph.js';

/** Written by `pytorch_losses.py`, which trains the same model from the same parameters on the same batches. */
interface Oracle {
  readonly parameters: Readonly<Record<string, readonly number[]>>;
  readonly losses: readonly number[];
}
const readOracle = (): Oracle => JSON.parse(readFileSync(new URL('pytorch_losses.json', import.meta.url), 'utf8')) as Oracle;

const [REQUESTS, CANDIDATES, LENGTH, ROWS, STEPS] = [6, 3, 5, 12, 8];
const TASKS = ['click', 'save'];
const RATES = { learningRate: 0.01, embeddingLearningRate: 0.1 };

const MODEL: ModelConfig = {
  preset: 'unified',
  embedding: { width: 4 },
  cross: { layers: 2, rank: 3 },
  mlp: [8, 6],
  tower: [5],
  transformer: { layers: 2, width: 8, heads: 2, feedForward: 12, attention: 'causal', positions: 'learned', read: 'both', pooled: false },
};

const column = (name: string, side: 'request' | 'candidate'): ColumnState => ({ kind: 'id', name, feature: name, side, surfaces: ['feed'], table: name });

const ENCODERS: EncoderSet = {
  surfaces: ['feed'],
  viewTypes: ['', 'feed/feed'],
  tables: ['user', 'place', 'topic', 'ad'].map((name) => ({ type: 'hash', name, rows: ROWS, buckets: ROWS - 3 })),
  columns: [
    column('user', 'request'),
    column('place', 'request'),
    column('topic', 'candidate'),
    column('ad', 'candidate'),
    { kind: 'ids', name: 'history.ad', feature: 'history', side: 'request', surfaces: ['feed'], table: 'ad', pooling: 'mean', maxLength: LENGTH, keep: 'last' },
  ],
};

const buildGraph = () => {
  const project = resolveProject(
    {
      name: 'oracle',
      surfaces: { feed: { source: { files: 'none.parquet' } } },
      features: {
        user: { kind: 'categorical', side: 'request' },
        place: { kind: 'categorical', side: 'request' },
        history: { kind: 'sequence', length: LENGTH, time: 'times', fields: { ad: { table: 'ad' } } },
        topic: { kind: 'categorical', side: 'candidate' },
        ad: { kind: 'categorical', side: 'candidate' },
      },
      tasks: Object.fromEntries(TASKS.map((task) => [task, { label: task }])),
      models: { oracle: MODEL },
    },
    { file: '/oracle/onefold.config.ts' },
  );
  return buildModelGraph(project, ENCODERS, project.models['oracle']!, ['feed']);
};

/** Integers that look random and are the same in Python. */
const drawn = (seed: number, index: number, below: number): number => ((seed * 7919 + index * 104729 + 12345) % 65537) % below;

const batchOf = (step: number): Batch => {
  const seed = 100 * step;
  const ids = (stream: number, count: number): Column => ({ kind: 'id', values: Int32Array.from({ length: count }, (_, index) => drawn(seed + stream, index, ROWS)) });
  const lengths = Array.from({ length: REQUESTS }, (_, request) => 1 + drawn(seed + 5, request, LENGTH));
  const offsets = Int32Array.from({ length: REQUESTS + 1 }, (_, request) => lengths.slice(0, request).reduce((sum, one) => sum + one, 0));
  const candidates = REQUESTS * CANDIDATES;
  return {
    requestCount: REQUESTS,
    candidateCount: candidates,
    rowToRequest: Int32Array.from({ length: candidates }, (_, row) => Math.floor(row / CANDIDATES)),
    surfaceCandidates: Int32Array.of(candidates),
    surfaces: new Int32Array(REQUESTS),
    viewTypes: new Int32Array(REQUESTS).fill(1),
    requestColumns: new Map<string, Column>([
      ['user', ids(1, REQUESTS)],
      ['place', ids(2, REQUESTS)],
      ['history.ad', { kind: 'ids', offsets, values: Int32Array.from({ length: offsets[REQUESTS]! }, (_, event) => drawn(seed + 6, event, ROWS)) }],
    ]),
    candidateColumns: new Map([
      ['topic', ids(3, candidates)],
      ['ad', ids(4, candidates)],
    ]),
    labels: TASKS.map((_, task) => Float32Array.from({ length: candidates }, (__, row) => (drawn(seed + 7 + task, row, 3) === 0 ? 1 : 0))),
    weights: new Float32Array(candidates).fill(1),
    requestIndex: Int32Array.from({ length: REQUESTS }, (_, request) => request),
  };
};

/** Starting values of a parameter: neither zero nor alike, so that no gradient can hide. */
const startingValues = (name: string, shape: readonly number[]): number[] => {
  const start = [...name].reduce((sum, letter) => sum + letter.charCodeAt(0), 0);
  const size = shape.reduce((product, dim) => product * dim, 1);
  const offset = name.endsWith('.scale') ? 1 : 0;
  return Array.from({ length: size }, (_, index) => offset + 0.4 * Math.sin(start + 1.7 * index));
};

const trainedLosses = async (forEngine: (batch: Batch) => Batch): Promise<number[]> => {
  const graph = buildGraph();
  const train = buildTrainModel(graph);
  const engine = await EngineCore.create({
    layout: graph.layout,
    parameters: graph.parameters.map(({ spec }) => ({ ...spec, initializer: { type: 'values', values: startingValues(spec.name, spec.shape) } })),
    score: buildScoreModel(graph),
    train,
    seed: 5,
    threads: 1,
    optimizer: { optimizer: 'adamw', weightDecay: 0, clipNorm: 0, embeddingOptimizer: 'adagrad', embeddingWeightDecay: 0 },
  });
  const plan = { layout: graph.layout, taskIndices: [0, 1], segments: train.inputs.some(({ name }) => name === 'segment_slots') };
  const losses: number[] = [];
  for (let step = 0; step < STEPS; step += 1) {
    const result = await engine.train(makeFeeds(forEngine(batchOf(step)), plan, true), RATES);
    if (!('loss' in result)) throw new Error(`step ${step} failed`);
    losses.push(result.loss);
  }
  return losses;
};

describe('training against PyTorch', () => {
  it('the model is the one that PyTorch trained', () => {
    expect(Object.fromEntries(buildGraph().parameters.map(({ spec }) => [spec.name, spec.shape]))).toEqual(readOracle().parameters);
  });

  for (const [title, forEngine] of [['request-grouped', (batch: Batch) => batch], ['expanded', expandBatch]] as const) {
    it(`losses equal PyTorch's at every step, ${title}`, async () => {
      const losses = await trainedLosses(forEngine);
      expect(losses).toHaveLength(readOracle().losses.length);
      losses.forEach((loss, step) => expect(Math.abs(loss / readOracle().losses[step]! - 1), `step ${step}`).toBeLessThan(1e-5));
    });
  }
});
