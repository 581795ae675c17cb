import type { Model } from '../config/project.js';
import type { Tensor } from '../graph/tensor.js';
import { add } from '../graph/ops/add.js';
import { concat } from '../graph/ops/concat.js';
import { reduceSum } from '../graph/ops/reduce-sum.js';
import { reshape } from '../graph/ops/reshape.js';
import { cross } from './cross.js';
import { biasStart, dense, mlp } from './dense.js';
import { assembleSides, broadcastToCandidates, joinSides, type BlockInputs } from './inputs.js';
import type { LookupBlock, ModelLayout } from './layout.js';
import type { Scope } from './scope.js';
import { priorBias, surfaceHeads, type Priors } from './surface-heads.js';

/** What a preset composes a forward graph from. */
export interface ForwardOptions {
  readonly model: Model;
  readonly layout: ModelLayout;
  /** Surfaces whose output layers are built: all of the layout's, or the one that is exported. */
  readonly surfaces: readonly string[];
  readonly inputs: BlockInputs;
  /** Base rates that the output layers start from; 1/2 when left out. */
  readonly priors?: Priors;
}

/**
 * The baseline of both `separate` and `unified`: features → DCNv2 → MLP → surface-specific output layers, which see the
 * crossed features beside the MLP's, so that a surface can learn its own way from what they hold. With one
 * surface it is that surface's own model; with several, merged features, surface and view-type embeddings and the trunk
 * are shared, and only the output layers differ.
 *
 * @returns logits `[candidates, tasks]`
 */
const trunkAndTowers = (scope: Scope, { model, layout, surfaces, inputs, priors }: ForwardOptions): Tensor => {
  const trunk = scope.child('trunk');
  const crossed = cross(model.cross)(trunk.child('cross'), joinSides(assembleSides(layout, inputs)));
  const hidden = mlp(model.mlp, { dropout: model.dropout })(trunk.child('mlp'), crossed);
  const features = model.mlp.length === 0 ? crossed : concat([crossed, hidden], 1);
  return surfaceHeads(scope, features, { layout, surfaces, tower: model.tower, dropout: model.dropout, ...(priors === undefined ? {} : { priors }) });
};

/** Sum over a block's slots: rows are one weight per task, so `[rows, slots · tasks]` becomes `[rows, tasks]`. */
const sumSlots = (block: LookupBlock, x: Tensor): Tensor =>
  block.slots.length === 1 ? x : reduceSum(reshape(x, [x.shape[0]!, block.slots.length, block.width]), [1]);

/**
 * Logistic regression on the same raw features: a weight per id and task, pooled lists, linear dense features, a bias.
 * The yardstick for how much a problem needs interactions.
 */
const linear = (scope: Scope, { layout, surfaces, inputs, priors }: ForwardOptions): Tensor => {
  const requestParts: Tensor[] = [];
  const candidateParts: Tensor[] = [];
  layout.blocks.forEach((block, index) => {
    (block.side === 'request' ? requestParts : candidateParts).push(sumSlots(block, inputs.blocks[index]!));
  });
  const sides = assembleSides({ ...layout, blocks: [] }, { blocks: [], dense: inputs.dense });
  const denseParts = [...(sides.request === null ? [] : [broadcastToCandidates(sides.request)]), ...(sides.candidate === null ? [] : [sides.candidate])];
  const terms = [...requestParts.map(broadcastToCandidates), ...candidateParts];
  if (denseParts.length > 0) terms.push(dense(layout.tasks.length)(scope.child('dense'), denseParts.length === 1 ? denseParts[0]! : concat(denseParts, 1)));
  const bias = scope.parameter('bias', [layout.tasks.length], biasStart(priorBias(priors, surfaces[0]!, layout).bias), { decay: false });
  return terms.reduce((sum, term) => add(sum, term), bias);
};

/** The forward graph of a preset. */
export const forward = (scope: Scope, options: ForwardOptions): Tensor =>
  options.model.preset === 'linear' ? linear(scope, options) : trunkAndTowers(scope, options);
