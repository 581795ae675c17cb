import type { Dim, Tensor } from '../graph/tensor.js';
import { constant, input, scalar } from '../graph/inputs.js';
import { add } from '../graph/ops/add.js';
import { cast } from '../graph/ops/cast.js';
import { equal, greater } from '../graph/ops/comparison.js';
import { cumulativeSum } from '../graph/ops/cumulative-sum.js';
import { gather } from '../graph/ops/gather.js';
import { mul } from '../graph/ops/mul.js';
import { reduceSum } from '../graph/ops/reduce-sum.js';
import { reshape } from '../graph/ops/reshape.js';
import { slice } from '../graph/ops/slice.js';
import { sub } from '../graph/ops/sub.js';
import { transpose } from '../graph/ops/transpose.js';
import { dimProduct } from '../graph/shapes.js';
import { INPUT, MASKED_SCORE, type SequenceLayout } from '../model/layout.js';
import { featureWidth } from '../model/scope.js';
import type { SequenceFrame } from '../model/sequence-frame.js';

/** What the padded ids `[requests, length]` of a sequence say about it; events come first, in time order. */
export interface PaddedSequence {
  readonly length: Dim;
  /** float32 `[requests, length]`: distance from the newest event; 0 for padding. */
  readonly distance: Tensor;
  /** float32 `[requests, length]`: 1 for the newest event. */
  readonly newest: Tensor;
  /** float32 `[requests, 1, 1, length]`: 0 for an event, −1e9 for padding. */
  readonly keyBias: Tensor;
  /** float32 `[requests, 1, length, length]`: 0 up to the event itself, −1e9 for what came later. */
  readonly causalBias: Tensor;
}

const MASKED = scalar(MASKED_SCORE);

/** Reads a sequence's shape off one of its id columns, int64 `[requests, length]`, padded with −1. */
export const paddedSequence = (ids: Tensor): PaddedSequence => {
  const length = ids.shape[1]!;
  const mask = cast(greater(ids, constant([-1], 'int64', [1, 1])), 'float32');
  const number = cumulativeSum(mask, 1);
  const distance = sub(reduceSum(mask, [1], { keepDims: true }), number);
  const later = greater(reshape(number, ['requests', 1, 1, length]), reshape(number, ['requests', 1, length, 1]));
  return {
    length,
    distance,
    newest: mul(mask, cast(equal(distance, scalar(0)), 'float32')),
    keyBias: mul(reshape(sub(scalar(1), mask), ['requests', 1, 1, length]), MASKED),
    causalBias: mul(cast(later, 'float32'), MASKED),
  };
};

/**
 * A history of one event for every request.
 *
 * @param rows int64 `[requests]`, whatever its values
 */
export const absentSequence = (rows: Tensor): PaddedSequence => {
  const zeros = reshape(cast(sub(rows, rows), 'float32'), ['requests', 1]);
  const bias = reshape(zeros, ['requests', 1, 1, 1]);
  return { length: 1, distance: zeros, newest: add(zeros, scalar(1)), keyBias: bias, causalBias: bias };
};

/**
 * Tokens as an export gets them: every request's events first, padded to the longest of the call, `[requests · length, d]`
 * when flat. One group holds all requests, and every candidate reads its own request's keys and values.
 */
export const paddedFrame = ({ heads, attention }: SequenceLayout, { length, distance, newest, causalBias, keyBias }: PaddedSequence): SequenceFrame => {
  const rowToRequest = input(INPUT.rowToRequest, 'int64', ['candidates']);
  const flat = dimProduct(['requests', length]);
  return {
    split: (x, parts) => {
      const width = featureWidth(x) / parts / heads;
      const cut = transpose(reshape(x, ['requests', length, parts, heads, width], distance), [2, 0, 3, 1, 4]);
      return Array.from({ length: parts }, (_, part) => [reshape(slice(cut, 0, part, part + 1), ['requests', heads, length, width], distance)]);
    },
    join: ([only]) => reshape(transpose(only!, [0, 2, 1, 3]), [flat, heads * featureWidth(only!)]),
    tokenBiases: () => (attention === 'causal' ? [causalBias, keyBias] : [keyBias]),
    forCandidates: (shared) => gather(shared, rowToRequest),
    candidateBiases: () => [gather(keyBias, rowToRequest)],
    splitCandidates: (x) => [reshape(x, ['candidates', heads, 1, featureWidth(x) / heads])],
    joinCandidates: ([only]) => {
      const hasHistory = reduceSum(newest, [1], { keepDims: true });
      return mul(reshape(only!, ['candidates', heads * featureWidth(only!)]), gather(hasHistory, rowToRequest));
    },
    newest: (x) => reduceSum(mul(reshape(x, ['requests', length, featureWidth(x)], distance), reshape(newest, ['requests', length, 1])), [1]),
  };
};
