/**
 * A tiny two-surface, two-task model that uses every kind of input, and learnable data for it. For tests of rooms that
 * run models but do not build them.
 */
import { uniformFloat64 } from 'pure-rand/distribution/uniformFloat64';
import { xoroshiro128plus } from 'pure-rand/generator/xoroshiro128plus';
import type { Training } from '../../src/config/project.js';
import type { Batch } from '../../src/data/batch.js';
import type { Column } from '../../src/data/columns.js';
import { input, parameter } from '../../src/graph/inputs.js';
import { constant } from '../../src/graph/inputs.js';
import { add } from '../../src/graph/ops/add.js';
import { concat, splitRows } from '../../src/graph/ops/concat.js';
import { matmul } from '../../src/graph/ops/matmul.js';
import { mul } from '../../src/graph/ops/mul.js';
import { broadcastRows } from '../../src/graph/ops/segments.js';
import { tanh } from '../../src/graph/ops/tanh.js';
import { INPUT, type DropoutInput, type ModelLayout, type ParameterSpec } from '../../src/model/layout.js';
import type { ModelGraph } from '../../src/model/model-graph.js';

/** Tasks of the prepared dataset; the model has only two of them. */
export const TOY_TASKS = ['click', 'hide', 'save'];

/** Rows of each embedding table. */
export const TOY_ROWS = { '@surface': 3, user: 20, item: 30, tags: 6, topics: 7, words: 5 } as const;

const HIDDEN = 6;

/** The project has surfaces home, search and related; the model serves the first and the last. */
export const TOY_LAYOUT: ModelLayout = {
  surfaces: ['home', 'related'],
  surfaceIndices: [0, 2],
  tasks: [
    { name: 'click', weight: 1, surfaces: ['home', 'related'] },
    { name: 'save', weight: 0.5, surfaces: ['related'] },
  ],
  fusedTables: [
    { width: 2, rows: 18, tables: [{ name: 'tags', base: 0, rows: 6 }, { name: 'topics', base: 6, rows: 7 }, { name: 'words', base: 13, rows: 5 }] },
    { width: 4, rows: 53, tables: [{ name: '@surface', base: 0, rows: 3 }, { name: 'user', base: 3, rows: 20 }, { name: 'item', base: 23, rows: 30 }] },
  ],
  blocks: [
    { name: 'embedding.request.2', rows: 'request', width: 2, blockWidth: 2, slots: [{ column: 'tags', base: 0, rows: 6, pooling: 'mean', offset: 0 }] },
    {
      name: 'embedding.request.4', rows: 'request', width: 4, blockWidth: 8,
      slots: [
        { column: '@surface', base: 0, rows: 3, pooling: 'single', offset: 0 },
        { column: 'user', base: 3, rows: 20, pooling: 'single', offset: 4 },
      ],
    },
    {
      name: 'embedding.candidate.2', rows: 'candidate', width: 2, blockWidth: 4,
      slots: [
        { column: 'topics', base: 6, rows: 7, pooling: 'max', offset: 0 },
        { column: 'words', base: 13, rows: 5, pooling: 'sum', offset: 2 },
      ],
    },
    { name: 'embedding.candidate.4', rows: 'candidate', width: 4, blockWidth: 4, slots: [{ column: 'item', base: 23, rows: 30, pooling: 'single', offset: 0 }] },
  ],
  dense: [
    { name: 'dense.request', rows: 'request', blockWidth: 2, slots: [{ column: 'age', kind: 'number', offset: 0, size: 2 }] },
    { name: 'dense.candidate', rows: 'candidate', blockWidth: 3, slots: [{ column: 'vector', kind: 'vector', offset: 0, size: 3 }] },
  ],
  dropout: [],
  sequences: [],
};

/** Its forward graph: tanh layer on the joined features, one head per surface, optional dropout before the heads. */
export const toyGraph = (options: { readonly dropout?: number } = {}): ModelGraph => {
  const layout = TOY_LAYOUT;
  const parameters: ModelGraph['parameters'][number][] = [];
  const declare = (name: string, shape: readonly number[], decay: boolean) => {
    const initializer: ParameterSpec['initializer'] = decay ? { type: 'glorot', fanIn: shape[0]!, fanOut: shape[1]! } : { type: 'zeros' };
    const tensor = parameter(name, shape);
    parameters.push({ spec: { name, shape, initializer, decay }, tensor });
    return tensor;
  };
  const blocks = layout.blocks.map((block) => input(block.name, 'float32', [`${block.rows}s`, block.blockWidth]));
  const dense = layout.dense.map((block) => input(block.name, 'float32', [`${block.rows}s`, block.blockWidth]));
  const request = concat([blocks[0]!, blocks[1]!, dense[0]!], 1);
  const expanded = broadcastRows(request, input(INPUT.rowToRequest, 'int64', ['candidates']), {
    slots: input(INPUT.segmentSlots, 'int64', ['requests', 'segment_width']),
    mask: input(INPUT.segmentMask, 'float32', ['requests', 1, 'segment_width']),
  });
  const features = concat([expanded, blocks[2]!, blocks[3]!, dense[1]!], 1);
  let hidden = tanh(add(matmul(features, declare('hidden.weight', [23, HIDDEN], true)), declare('hidden.bias', [HIDDEN], false)));
  const dropout: DropoutInput[] = [];
  if (options.dropout !== undefined) {
    dropout.push({ name: 'dropout.0', width: HIDDEN, rate: options.dropout, rows: 'candidate' });
    hidden = mul(hidden, input('dropout.0', 'float32', ['candidates', HIDDEN]));
  }
  const sizes = input(INPUT.surfaceCandidates, 'int64', [2]);
  const routed = splitRows(hidden, sizes, layout.surfaces.map((surface) => `candidates:${surface}`));
  const heads = layout.surfaces.map((surface, index) => {
    const head = add(matmul(routed[index]!, declare(`${surface}.weight`, [HIDDEN, 2], true)), declare(`${surface}.bias`, [2], false));
    return surface === 'home' ? mul(head, constant([1, 0], 'float32', [1, 2])) : head;
  });
  return { layout: { ...layout, dropout }, parameters, blocks, logits: concat(heads, 0, { dim: 'candidates' }) };
};

export const TOY_TRAINING: Training = {
  seed: 7,
  batchSize: 64,
  batchRequests: Infinity,
  batchTokens: undefined,
  expand: false,
  epochs: 2,
  learningRate: 0.01,
  embeddingLearningRate: 0.1,
  embeddingOptimizer: 'adagrad',
  optimizer: 'adamw',
  warmupSteps: 5,
  decay: 'cosine',
  finalLearningRate: 0.1,
  weightDecay: 0.01,
  embeddingWeightDecay: 0,
  clipNorm: 1,
  earlyStopping: undefined,
  evaluationsPerEpoch: 1,
  checkpointMinutes: 10,
  threads: 2,
};

/** A learnable batch: whether a user clicks an item depends on both; seeded. */
export const toyBatch = (seed: number, requestCount = 16): Batch => {
  const generator = xoroshiro128plus(seed + 1);
  const uniform = (): number => uniformFloat64(generator);
  const below = (count: number): number => Math.floor(uniform() * count);
  const surfaces = Int32Array.from({ length: requestCount }, (_, i) => (i < requestCount / 2 ? 0 : 2));
  const counts = Array.from({ length: requestCount }, () => 1 + below(5));
  const rowToRequest = Int32Array.from(counts.flatMap((count, request) => new Array<number>(count).fill(request)));
  const candidateCount = rowToRequest.length;
  const ids = (count: number, rows: number): Column => ({ kind: 'id', values: Int32Array.from({ length: count }, () => below(rows)) });
  const lists = (count: number, rows: number): Column => {
    const offsets = new Int32Array(count + 1);
    for (let i = 0; i < count; i += 1) offsets[i + 1] = offsets[i]! + below(4);
    return { kind: 'ids', offsets, values: Int32Array.from({ length: offsets[count]! }, () => below(rows)) };
  };
  const requestColumns = new Map<string, Column>([
    ['user', ids(requestCount, TOY_ROWS.user)],
    ['tags', lists(requestCount, TOY_ROWS.tags)],
    ['age', { kind: 'number', values: Float32Array.from({ length: requestCount }, () => (uniform() < 0.2 ? NaN : 2 * uniform() - 1)) }],
  ]);
  const vector = Float32Array.from({ length: 2 * candidateCount }, () => 2 * uniform() - 1);
  if (candidateCount > 1) vector.fill(NaN, 2, 4);
  const candidateColumns = new Map<string, Column>([
    ['item', ids(candidateCount, TOY_ROWS.item)],
    ['topics', lists(candidateCount, TOY_ROWS.topics)],
    ['words', lists(candidateCount, TOY_ROWS.words)],
    ['vector', { kind: 'vector', size: 2, values: vector }],
  ]);
  const users = (requestColumns.get('user') as { values: Int32Array }).values;
  const items = (candidateColumns.get('item') as { values: Int32Array }).values;
  const labels = TOY_TASKS.map((task) =>
    Float32Array.from(rowToRequest, (request, row) => {
      const surface = surfaces[request]!;
      if (task === 'hide' || (task === 'save' && surface === 0) || uniform() < 0.05) return NaN;
      const logit = (users[request]! % 2 === 0 ? 1.5 : -1.5) + (items[row]! % 3 === 0 ? 2 : -1) + (surface === 2 ? -0.5 : 0.5);
      return uniform() < 1 / (1 + Math.exp(-logit)) ? 1 : 0;
    }),
  );
  const surfaceCandidates = new Int32Array(3);
  for (const request of rowToRequest) surfaceCandidates[surfaces[request]!] = surfaceCandidates[surfaces[request]!]! + 1;
  return {
    requestCount,
    candidateCount,
    rowToRequest,
    surfaceCandidates,
    surfaces,
    viewTypes: new Int32Array(requestCount),
    requestColumns,
    candidateColumns,
    labels,
    weights: Float32Array.from({ length: candidateCount }, () => (uniform() < 0.3 ? 2 : 1)),
    requestIndex: Int32Array.from({ length: requestCount }, (_, i) => i),
  };
};
