import { InferenceSession, Tensor as OrtTensor } from 'onnxruntime-node';
import { describe, expect, it } from 'vitest';
import { resolveProject } from '../config/resolve.js';
import { ABSENT_ROW, type ColumnState, type EncoderSet } from '../data/encoder-state.js';
import { toOnnx } from '../graph/onnx/emit.js';
import type { InlineInitializer } from '../graph/onnx/initializer.js';
import { buildModelGraph } from '../model/build-model.js';
import type { LookupBlock } from '../model/layout.js';
import type { ModelGraph } from '../model/model-graph.js';
import { buildServingGraph, tableInitializer } from './serving-graph.js';

/** Deterministic values in [−0.5, 0.5). */
const valuesOf = (seed: number, count: number): Float32Array =>
  Float32Array.from({ length: count }, (_, index) => ((Math.imul(seed * 7919 + index + 1, 2654435761) >>> 8) % 1000) / 1000 - 0.5);

const project = resolveProject(
  {
    name: 'toy',
    surfaces: { home_feed: { source: { files: 'h' } }, search: { source: { files: 's' } } },
    features: {
      user: { kind: 'categorical', side: 'request' },
      query: { kind: 'categorical', side: 'request', surfaces: ['search'] },
      age: { kind: 'number', side: 'request' },
      ad: { kind: 'categorical', side: 'candidate' },
      tags: { kind: 'multi', side: 'candidate' },
      best_tag: { kind: 'multi', side: 'candidate', pooling: 'max', table: 'tags' },
      price: { kind: 'number', side: 'candidate', surfaces: ['home_feed'] },
      creative: { kind: 'vector', side: 'candidate', size: 3 },
    },
    tasks: { click: { label: 'click' }, save: { label: 'save', surfaces: ['search'] } },
    models: { unified: { preset: 'unified', embedding: { width: 4 }, mlp: [8], tower: [4], dropout: 0.5 } },
  },
  { file: '/nowhere/onefold.config.ts' },
);

const both = ['home_feed', 'search'];
const affine = { type: 'affine', log: false, mean: 0, deviation: 1 } as const;
const columns: ColumnState[] = [
  { kind: 'id', name: 'user', feature: 'user', side: 'request', surfaces: both, table: 'user' },
  { kind: 'id', name: 'query', feature: 'query', side: 'request', surfaces: ['search'], table: 'query' },
  { kind: 'number', name: 'age', feature: 'age', side: 'request', surfaces: both, encoding: affine },
  { kind: 'id', name: 'ad', feature: 'ad', side: 'candidate', surfaces: both, table: 'ad' },
  { kind: 'ids', name: 'tags', feature: 'tags', side: 'candidate', surfaces: both, table: 'tags', pooling: 'mean', maxLength: 5, keep: 'first' },
  { kind: 'ids', name: 'best_tag', feature: 'best_tag', side: 'candidate', surfaces: both, table: 'tags', pooling: 'max', maxLength: 5, keep: 'first' },
  { kind: 'number', name: 'price', feature: 'price', side: 'candidate', surfaces: ['home_feed'], encoding: affine },
  { kind: 'vector', name: 'creative', feature: 'creative', side: 'candidate', surfaces: both, size: 3 },
];
const encoders: EncoderSet = {
  tables: ['user', 'query', 'ad', 'tags'].map((name, index) => ({ type: 'hash', name, rows: 6 + index, buckets: 3 + index })),
  columns,
  surfaces: both,
  viewTypes: ['', 'home_feed/grid', 'home_feed/carousel', 'search/results'],
};

const model = project.models['unified']!;
const graph = buildModelGraph(project, encoders, model, both);

const parameterValues = new Map(graph.parameters.map(({ spec }, index) => [spec.name, valuesOf(index + 1, spec.shape.reduce((a, b) => a * b, 1))]));
const tableValues = new Map(
  graph.layout.fusedTables.flatMap((fused) => fused.tables.map((table, index) => [table.name, valuesOf(100 + index, table.rows * fused.width)] as const)),
);

/** Two home_feed requests (2 and 1 candidates) and one search request (2 candidates). */
const requests = { surface: [0, 0, 1], viewType: [1, 2, 3], user: [3, 1, 5], query: [ABSENT_ROW, ABSENT_ROW, 4], age: [0.3, NaN, -1] };
const candidates = {
  request: [0, 0, 1, 2, 2],
  ad: [3, 4, 5, 2, 7],
  tags: [[3, 4], [], [5], [3, 3, 8], [1]],
  price: [0.5, NaN, -0.7, NaN, NaN],
  creative: [[1, 2, 3], [NaN, NaN, NaN], [0, 0, 1], [-1, 0, 1], [0.1, 0.2, 0.3]],
};

const row = (table: string, id: number, width: number): number[] => [...tableValues.get(table)!.subarray(id * width, (id + 1) * width)];
const pool = (table: string, ids: readonly number[], width: number, how: 'mean' | 'max'): number[] => {
  const rows = ids.map((id) => row(table, id, width));
  if (rows.length === 0) return new Array<number>(width).fill(0);
  return Array.from({ length: width }, (_, d) => {
    const values = rows.map((one) => one[d]!);
    return how === 'max' ? Math.max(...values) : values.reduce((a, b) => a + b, 0) / values.length;
  });
};

/** A block's row, written out by hand. */
const blockRow = (block: LookupBlock, index: number): number[] =>
  block.slots.flatMap((slot): number[] => {
    switch (slot.column) {
      case '@surface':
        return row('@surface', requests.surface[index]!, block.width);
      case '@view_type':
        return row('@view_type', requests.viewType[index]!, block.width);
      case 'user':
        return row('user', requests.user[index]!, block.width);
      case 'query':
        return row('query', requests.query[index]!, block.width);
      case 'ad':
        return row('ad', candidates.ad[index]!, block.width);
      case 'tags':
        return pool('tags', candidates.tags[index]!, block.width, 'mean');
      default:
        return pool('tags', candidates.tags[index]!, block.width, 'max');
    }
  });
const present = (values: readonly number[]): number[] => (values.some(Number.isNaN) ? [...values.map(() => 0), 0] : [...values, 1]);
const float = (rows: readonly (readonly number[])[]): OrtTensor => new OrtTensor('float32', Float32Array.from(rows.flat()), [rows.length, rows[0]!.length]);
const int64 = (values: readonly number[], dims: readonly number[]): OrtTensor => new OrtTensor('int64', BigInt64Array.from(values, BigInt), dims);

const runTrainingGraph = async (trained: ModelGraph): Promise<Float32Array> => {
  const session = await InferenceSession.create(toOnnx({ name: 'train', outputs: { logits: trained.logits } }));
  const feeds: Record<string, OrtTensor> = {
    row_to_request: int64(candidates.request, [5]),
    segment_slots: int64([0, 1, 2, 0, 3, 4], [3, 2]),
    segment_mask: new OrtTensor('float32', Float32Array.of(1, 1, 1, 0, 1, 1), [3, 1, 2]),
    surface_candidates: int64([3, 2], [2]),
    'dense.request': float(requests.age.map((age) => present([age]))),
    'dense.candidate': float(candidates.price.map((price, index) => [...present([price]), ...present(candidates.creative[index]!)])),
  };
  for (const block of trained.layout.blocks) {
    const count = block.rows === 'request' ? 3 : 5;
    feeds[block.name] = float(Array.from({ length: count }, (_, index) => blockRow(block, index)));
  }
  for (const mask of trained.layout.dropout) feeds[mask.name] = new OrtTensor('float32', new Float32Array(mask.width).fill(1), [1, mask.width]);
  for (const { spec } of trained.parameters) feeds[spec.name] = new OrtTensor('float32', parameterValues.get(spec.name)!, [...spec.shape]);
  // Only the inputs that the logits need may be fed.
  const needed = Object.fromEntries(session.inputNames.map((name) => [name, feeds[name]!]));
  return (await session.run(needed))['logits']!.data as Float32Array;
};

const servingSession = (surface: string, logitOffsets: Readonly<Record<string, number>> = {}): Promise<InferenceSession> => {
  const serving = buildServingGraph({ model, layout: graph.layout, encoders, surface, logitOffsets });
  const initializers = new Map<string, InlineInitializer>(serving.calibration);
  for (const { spec } of graph.parameters) initializers.set(spec.name, { dtype: 'float32', shape: spec.shape, data: parameterValues.get(spec.name)! });
  for (const { name, rows, width } of serving.tables) {
    initializers.set(tableInitializer(name), { dtype: 'float32', shape: [rows, width], data: tableValues.get(name)! });
  }
  for (const { name, table, width, row: index } of serving.fixedRows) {
    initializers.set(name, { dtype: 'float32', shape: [1, width], data: Float32Array.from(row(table, index, width)) });
  }
  return InferenceSession.create(toOnnx({ name: surface, outputs: serving.outputs, initializers }));
};

const padded = (lists: readonly (readonly number[])[]): OrtTensor => {
  const length = Math.max(1, ...lists.map((list) => list.length));
  return int64(lists.flatMap((list) => [...list, ...new Array<number>(length - list.length).fill(-1)]), [lists.length, length]);
};
const sigmoid = (x: number): number => 1 / (1 + Math.exp(-x));

describe('the serving graph of one surface', () => {
  it('predicts what the training graph of all surfaces predicts for its rows', async () => {
    const logits = await runTrainingGraph(graph);
    const home = await servingSession('home_feed');
    const { click } = await home.run({
      row_to_request: int64([0, 0, 1], [3]),
      view_type: int64([1, 2], [2]),
      user: int64([3, 1], [2]),
      age: float([[0.3], [NaN]]),
      ad: int64([3, 4, 5], [3]),
      tags: padded(candidates.tags.slice(0, 3)),
      best_tag: padded(candidates.tags.slice(0, 3)),
      price: float(candidates.price.slice(0, 3).map((price) => [price])),
      creative: float(candidates.creative.slice(0, 3)),
    });
    const expected = [0, 1, 2].map((index) => sigmoid(logits[index * 2]!));
    [...(click!.data as Float32Array)].forEach((value, index) => expect(value).toBeCloseTo(expected[index]!, 6));
  });

  it('has only the inputs, tasks and towers of its surface', async () => {
    const home = await servingSession('home_feed');
    expect(home.outputNames).toEqual(['click']);
    expect([...home.inputNames].sort()).toEqual(['ad', 'age', 'best_tag', 'creative', 'price', 'row_to_request', 'tags', 'user', 'view_type']);
    const search = await servingSession('search');
    expect(search.outputNames).toEqual(['click', 'save']);
    expect(search.inputNames).toContain('query');
    expect(search.inputNames).not.toContain('price');
  });

  it('takes along only one row of a table it looks nothing up in', () => {
    const home = buildServingGraph({ model, layout: graph.layout, encoders, surface: 'home_feed', logitOffsets: {} });
    expect(home.tables.map((table) => table.name).sort()).toEqual(['@view_type', 'ad', 'tags', 'user']);
    expect(home.fixedRows.map(({ table, row: index }) => [table, index])).toEqual([['@surface', 0], ['query', ABSENT_ROW]]);
    const search = buildServingGraph({ model, layout: graph.layout, encoders, surface: 'search', logitOffsets: {} });
    expect(search.fixedRows.map(({ table, row: index }) => [table, index])).toEqual([['@surface', 1]]);
  });

  it('undoes negative down-sampling in the logit', async () => {
    const feeds = {
      row_to_request: int64([0, 0], [2]),
      view_type: int64([3], [1]),
      user: int64([5], [1]),
      query: int64([4], [1]),
      age: float([[-1]]),
      ad: int64([2, 7], [2]),
      tags: padded(candidates.tags.slice(3)),
      best_tag: padded(candidates.tags.slice(3)),
      creative: float(candidates.creative.slice(3)),
    };
    const plain = (await (await servingSession('search')).run(feeds))['click']!.data as Float32Array;
    const shifted = (await (await servingSession('search', { click: Math.log(0.25) })).run(feeds))['click']!.data as Float32Array;
    const logit = (p: number): number => Math.log(p / (1 - p));
    shifted.forEach((value, index) => expect(logit(value)).toBeCloseTo(logit(plain[index]!) + Math.log(0.25), 4));
  });

  it('gives a task that a surface lacks the logit 0 in training', async () => {
    const logits = await runTrainingGraph(graph);
    for (const index of [1, 3, 5]) expect(Math.abs(logits[index]!)).toBe(0);
    expect(logits[7]).not.toBe(0);
  });
});
