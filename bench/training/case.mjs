/** The models that training is measured on, and batches for them: synthetic, so that shapes are exactly those stated. */
import { resolveProject } from '../../dist/config/resolve.js';
import { buildModelGraph } from '../../dist/model/build-model.js';
import { POSITION_COLUMN } from '../../dist/model/plan-layout.js';

const SURFACE = 'feed';
const TASKS = ['click', 'save'];

/** A generator of uniform numbers in [0, 1), the same for the same seed (Mulberry32). */
export const uniform = (seed) => {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
  };
};

const idColumn = (name, side, feature = name, table = name) => ({ kind: 'id', name, feature, side, surfaces: [SURFACE], table });

/**
 * A model on `fields` categorical features, half of them of the request, and on a history where `length` is above 0.
 *
 * @param {object} shape
 * @param {number} shape.fields categorical features, the history's aside
 * @param {number} shape.rows rows of each table
 * @param {number} shape.length most events of a history; 0: none
 * @param {object} shape.model settings of the preset `unified`
 */
export const buildCase = ({ fields, rows, length, model }) => {
  const names = Array.from({ length: fields }, (_, index) => (length > 0 && index === fields - 1 ? 'ad' : `field${index}`));
  const sideOf = (index) => (index < fields / 2 ? 'request' : 'candidate');
  const sequence = length > 0 ? { history: { kind: 'sequence', length, time: 'times', fields: { ad: { table: 'ad' }, action: {}, surface: {} } } } : {};
  const project = resolveProject(
    {
      name: 'training-benchmark',
      surfaces: { [SURFACE]: { source: { files: 'none.parquet' } } },
      features: { ...Object.fromEntries(names.map((name, index) => [name, { kind: 'categorical', side: sideOf(index) }])), ...sequence },
      tasks: Object.fromEntries(TASKS.map((task) => [task, { label: task }])),
      models: { measured: { preset: 'unified', embedding: { width: 32 }, ...model } },
      training: { clipNorm: 0, weightDecay: 0, threads: 2, optimizer: 'adamw', embeddingOptimizer: 'adagrad' },
    },
    { file: '/benchmark/onefold.config.ts' },
  );
  const pooled = (field, table) => ({ kind: 'ids', name: `history.${field}`, feature: 'history', side: 'request', surfaces: [SURFACE], table, pooling: 'mean', maxLength: length, keep: 'last' });
  const own = ['history.action', 'history.surface'];
  const encoders = {
    surfaces: [SURFACE],
    viewTypes: ['', `${SURFACE}/${SURFACE}`],
    tables: [...names.map((name) => ({ type: 'hash', name, rows, buckets: rows - 3 })), ...(length > 0 ? own.map((name) => ({ type: 'hash', name, rows: 16, buckets: 13 })) : [])],
    columns: [
      ...names.map((name, index) => idColumn(name, sideOf(index))),
      ...(length > 0 ? [pooled('ad', 'ad'), pooled('action', own[0]), pooled('surface', own[1])] : []),
    ],
  };
  const resolved = project.models.measured;
  return { graph: buildModelGraph(project, encoders, resolved, [SURFACE]), training: resolved.training, taskNames: TASKS, names, sideOf, rows, length };
};

/** Ids are drawn like those of logs: few are frequent, most are rare. */
const drawId = (random, rows) => Math.floor(rows * random() ** 3);

/**
 * A batch of `requests` requests of `candidates` candidates each.
 *
 * @param {number} shortest events of the shortest history: lengths are spread evenly from there to the longest
 */
export const makeBatch = ({ names, sideOf, rows, length }, { requests, candidates, shortest = length, seed }) => {
  const random = uniform(seed);
  const count = { request: requests, candidate: requests * candidates };
  const columns = { request: new Map(), candidate: new Map() };
  names.forEach((name, index) => {
    const side = sideOf(index);
    columns[side].set(name, { kind: 'id', values: Int32Array.from({ length: count[side] }, () => drawId(random, rows)) });
  });
  if (length > 0) {
    const offsets = new Int32Array(requests + 1);
    for (let request = 0; request < requests; request += 1) offsets[request + 1] = offsets[request] + shortest + Math.floor(random() * (length - shortest + 1));
    const ids = (most) => ({ kind: 'ids', offsets, values: Int32Array.from({ length: offsets[requests] }, () => drawId(random, most)) });
    columns.request.set('history.ad', ids(rows)).set('history.action', ids(16)).set('history.surface', ids(16));
  }
  return {
    requestCount: requests,
    candidateCount: count.candidate,
    rowToRequest: Int32Array.from({ length: count.candidate }, (_, row) => Math.floor(row / candidates)),
    surfaceCandidates: Int32Array.of(count.candidate),
    surfaces: new Int32Array(requests),
    viewTypes: new Int32Array(requests).fill(1),
    requestColumns: columns.request,
    candidateColumns: columns.candidate,
    labels: TASKS.map(() => Float32Array.from({ length: count.candidate }, () => (random() < 0.2 ? 1 : 0))),
    weights: new Float32Array(count.candidate).fill(1),
    requestIndex: Int32Array.from({ length: requests }, (_, request) => request),
  };
};

/** Rows of the fused table that a batch looks up, as the peer wants them: a matrix a row space, histories padded with row 0. */
export const batchTensors = (layout, batch, length) => {
  const matrix = (rows, columnsOf) => {
    const slots = layout.blocks.filter((block) => block.rows === rows).flatMap((block) => block.slots);
    const count = rows === 'candidate' ? batch.candidateCount : batch.requestCount;
    const values = new Int32Array(count * slots.length);
    slots.forEach(({ column, base }, slot) => columnsOf.get(column).values.forEach((id, row) => (values[row * slots.length + slot] = base + id)));
    return { shape: [count, slots.length], data: values };
  };
  const tensors = {
    request: matrix('request', batch.requestColumns),
    candidate: matrix('candidate', batch.candidateColumns),
    row_to_request: { shape: [batch.candidateCount], data: batch.rowToRequest },
    labels: { shape: [batch.labels.length, batch.candidateCount], data: Float32Array.from(batch.labels.flatMap((labels) => [...labels])) },
  };
  if (length === 0) return tensors;
  const slots = layout.blocks.filter((block) => block.rows === 'tokens:history').flatMap((block) => block.slots);
  const { offsets } = batch.requestColumns.get('history.ad');
  const tokens = new Int32Array(batch.requestCount * length * slots.length);
  const lengths = Int32Array.from({ length: batch.requestCount }, (_, request) => offsets[request + 1] - offsets[request]);
  lengths.forEach((events, request) => {
    for (let event = 0; event < events; event += 1) {
      slots.forEach(({ column, base }, slot) => {
        const id = column === POSITION_COLUMN ? events - 1 - event : batch.requestColumns.get(column).values[offsets[request] + event];
        tokens[(request * length + event) * slots.length + slot] = base + id;
      });
    }
  });
  return { ...tensors, tokens: { shape: [batch.requestCount, length, slots.length], data: tokens }, lengths: { shape: [batch.requestCount], data: lengths } };
};

