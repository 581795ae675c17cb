/** A project of three surfaces with every kind of feature, its encoders, and plain numbers to feed its models with. */
import type { Model, ModelConfig, Project } from '../../src/config/project.js';
import { resolveProject } from '../../src/config/resolve.js';
import type { ColumnState, EncoderSet } from '../../src/data/encoder-state.js';
import type { Feeds } from '../../src/graph/check/run-graph.js';
import { buildModelGraph } from '../../src/model/build-model.js';
import { INPUT, type RowSpace } from '../../src/model/layout.js';
import type { ModelGraph } from '../../src/model/model-graph.js';
import { arrangeSequence } from '../../src/train/sequence-feeds.js';

export const SMALL_SURFACES = ['home', 'search', 'related'];

/** `save` is no task of home, `query` only search's, `tags` only home's, `rank` only related's; `user` is wider than the others. */
export const smallProject = (models: Readonly<Record<string, ModelConfig>> = {}): Project =>
  resolveProject(
    {
      name: 'small',
      surfaces: { home: { source: { files: 'h' } }, search: { source: { files: 's' } }, related: { source: { files: 'r' } } },
      features: {
        user: { kind: 'categorical', side: 'request', width: 3 },
        query: { kind: 'categorical', side: 'request', surfaces: ['search'] },
        age: { kind: 'number', side: 'request' },
        history: { kind: 'sequence', length: 3, time: 'times', fields: { ad: { table: 'ad' }, gap: { kind: 'time_gap' } } },
        ad: { kind: 'categorical', side: 'candidate' },
        tags: { kind: 'multi', side: 'candidate', pooling: 'max', surfaces: ['home'] },
        price: { kind: 'number', side: 'candidate', encoding: { type: 'bucket', boundaries: [1, 2] } },
        rank: { kind: 'number', side: 'candidate', surfaces: ['related'] },
        creative: { kind: 'vector', side: 'candidate', size: 2 },
      },
      tasks: { click: { label: 'click' }, save: { label: 'save', surfaces: ['search', 'related'], weight: 0.5 } },
      models: Object.keys(models).length > 0 ? models : { unified: { preset: 'unified' } },
    },
    { file: '/small/onefold.config.ts' },
  );

const affine = { type: 'affine', log: false, mean: 0, deviation: 1 } as const;
const all = SMALL_SURFACES;

const COLUMNS: readonly ColumnState[] = [
  { kind: 'id', name: 'user', feature: 'user', side: 'request', surfaces: all, table: 'user' },
  { kind: 'id', name: 'query', feature: 'query', side: 'request', surfaces: ['search'], table: 'query' },
  { kind: 'number', name: 'age', feature: 'age', side: 'request', surfaces: all, encoding: affine },
  { kind: 'ids', name: 'history.ad', feature: 'history', side: 'request', surfaces: all, table: 'ad', pooling: 'mean', maxLength: 3, keep: 'last' },
  { kind: 'ids', name: 'history.gap', feature: 'history', side: 'request', surfaces: all, table: 'history.gap', pooling: 'mean', maxLength: 3, keep: 'last' },
  { kind: 'id', name: 'ad', feature: 'ad', side: 'candidate', surfaces: all, table: 'ad' },
  { kind: 'ids', name: 'tags', feature: 'tags', side: 'candidate', surfaces: ['home'], table: 'tags', pooling: 'max', maxLength: 50, keep: 'first' },
  { kind: 'id', name: 'price', feature: 'price', side: 'candidate', surfaces: all, table: 'price' },
  { kind: 'number', name: 'rank', feature: 'rank', side: 'candidate', surfaces: ['related'], encoding: affine },
  { kind: 'vector', name: 'creative', feature: 'creative', side: 'candidate', surfaces: all, size: 2 },
];

/** Home has two view types, the others one each. */
export const SMALL_ENCODERS: EncoderSet = {
  tables: [
    { type: 'vocabulary', name: 'user', rows: 5, values: ['u1', 'u2'] },
    { type: 'hash', name: 'query', rows: 7, buckets: 4 },
    { type: 'vocabulary', name: 'ad', rows: 6, values: ['a', 'b', 'c'] },
    { type: 'time_gap', name: 'history.gap', rows: 19 },
    { type: 'vocabulary', name: 'tags', rows: 4, values: ['t'] },
    { type: 'bucket', name: 'price', rows: 6, boundaries: [1, 2] },
  ],
  columns: COLUMNS,
  surfaces: SMALL_SURFACES,
  viewTypes: ['', 'home/grid', 'home/carousel', 'search/search', 'related/related'],
};

/** Values in [−1, 1), the same for the same seed. */
export const drawValues = (seed: number, count: number): number[] =>
  Array.from({ length: count }, (_, index) => ((Math.imul(seed * 7919 + index + 1, 2654435761) >>> 8) % 4096) / 2048 - 1);

/** A model of the project for some of its surfaces; `config` changes one that is small everywhere. */
export const smallModel = (config: Partial<ModelConfig> = {}, surfaces: readonly string[] = SMALL_SURFACES): { readonly model: Model; readonly graph: ModelGraph } => {
  const project = smallProject({ one: { preset: 'unified', embedding: { width: 2 }, cross: { layers: 1 }, mlp: [4], tower: [3], ...config } });
  const model = project.models['one']!;
  return { model, graph: buildModelGraph(project, SMALL_ENCODERS, model, surfaces) };
};

const sizeOf = (shape: readonly number[]): number => shape.reduce((product, dim) => product * dim, 1);

/** Events in the history of a request. */
const historyLength = (request: number): number => (request + 2) % 4;

/**
 * Numbers for every input and parameter of a model.
 *
 * @param requests candidates of each request, a list per surface of the layout, in its order
 */
export const smallFeeds = (graph: ModelGraph, requests: readonly (readonly number[])[], seed = 1): Feeds => {
  const { layout, parameters } = graph;
  const counts = requests.flat();
  const rowToRequest = counts.flatMap((count, request) => new Array<number>(count).fill(request));
  const width = Math.max(...counts);
  let row = 0;
  const slots = counts.flatMap((count) => Array.from({ length: width }, (_, slot) => (slot < count ? row++ : 0)));
  const int64 = (values: readonly number[], shape: readonly number[]): Feeds[string] => ({ dtype: 'int64', values, shape });
  // Histories of 0 to 3 events, as long as the project's sequence allows.
  const offsets = Int32Array.from({ length: counts.length + 1 }, (_, request) => Array.from({ length: request }, (__, before) => historyLength(before)).reduce((sum, length) => sum + length, 0));
  const sequences = layout.sequences.map((sequence) => arrangeSequence(sequence, offsets, Int32Array.from(counts)));
  const rowsOf = (space: RowSpace): number =>
    space === 'request' ? counts.length : space === 'candidate' ? rowToRequest.length : sequences.find(({ name }) => space === `tokens:${name}`)!.tokenCount;
  const drawn = (index: number, shape: readonly number[]): Feeds[string] => ({ dtype: 'float32', values: drawValues(seed * 100 + index, sizeOf(shape)), shape });
  const perSurface = requests.map((ofSurface) => ofSurface.reduce((sum, count) => sum + count, 0));
  return {
    [INPUT.rowToRequest]: int64(rowToRequest, [rowToRequest.length]),
    [INPUT.segmentSlots]: int64(slots, [counts.length, width]),
    [INPUT.segmentMask]: {
      dtype: 'float32',
      values: counts.flatMap((count) => Array.from({ length: width }, (_, slot) => (slot < count ? 1 : 0))),
      shape: [counts.length, 1, width],
    },
    [INPUT.surfaceCandidates]: int64(perSurface, [perSurface.length]),
    ...Object.fromEntries([...layout.blocks, ...layout.dense].map((block, index) => [block.name, drawn(index, [rowsOf(block.rows), block.blockWidth])])),
    ...Object.fromEntries(layout.dropout.map(({ name, width: units }) => [name, { dtype: 'float32' as const, values: new Array<number>(units).fill(1), shape: [1, units] }])),
    ...Object.fromEntries(sequences.flatMap(({ tensors }) => tensors.map(({ name, shape, data }) => [name, { dtype: data instanceof Int32Array ? ('int32' as const) : ('float32' as const), values: Array.from(data), shape }]))),
    ...Object.fromEntries(parameters.map(({ spec }, index) => [spec.name, drawn(50 + index, spec.shape)])),
  };
};
