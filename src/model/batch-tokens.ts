import { peakBytes } from '../graph/cost.js';
import { gradients } from '../graph/gradients.js';
import { batchSizes, type BatchShape } from './batch-sizes.js';
import { modelLoss } from './module-costs.js';
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
 * lengths, beside `batchCandidates` candidates; these never take more than half. At least one request's tokens; infinite
 * for a model without sequences.
 */
export const defaultBatchTokens = (graph: ModelGraph, batchCandidates: number): number => {
  const { layout, parameters, blocks, logits } = graph;
  if (layout.sequences.length === 0) return Infinity;
  const loss = modelLoss(graph);
  const outputs = [loss, logits, ...gradients(loss, [...parameters.map(({ tensor }) => tensor), ...blocks])];
  const bytes = (requests: number): number => peakBytes(outputs, batchSizes(layout, longestHistories(graph, requests, batchCandidates)));
  // Two batches tell what a request adds to the part that candidates take.
  const [some, more] = [64, 128];
  const perRequest = (bytes(more) - bytes(some)) / (more - some);
  const fixed = bytes(some) - some * perRequest;
  const requests = Math.floor(Math.max(ACTIVATION_BYTES - fixed, ACTIVATION_BYTES / 2) / perRequest);
  return Math.max(1, requests) * layout.sequences.reduce((sum, { length }) => sum + length, 0);
};
