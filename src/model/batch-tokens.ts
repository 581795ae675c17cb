import { batchSizes, type BatchShape } from './batch-sizes.js';
import { stepBytes } from './module-costs.js';
import type { ModelGraph } from './model-graph.js';

/** Most bytes of a train step's activations. */
const ACTIVATION_BYTES = 512 * 1024 ** 2;

/** Requests whose histories are as long as can be: attention, whose cost grows with the square of the length, is worst there. */
const longestHistories = ({ layout }: ModelGraph, requests: number, candidates: number): BatchShape => ({
  requests,
  candidates: Object.fromEntries(layout.surfaces.map((surface) => [surface, candidates / layout.surfaces.length])),
  sequences: Object.fromEntries(layout.sequences.map(({ name, length }) => [name, { tokens: requests * length, groups: [{ requests, length }] }])),
});

/**
 * The bound on a batch's sequence tokens that keeps the activations of a train step within 512 MB whatever the histories'
 * lengths, beside `batchCandidates` candidates; where these alone take more than half of it, the tokens get half of it all the same.
 * At least one request's tokens; infinite for a model without sequences.
 */
export const defaultBatchTokens = (graph: ModelGraph, batchCandidates: number): number => {
  const { layout } = graph;
  if (layout.sequences.length === 0) return Infinity;
  const peak = stepBytes(graph);
  const bytes = (requests: number): number => peak(batchSizes(layout, longestHistories(graph, requests, batchCandidates)));
  const limit = Math.max(ACTIVATION_BYTES, bytes(0) + ACTIVATION_BYTES / 2);
  // The most requests that fit: doubled until they no longer do, then bisected.
  let fitting = 1;
  while (bytes(2 * fitting) <= limit) fitting *= 2;
  for (let step = fitting / 2; step >= 1; step /= 2) if (bytes(fitting + step) <= limit) fitting += step;
  return fitting * layout.sequences.reduce((sum, { length }) => sum + length, 0);
};
