import type { Training } from '../config/project.js';
import { gradients } from '../graph/gradients.js';
import { input, scalar } from '../graph/inputs.js';
import { requiredLeaves, toOnnx } from '../graph/onnx/emit.js';
import { add } from '../graph/ops/add.js';
import { div } from '../graph/ops/div.js';
import { maximum } from '../graph/ops/maximum.js';
import { mul } from '../graph/ops/mul.js';
import { reduceSum } from '../graph/ops/reduce-sum.js';
import { sigmoidCrossEntropy } from '../graph/ops/sigmoid-cross-entropy.js';
import { sqrt } from '../graph/ops/sqrt.js';
import { square } from '../graph/ops/square.js';
import { sub } from '../graph/ops/sub.js';
import type { Dim, Tensor } from '../graph/tensor.js';
import { LOGITS } from '../model/layout.js';
import type { ModelGraph } from '../model/model-graph.js';
import { momentName } from './checkpoint-manifest.js';

/** Adam's constants (Kingma & Ba 2015, the values everyone uses). */
export const ADAM = { beta1: 0.9, beta2: 0.999, epsilon: 1e-8 } as const;

/** Inputs and outputs of a train step beside the model's own. */
export const STEP = {
  /** float32 [candidates, tasks]: 0 or 1; 0 where there is no label. */
  labels: 'labels',
  /** float32 [candidates, tasks]: what each row adds to the loss per unit of cross entropy; 0 where there is no label. */
  labelWeights: 'label_weights',
  /** float32 []. */
  learningRate: 'learning_rate',
  /** float32 []: 1 / (1 − β1^step). */
  firstCorrection: 'first_correction',
  /** float32 []: 1 / √(1 − β2^step). */
  secondCorrection: 'second_correction',
  /** float32 []: the weighted sum that is minimized. */
  loss: 'loss',
  /** float32 [candidates, tasks]: cross entropy of each row, unweighted. */
  rowLosses: 'row_losses',
  /** float32 []: global norm of the dense gradients before clipping. */
  gradientNorm: 'gradient_norm',
} as const;

/** Output with the gradient of a block's gathered rows. */
export const blockGradientName = (block: string): string => `gradient.${block}`;

/** Output with the new value of a parameter or moment. */
export const updatedName = (name: string): string => `new.${name}`;

/** How dense parameters are optimized. */
export type DenseOptimizer = Pick<Training, 'optimizer' | 'weightDecay' | 'clipNorm'>;

/** An ONNX model and what it must be fed. */
export interface StepModel {
  readonly onnx: Uint8Array;
  readonly inputs: readonly { readonly name: string; readonly shape: readonly Dim[] }[];
}

const stepModel = (name: string, outputs: Readonly<Record<string, Tensor>>): StepModel => ({
  onnx: toOnnx({ name, outputs, allowContrib: true }),
  inputs: requiredLeaves(outputs).map((leaf) => ({ name: leaf.name!, shape: leaf.shape })),
});

/**
 * The model that scores: forward only; its parameters are inputs, so that it shares them with training. ONNX Runtime
 * runs every node of a model, whatever is fetched: fetching the logits of a train step would run its backward too.
 */
export const buildScoreModel = (graph: ModelGraph): StepModel => stepModel('score', { [LOGITS]: graph.logits });

/** One Adam update (Kingma & Ba 2015); AdamW decouples the decay (Loshchilov & Hutter 2019), Adam adds it to the gradient. */
const adam = (
  parameter: ModelGraph['parameters'][number],
  clipped: Tensor,
  optimizer: DenseOptimizer,
  rate: Tensor,
  corrections: readonly [Tensor, Tensor],
): [string, Tensor][] => {
  const { spec, tensor } = parameter;
  const decay = spec.decay ? optimizer.weightDecay : 0;
  const first = input(momentName('first', spec.name), 'float32', spec.shape);
  const second = input(momentName('second', spec.name), 'float32', spec.shape);
  const gradient = decay > 0 && optimizer.optimizer === 'adam' ? add(clipped, mul(tensor, scalar(decay))) : clipped;
  const newFirst = add(mul(first, scalar(ADAM.beta1)), mul(gradient, scalar(1 - ADAM.beta1)));
  const newSecond = add(mul(second, scalar(ADAM.beta2)), mul(square(gradient), scalar(1 - ADAM.beta2)));
  const denominator = add(mul(sqrt(newSecond), corrections[1]), scalar(ADAM.epsilon));
  const change = div(mul(newFirst, mul(rate, corrections[0])), denominator);
  const kept = decay > 0 && optimizer.optimizer === 'adamw' ? mul(tensor, sub(scalar(1), mul(rate, scalar(decay)))) : tensor;
  return [
    [updatedName(spec.name), sub(kept, change)],
    [updatedName(momentName('first', spec.name)), newFirst],
    [updatedName(momentName('second', spec.name)), newSecond],
  ];
};

const sum = (terms: readonly Tensor[]): Tensor => terms.reduce((left, right) => add(left, right), scalar(0));

/** Scales the gradients so that their global norm is at most `clipNorm` (Pascanu et al. 2013); 0 leaves them. */
const clip = (denseGradients: readonly Tensor[], norm: Tensor, clipNorm: number): readonly Tensor[] => {
  if (clipNorm === 0) return denseGradients;
  const factor = div(scalar(clipNorm), maximum(norm, scalar(clipNorm)));
  return denseGradients.map((gradient) => mul(gradient, factor));
};

/** The model of one train step: forward, backward and dense optimizer. */
export const buildTrainModel = (graph: ModelGraph, optimizer: DenseOptimizer): StepModel => {
  const { parameters, blocks, logits, layout } = graph;
  const shape = ['candidates', layout.tasks.length] as const;
  const labels = input(STEP.labels, 'float32', shape);
  const labelWeights = input(STEP.labelWeights, 'float32', shape);
  const rate = input(STEP.learningRate, 'float32', []);
  const corrections = [input(STEP.firstCorrection, 'float32', []), input(STEP.secondCorrection, 'float32', [])] as const;

  const rowLosses = sigmoidCrossEntropy(logits, labels);
  const loss = reduceSum(mul(rowLosses, labelWeights), [0, 1]);
  const all = gradients(loss, [...parameters.map(({ tensor }) => tensor), ...blocks]);
  const denseGradients = all.slice(0, parameters.length);
  const norm = sqrt(sum(denseGradients.map((gradient) => reduceSum(square(gradient), gradient.shape.map((_, axis) => axis)))));
  const clipped = clip(denseGradients, norm, optimizer.clipNorm);

  const outputs: [string, Tensor][] = [
    [STEP.loss, loss],
    [STEP.rowLosses, rowLosses],
    [STEP.gradientNorm, norm],
    ...layout.blocks.map((block, index): [string, Tensor] => [blockGradientName(block.name), all[parameters.length + index]!]),
    ...parameters.flatMap((parameter, index) => adam(parameter, clipped[index]!, optimizer, rate, corrections)),
  ];
  return stepModel('train-step', Object.fromEntries(outputs));
};
