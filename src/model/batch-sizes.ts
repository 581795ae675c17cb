import type { DimSizes } from '../graph/cost.js';
import { ATTENTION_GROUPS, type ModelLayout } from './layout.js';

/** Requests of similar history length, padded to the longest for attention. */
export interface PaddedGroup {
  readonly requests: number;
  readonly length: number;
}

/** What a batch holds; averages need not be whole. */
export interface BatchShape {
  readonly requests: number;
  /** Candidates by surface. */
  readonly candidates: Readonly<Record<string, number>>;
  /** By sequence; one that is left out is empty. */
  readonly sequences: Readonly<Record<string, { readonly tokens: number; readonly groups: readonly PaddedGroup[] }>>;
}

/** Candidates of all surfaces. */
export const shapeCandidates = ({ candidates }: BatchShape): number => Object.values(candidates).reduce((sum, count) => sum + count, 0);

const scaleSequences = (sequences: BatchShape['sequences'], factor: number): BatchShape['sequences'] =>
  Object.fromEntries(
    Object.entries(sequences).map(([name, { tokens, groups }]) => [
      name,
      { tokens: tokens * factor, groups: groups.map(({ requests, length }) => ({ requests: requests * factor, length })) },
    ]),
  );

/** The same mix of requests, `factor` times as many. */
export const scaledShape = ({ requests, candidates, sequences }: BatchShape, factor: number): BatchShape => ({
  requests: requests * factor,
  candidates: Object.fromEntries(Object.entries(candidates).map(([surface, count]) => [surface, count * factor])),
  sequences: scaleSequences(sequences, factor),
});

/** The same candidates with every one of them a request of its own. */
export const expandedShape = (shape: BatchShape): BatchShape => {
  const candidates = shapeCandidates(shape);
  return { requests: candidates, candidates: shape.candidates, sequences: scaleSequences(shape.sequences, candidates / shape.requests) };
};

/** Sizes of the symbolic dims of a model's graph for a batch of this shape. */
export const batchSizes = (layout: ModelLayout, shape: BatchShape): DimSizes => {
  const candidates = shapeCandidates(shape);
  const perRequest = shape.requests === 0 ? 0 : candidates / shape.requests;
  const sizes: Record<string, number> = { requests: shape.requests, candidates, segment_width: perRequest };
  for (const surface of layout.surfaces) sizes[`candidates:${surface}`] = shape.candidates[surface] ?? 0;
  for (const { name } of layout.sequences) {
    const own = shape.sequences[name];
    sizes[`tokens:${name}`] = own?.tokens ?? 0;
    for (let group = 0; group < ATTENTION_GROUPS; group += 1) {
      const { requests, length } = own?.groups[group] ?? { requests: 0, length: 0 };
      sizes[`${name}.${group}.requests`] = requests;
      sizes[`${name}.${group}.length`] = length;
      sizes[`${name}.${group}.candidates`] = perRequest;
    }
  }
  return sizes;
};
