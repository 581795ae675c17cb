import type { Model, Transformer } from '../config/project.js';
import type { Tensor } from '../graph/tensor.js';
import { concat } from '../graph/ops/concat.js';
import { assembleTokens, type BlockInputs } from './inputs.js';
import type { ModelLayout, SequenceLayout } from './layout.js';
import { project } from './projection.js';
import type { Scope } from './scope.js';
import type { SequenceFrame } from './sequence-frame.js';
import type { SideFeatures } from './sides.js';
import { readByCandidates, transformerEncoder } from './transformer.js';

export interface SequenceOptions {
  readonly layout: ModelLayout;
  readonly inputs: BlockInputs;
  readonly transformer: Transformer;
  readonly projection: Model['projection'];
  readonly frame: (sequence: SequenceLayout) => SequenceFrame;
}

/** What is read from all sequences, made small where the model has a projection. */
const small = (scope: Scope, reads: readonly Tensor[], projection: Model['projection']): Tensor | null => {
  if (reads.length === 0) return null;
  const wide = concat(reads, 1);
  return projection === undefined ? wide : project(projection)(scope, wide);
};

/**
 * Encodes every sequence of the layout once per request, and reads it from each candidate, by its newest event, or both.
 *
 * @param candidate candidate-side features, whose queries read the histories; null: nothing to ask with
 */
export const readSequences = (scope: Scope, candidate: Tensor | null, { layout, inputs, transformer, projection, frame }: SequenceOptions): SideFeatures => {
  const newest: Tensor[] = [];
  const read: Tensor[] = [];
  for (const sequence of layout.sequences) {
    const own = scope.child(`transformer.${sequence.name}`);
    const ownFrame = frame(sequence);
    const encoded = transformerEncoder(own, assembleTokens(layout, inputs, sequence.name), ownFrame, transformer, `tokens:${sequence.name}`);
    if (transformer.read !== 'candidate' || candidate === null) newest.push(ownFrame.newest(encoded));
    if (transformer.read !== 'newest' && candidate !== null) read.push(readByCandidates(own.child('read'), encoded, candidate, ownFrame, transformer));
  }
  return {
    request: small(scope.child('projection.request'), newest, projection),
    candidate: small(scope.child('projection.candidate'), read, projection),
  };
};
