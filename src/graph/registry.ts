/** Every op of the graph: adding one is its file in `ops/` and a line here. */
import type { OpDefinition } from './definition.js';
import { GraphError } from './errors.js';
import { absDefinition } from './ops/abs.js';
import { addDefinition } from './ops/add.js';
import { attentionDefinition } from './ops/attention.js';
import { castDefinition } from './ops/cast.js';
import { clipDefinition } from './ops/clip.js';
import { equalDefinition, greaterDefinition } from './ops/comparison.js';
import { concatDefinition, sizesAlongDefinition, splitDefinition } from './ops/concat.js';
import { cumulativeSumDefinition } from './ops/cumulative-sum.js';
import { divDefinition } from './ops/div.js';
import { erfDefinition } from './ops/erf.js';
import { expDefinition } from './ops/exp.js';
import { gatherDefinition, scatterRowsDefinition } from './ops/gather.js';
import { geluDefinition } from './ops/gelu.js';
import { groupRowsDefinition, ungroupRowsDefinition } from './ops/group-rows.js';
import { layerNormDefinition } from './ops/layer-norm.js';
import { logDefinition } from './ops/log.js';
import { matmulDefinition } from './ops/matmul.js';
import { maximumDefinition, minimumDefinition } from './ops/maximum.js';
import { mulDefinition } from './ops/mul.js';
import { negDefinition } from './ops/neg.js';
import { reciprocalDefinition } from './ops/reciprocal.js';
import { reduceMaxDefinition } from './ops/reduce-max.js';
import { reduceMeanDefinition } from './ops/reduce-mean.js';
import { expandDefinition, reduceSumDefinition } from './ops/reduce-sum.js';
import { isPositiveDefinition, reluDefinition } from './ops/relu.js';
import { reshapeDefinition } from './ops/reshape.js';
import { broadcastRowsDefinition, segmentSumDefinition } from './ops/segments.js';
import { sigmoidCrossEntropyDefinition } from './ops/sigmoid-cross-entropy.js';
import { sigmoidDefinition } from './ops/sigmoid.js';
import { signDefinition } from './ops/sign.js';
import { sizeOfDefinition } from './ops/size-of.js';
import { padDefinition, sliceDefinition } from './ops/slice.js';
import { softmaxDefinition } from './ops/softmax.js';
import { softplusDefinition } from './ops/softplus.js';
import { sqrtDefinition } from './ops/sqrt.js';
import { squareDefinition } from './ops/square.js';
import { squeezeDefinition, unsqueezeDefinition } from './ops/squeeze.js';
import { stopGradientDefinition } from './ops/stop-gradient.js';
import { subDefinition } from './ops/sub.js';
import { tanhDefinition } from './ops/tanh.js';
import { transposeDefinition } from './ops/transpose.js';
import { whereDefinition } from './ops/where.js';
import { zerosLikeDefinition } from './ops/zeros-like.js';

const DEFINITIONS: readonly OpDefinition[] = [
  absDefinition,
  addDefinition,
  attentionDefinition,
  broadcastRowsDefinition,
  castDefinition,
  clipDefinition,
  concatDefinition,
  cumulativeSumDefinition,
  divDefinition,
  equalDefinition,
  erfDefinition,
  expDefinition,
  expandDefinition,
  gatherDefinition,
  geluDefinition,
  greaterDefinition,
  groupRowsDefinition,
  isPositiveDefinition,
  layerNormDefinition,
  logDefinition,
  matmulDefinition,
  maximumDefinition,
  minimumDefinition,
  mulDefinition,
  negDefinition,
  padDefinition,
  reciprocalDefinition,
  reduceMaxDefinition,
  reduceMeanDefinition,
  reduceSumDefinition,
  reluDefinition,
  reshapeDefinition,
  scatterRowsDefinition,
  segmentSumDefinition,
  sigmoidCrossEntropyDefinition,
  sigmoidDefinition,
  signDefinition,
  sizeOfDefinition,
  sizesAlongDefinition,
  sliceDefinition,
  softmaxDefinition,
  softplusDefinition,
  splitDefinition,
  sqrtDefinition,
  squareDefinition,
  squeezeDefinition,
  stopGradientDefinition,
  subDefinition,
  tanhDefinition,
  transposeDefinition,
  ungroupRowsDefinition,
  unsqueezeDefinition,
  whereDefinition,
  zerosLikeDefinition,
];

/** Definitions by kind. */
export const OPS: ReadonlyMap<string, OpDefinition> = new Map(DEFINITIONS.map((definition) => [definition.kind, definition]));

/** The definition of a kind. */
export const definitionOf = (kind: string): OpDefinition => {
  const definition = OPS.get(kind);
  if (definition === undefined) throw new GraphError('emit', `no op of kind ${kind} is registered`);
  return definition;
};
