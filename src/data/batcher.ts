import type { Batch } from './batch.js';
import { gatherColumns, gatherFloats, gatherInts } from './gather-columns.js';
import type { Shard } from './shard.js';

/** What one batch may hold at most, each bound on its own. */
export interface BatchBounds {
  readonly candidates: number;
  /** Default: no bound. */
  readonly requests?: number | undefined;
  /** Sequence tokens. Default: no bound. */
  readonly tokens?: number | undefined;
}

/** What the bounds are held against. */
export interface RequestSizes {
  /** Request i has `offsets[i + 1] - offsets[i]` candidates. */
  readonly offsets: Int32Array;
  /** Sequence tokens of each request; none when left out. */
  readonly tokens?: Int32Array | undefined;
}

/**
 * Cuts requests, in `order`, into batches that stay within every bound. A request is never cut: one that exceeds a bound
 * alone forms a batch of its own.
 *
 * @param order request indices of the shard
 */
export const planBatches = ({ offsets, tokens }: RequestSizes, order: Int32Array, bounds: BatchBounds): Int32Array[] => {
  const { requests: requestBound = Infinity, tokens: tokenBound = Infinity } = bounds;
  const batches: Int32Array[] = [];
  let start = 0;
  let candidateSum = 0;
  let tokenSum = 0;
  for (let position = 0; position < order.length; position += 1) {
    const request = order[position]!;
    const candidates = offsets[request + 1]! - offsets[request]!;
    const own = tokens?.[request] ?? 0;
    const isFull = candidateSum + candidates > bounds.candidates || position - start >= requestBound || tokenSum + own > tokenBound;
    if (position > start && isFull) {
      batches.push(order.slice(start, position));
      start = position;
      candidateSum = 0;
      tokenSum = 0;
    }
    candidateSum += candidates;
    tokenSum += own;
  }
  if (start < order.length) batches.push(order.slice(start));
  return batches;
};

/**
 * Sequence tokens of each request of a shard.
 *
 * @param sequences one encoded ids column of each sequence that counts: all fields of a sequence are equally long
 */
export const countTokens = ({ requestCount, requestColumns }: Pick<Shard, 'requestCount' | 'requestColumns'>, sequences: readonly string[]): Int32Array => {
  const tokens = new Int32Array(requestCount);
  for (const name of sequences) {
    const column = requestColumns.get(name);
    if (column?.kind !== 'ids') throw new TypeError(`"${name}" is not an ids column of the requests`);
    for (let request = 0; request < requestCount; request += 1) tokens[request]! += column.offsets[request + 1]! - column.offsets[request]!;
  }
  return tokens;
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
