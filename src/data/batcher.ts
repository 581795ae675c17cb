import type { Batch } from './batch.js';
import type { Column, Columns } from './columns.js';
import type { Shard } from './shard.js';

/**
 * Cuts requests, in `order`, into batches of at most `batchCandidates` candidates. A request is never cut: one that is
 * larger forms a batch of its own.
 *
 * @param order request indices of the shard
 */
export const planBatches = ({ offsets }: Pick<Shard, 'offsets'>, order: Int32Array, batchCandidates: number): Int32Array[] => {
  const batches: Int32Array[] = [];
  let start = 0;
  let candidates = 0;
  for (let position = 0; position < order.length; position += 1) {
    const request = order[position]!;
    const size = offsets[request + 1]! - offsets[request]!;
    if (position > start && candidates + size > batchCandidates) {
      batches.push(order.slice(start, position));
      start = position;
      candidates = 0;
    }
    candidates += size;
  }
  if (start < order.length) batches.push(order.slice(start));
  return batches;
};

/** Stable counting sort of requests by surface. */
const sortBySurface = (requests: Int32Array, surfaces: Int32Array, surfaceCount: number): Int32Array => {
  const next = new Int32Array(surfaceCount + 1);
  for (const request of requests) next[surfaces[request]! + 1]! += 1;
  for (let surface = 0; surface < surfaceCount; surface += 1) next[surface + 1]! += next[surface]!;
  const sorted = new Int32Array(requests.length);
  for (const request of requests) {
    const surface = surfaces[request]!;
    sorted[next[surface]!] = request;
    next[surface]! += 1;
  }
  return sorted;
};

// One function per element type: a loop that meets both kinds of array is several times slower.
const gatherInts = (from: Int32Array, rows: Int32Array): Int32Array => {
  const into = new Int32Array(rows.length);
  for (let i = 0; i < into.length; i += 1) into[i] = from[rows[i]!]!;
  return into;
};

const gatherFloats = (from: Float32Array, rows: Int32Array): Float32Array => {
  const into = new Float32Array(rows.length);
  for (let i = 0; i < into.length; i += 1) into[i] = from[rows[i]!]!;
  return into;
};

const gatherVectors = (from: Float32Array, size: number, rows: Int32Array): Float32Array => {
  const into = new Float32Array(rows.length * size);
  for (let i = 0; i < rows.length; i += 1) {
    const start = rows[i]! * size;
    for (let k = 0; k < size; k += 1) into[i * size + k] = from[start + k]!;
  }
  return into;
};

const gatherLists = (offsets: Int32Array, from: Int32Array, rows: Int32Array): Column => {
  const own = new Int32Array(rows.length + 1);
  for (let i = 0; i < rows.length; i += 1) own[i + 1] = own[i]! + offsets[rows[i]! + 1]! - offsets[rows[i]!]!;
  const into = new Int32Array(own[rows.length]!);
  for (let i = 0; i < rows.length; i += 1) {
    const end = own[i + 1]!;
    for (let k = own[i]!, at = offsets[rows[i]!]!; k < end; k += 1, at += 1) into[k] = from[at]!;
  }
  return { kind: 'ids', offsets: own, values: into };
};

/** The given rows of a column, in that order. */
export const gatherColumn = (column: Column, rows: Int32Array): Column => {
  switch (column.kind) {
    case 'id':
      return { kind: 'id', values: gatherInts(column.values, rows) };
    case 'number':
      return { kind: 'number', values: gatherFloats(column.values, rows) };
    case 'vector':
      return { kind: 'vector', size: column.size, values: gatherVectors(column.values, column.size, rows) };
    case 'ids':
      return gatherLists(column.offsets, column.values, rows);
  }
};

const gatherColumns = (columns: Columns, rows: Int32Array): Columns => {
  const gathered = new Map<string, Column>();
  for (const [name, column] of columns) gathered.set(name, gatherColumn(column, rows));
  return gathered;
};

/**
 * Assembles a batch of the shard's requests `requestIndices`: sorted by surface, otherwise in the order given, with each
 * request's candidates contiguous and nothing expanded. Every array is fresh and owned by the caller.
 *
 * @param surfaceCount number of surfaces in the whole project
 */
export const createBatch = (shard: Shard, requestIndices: Int32Array, surfaceCount: number): Batch => {
  const requests = sortBySurface(requestIndices, shard.surfaces, surfaceCount);
  const surfaceCandidates = new Int32Array(surfaceCount);
  let candidateCount = 0;
  for (const request of requests) {
    const size = shard.offsets[request + 1]! - shard.offsets[request]!;
    surfaceCandidates[shard.surfaces[request]!]! += size;
    candidateCount += size;
  }
  const candidates = new Int32Array(candidateCount);
  const rowToRequest = new Int32Array(candidateCount);
  let row = 0;
  requests.forEach((request, position) => {
    const end = shard.offsets[request + 1]!;
    for (let candidate = shard.offsets[request]!; candidate < end; candidate += 1) {
      candidates[row] = candidate;
      rowToRequest[row] = position;
      row += 1;
    }
  });
  return {
    requestCount: requests.length,
    candidateCount,
    rowToRequest,
    surfaceCandidates,
    surfaces: gatherInts(shard.surfaces, requests),
    viewTypes: gatherInts(shard.viewTypes, requests),
    requestColumns: gatherColumns(shard.requestColumns, requests),
    candidateColumns: gatherColumns(shard.candidateColumns, candidates),
    labels: shard.labels.map((labels) => gatherFloats(labels, candidates)),
    weights: gatherFloats(shard.weights, candidates),
    requestIndex: requests,
  };
};
