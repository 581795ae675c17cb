/** How the tokens of a sequence are arranged: the Transformer is written once, for training and for serving. */
import type { Tensor } from '../graph/tensor.js';
import { input } from '../graph/inputs.js';
import { groupRows, ungroupRows, type RowGroups } from '../graph/ops/group-rows.js';
import { mul } from '../graph/ops/mul.js';
import { reshape } from '../graph/ops/reshape.js';
import { dimProduct } from '../graph/shapes.js';
import { ATTENTION_GROUPS, sequenceInput, type SequenceLayout } from './layout.js';
import { featureWidth } from './scope.js';

/** Heads of the tokens (or candidates) of one group of requests: `[group requests, heads, length, head width]`. */
export type Heads = Tensor;

/** What the Transformer needs to know about tokens `[tokens, d]`, whose order it never looks at otherwise. */
export interface SequenceFrame {
  /** Cuts each token's row into `parts` parts and those into heads: per part, per group. */
  split(x: Tensor, parts: number): readonly (readonly Heads[])[];
  /** The inverse of `split` into one part. */
  join(groups: readonly Heads[]): Tensor;
  /** Added to the scores among a group's tokens. */
  tokenBiases(group: number): readonly Tensor[];
  /** Added to the scores of a group's candidates over its tokens. */
  candidateBiases(group: number): readonly Tensor[];
  /** Keys or values as a group's candidates read them. */
  forCandidates(heads: Heads): Heads;
  /** Heads of the candidates `[candidates, d]`, per group. */
  splitCandidates(x: Tensor): readonly Heads[];
  /** The inverse, zero for candidates whose request has no history. */
  joinCandidates(groups: readonly Heads[]): Tensor;
  /** Each request's newest token `[requests, d]`, zero for an empty history. */
  newest(x: Tensor): Tensor;
}

/**
 * Ragged tokens, flat over the batch: what the engine trains and evaluates on. Its inputs are made by the feeds.
 *
 * @param groupCount rectangles that requests are put into by their length
 */
export const raggedFrame = ({ name, heads, attention }: SequenceLayout, groupCount: number = ATTENTION_GROUPS): SequenceFrame => {
  const allGroups = Array.from({ length: groupCount }, (_, group) => group);
  const tokens = `tokens:${name}`;
  const dim = (what: string, group: number): string => `${name}.${group}.${what}`;
  const tokenGroups = (parts: number): RowGroups => ({
    sources: Array.from({ length: parts }, (_, part) =>
      allGroups.map((group) => input(sequenceInput.headSources(name, parts, part, group), 'int32', [dim('requests', group), heads, dim('length', group)])),
    ).flat(),
    places: input(sequenceInput.headPlaces(name, parts), 'int32', [dimProduct([tokens, parts * heads])]),
    partial: false,
  });
  const candidateGroups: RowGroups = {
    sources: allGroups.map((group) => input(sequenceInput.candidateSources(name, group), 'int32', [dim('requests', group), heads, dim('candidates', group)])),
    places: input(sequenceInput.candidatePlaces(name), 'int32', [dimProduct(['candidates', heads])]),
    partial: false,
  };
  const keyBias = (group: number): Tensor => input(sequenceInput.keyBias(name, group), 'float32', [dim('requests', group), 1, 1, dim('length', group)]);
  const headRows = (x: Tensor, count: number): Tensor => reshape(x, [dimProduct([x.shape[0]!, count]), featureWidth(x) / count]);
  return {
    split: (x, parts) => {
      const groups = groupRows(headRows(x, parts * heads), tokenGroups(parts), 'any');
      return Array.from({ length: parts }, (_, part) => groups.slice(part * groupCount, (part + 1) * groupCount));
    },
    join: (groups) => reshape(ungroupRows(groups, tokenGroups(1)), [tokens, heads * featureWidth(groups[0]!)]),
    // A padded key comes after every event, so a causal score never reaches it.
    tokenBiases: (group) =>
      attention === 'causal' ? [input(sequenceInput.causalBias(name, group), 'float32', [1, 1, dim('length', group), dim('length', group)])] : [keyBias(group)],
    candidateBiases: (group) => [keyBias(group)],
    // A group's candidates are in rectangles by request, as its tokens are: its keys serve them all.
    forCandidates: (shared) => shared,
    splitCandidates: (x) => groupRows(headRows(x, heads), candidateGroups, 'any'),
    joinCandidates: (groups) =>
      mul(
        reshape(ungroupRows(groups, candidateGroups), ['candidates', heads * featureWidth(groups[0]!)]),
        input(sequenceInput.hasHistory(name), 'float32', ['candidates', 1]),
      ),
    newest: (x) =>
      groupRows(
        x,
        { sources: [input(sequenceInput.newest(name), 'int32', ['requests'])], places: input(sequenceInput.newestOf(name), 'int32', [tokens]), partial: true },
        'zero',
      )[0]!,
  };
};
