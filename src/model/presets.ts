import type { Model } from '../config/project.js';
import type { Tensor } from '../graph/tensor.js';
import { add } from '../graph/ops/add.js';
import { concat } from '../graph/ops/concat.js';
import { reduceSum } from '../graph/ops/reduce-sum.js';
import { reshape } from '../graph/ops/reshape.js';
import { slice } from '../graph/ops/slice.js';
import { crossSides } from './cross.js';
import { biasStart, dense, mlp, mlpSides } from './dense.js';
import { mixtureOfExperts } from './experts.js';
import { assembleSides, broadcastToCandidates, type BlockInputs } from './inputs.js';
import type { LookupBlock, ModelLayout, SequenceLayout } from './layout.js';
import { SURFACE_COLUMN, VIEW_TYPE_COLUMN } from './plan-layout.js';
import type { Scope } from './scope.js';
import type { SequenceFrame } from './sequence-frame.js';
import { readSequences } from './sequences.js';
import { joinSides, type SideFeatures } from './sides.js';
import { priorBias, surfaceHeads, type Priors, type SurfaceHeads } from './surface-heads.js';

/** What a preset composes a forward graph from. */
export interface ForwardOptions {
  readonly model: Model;
  readonly layout: ModelLayout;
  /** Surfaces whose output layers are built: all of the layout's, or the one that is exported. */
  readonly surfaces: readonly string[];
  readonly inputs: BlockInputs;
  /** How the tokens of a sequence are arranged. */
  readonly frame: (sequence: SequenceLayout) => SequenceFrame;
  /** Base rates that the output layers start from; 1/2 when left out. */
  readonly priors?: Priors;
}

const joinTwo = (first: Tensor | null, second: Tensor | null): Tensor | null =>
  first === null || second === null ? (first ?? second) : concat([first, second], 1);

/** Embeddings of the request's own surface and view type `[requests, d]`; null where the model has one of each. */
const contextOf = (layout: ModelLayout, inputs: BlockInputs): Tensor | null => {
  const parts = layout.blocks.flatMap((block, index) =>
    block.rows !== 'request' ? [] : block.slots.filter(({ column }) => column === SURFACE_COLUMN || column === VIEW_TYPE_COLUMN).map(({ offset }) => slice(inputs.blocks[index]!, 1, offset, offset + block.width)),
  );
  return parts.length === 0 ? null : concat(parts, 1);
};

/** Features that one surface alone has, per candidate, by surface. */
const lateFeatures = (layout: ModelLayout, inputs: BlockInputs, surfaces: readonly string[]): Readonly<Record<string, Tensor>> => {
  const isLate = (surface: string): boolean => [...layout.blocks, ...layout.dense].some(({ late }) => late === surface);
  return Object.fromEntries(surfaces.filter(isLate).map((surface) => [surface, joinSides(assembleSides(layout, inputs, surface))]));
};

/**
 * The model of both `separate` and `unified`: features and what is read from the sequences → DCNv2 → shared MLP and
 * experts → surface towers → task heads. Towers see the crossed features beside the hidden ones, so that a surface can
 * learn its own way from what they hold. With one surface it is that surface's own model; with several, merged features,
 * surface and view-type embeddings and the trunk are shared, and only the towers differ.
 *
 * What depends on the request alone is computed per request, and broadcast where it first meets a candidate.
 */
const trunkAndTowers = (scope: Scope, { model, layout, surfaces, inputs, frame, priors }: ForwardOptions): SurfaceHeads => {
  const trunk = scope.child('trunk');
  const { dropout, transformer, projection } = model;
  const features = assembleSides(layout, inputs);
  const read: SideFeatures =
    transformer === undefined ? { request: null, candidate: null } : readSequences(trunk, features.candidate, { layout, inputs, transformer, projection, frame });
  const sides = { request: joinTwo(features.request, read.request), candidate: joinTwo(features.candidate, read.candidate) };
  const crossed = crossSides(trunk.child('cross'), sides, model.cross);
  const isCrossed = model.cross.layers > 0;
  const hidden = isCrossed ? mlp(model.mlp, { dropout })(trunk.child('mlp'), crossed) : mlpSides(trunk.child('mlp'), sides, model.mlp, { dropout });
  const { experts } = model;
  const mixture = experts === undefined ? undefined : mixtureOfExperts(trunk.child('experts'), crossed, contextOf(layout, inputs), layout.tasks.length, experts, dropout);
  return surfaceHeads(scope, model.mlp.length === 0 ? crossed : concat([crossed, hidden], 1), {
    layout,
    surfaces,
    tower: model.tower,
    dropout,
    late: lateFeatures(layout, inputs, surfaces),
    ...(priors === undefined ? {} : { priors }),
    ...(mixture === undefined ? {} : { mixture: { ...mixture, experts: experts!.count } }),
  });
};

/** Sum over a block's slots: rows are one weight per task, so `[rows, slots · tasks]` becomes `[rows, tasks]`. */
const sumSlots = (block: LookupBlock, x: Tensor): Tensor =>
  block.slots.length === 1 ? x : reduceSum(reshape(x, [x.shape[0]!, block.slots.length, block.width]), [1]);

/**
 * Logistic regression on the same raw features: a weight per id and task, pooled lists, linear dense features, a bias.
 * The yardstick for how much a problem needs interactions.
 */
const linear = (scope: Scope, { layout, surfaces, inputs, priors }: ForwardOptions): SurfaceHeads => {
  const requestParts: Tensor[] = [];
  const candidateParts: Tensor[] = [];
  layout.blocks.forEach((block, index) => {
    (block.rows === 'request' ? requestParts : candidateParts).push(sumSlots(block, inputs.blocks[index]!));
  });
  const sides = assembleSides({ ...layout, blocks: [] }, { blocks: [], dense: inputs.dense });
  const terms = [...requestParts.map(broadcastToCandidates), ...candidateParts];
  if (sides.request !== null || sides.candidate !== null) terms.push(dense(layout.tasks.length)(scope.child('dense'), joinSides(sides)));
  const bias = scope.parameter('bias', [layout.tasks.length], biasStart(priorBias(priors, surfaces[0]!, layout).bias), { decay: false });
  return { logits: terms.reduce((sum, term) => add(sum, term), bias) };
};

/** The forward graph of a preset. */
export const forward = (scope: Scope, options: ForwardOptions): SurfaceHeads =>
  options.model.preset === 'linear' ? linear(scope, options) : trunkAndTowers(scope, options);
