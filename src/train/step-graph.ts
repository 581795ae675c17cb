import { gradients } from '../graph/gradients.js';
import { input, scalar } from '../graph/inputs.js';
import { requiredLeaves, toOnnx } from '../graph/onnx/emit.js';
import { add } from '../graph/ops/add.js';
import { exp } from '../graph/ops/exp.js';
import { mul } from '../graph/ops/mul.js';
import { neg } from '../graph/ops/neg.js';
import { reduceSum } from '../graph/ops/reduce-sum.js';
import { sigmoidCrossEntropy } from '../graph/ops/sigmoid-cross-entropy.js';
import type { Dim, Tensor } from '../graph/tensor.js';
import { LOGITS } from '../model/layout.js';
import type { ModelGraph } from '../model/model-graph.js';

/** Inputs and outputs of a train step beside the model's own. */
export const STEP = {
  /** float32 [candidates, tasks]: 0 or 1; 0 where there is no label. */
  labels: 'labels',
  /** float32 [candidates, tasks]: what each row adds to the loss per unit of cross entropy; 0 where there is no label. */
  labelWeights: 'label_weights',
  /** float32 []: the weighted sum that is minimized. */
  loss: 'loss',
  /** float32 [candidates, tasks]: cross entropy of each row, unweighted. */
  rowLosses: 'row_losses',
  /** float32 [surfaces, tasks · experts]: sums of gate weights, where the model has experts. */
  expertLoad: 'expert_load',
} as const;

/** Output with the gradient of a block's gathered rows. */
export const blockGradientName = (block: string): string => `gradient.${block}`;

/** Output with the gradient of a dense parameter. */
export const parameterGradientName = (parameter: string): string => `gradient.${parameter}`;

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

/**
 * What is minimized: the sum of the tasks' weighted losses. With learned uncertainties it is `Σ exp(−s)·L + w·s / 2`
 * (Kendall et al. 2018, `s` the log variance of a task), where `w` is the sum of the task's label weights: its own weight,
 * or 0 in a batch without a label of it, which must not move `s`.
 */
const totalLoss = (rowLosses: Tensor, labelWeights: Tensor, uncertainty: Tensor | undefined): Tensor => {
  const weighted = mul(rowLosses, labelWeights);
  if (uncertainty === undefined) return reduceSum(weighted, [0, 1]);
  const perTask = mul(exp(neg(uncertainty)), reduceSum(weighted, [0]));
  const price = mul(scalar(0.5), mul(uncertainty, reduceSum(labelWeights, [0])));
  return reduceSum(add(perTask, price), [0]);
};

/**
 * The model of one train step: forward and backward. It gives gradients, not new parameters: those are updated in place,
 * in one pass over memory that is never reallocated (`dense-state.ts`, `embedding-store.ts`).
 *
 * @param trainable names of the dense parameters that are trained: the backward goes no further than they need, and no
 * embedding row has a gradient. Default: everything is trained.
 */
export const buildTrainModel = (graph: ModelGraph, trainable?: readonly string[]): StepModel => {
  const { logits, layout, uncertainty, expertLoad } = graph;
  const parameters = graph.parameters.filter(({ spec }) => trainable?.includes(spec.name) ?? true);
  const blocks = trainable === undefined ? graph.blocks.map((tensor, index) => ({ name: layout.blocks[index]!.name, tensor })) : [];
  const shape = ['candidates', layout.tasks.length] as const;
  const labels = input(STEP.labels, 'float32', shape);
  const labelWeights = input(STEP.labelWeights, 'float32', shape);
  const rowLosses = sigmoidCrossEntropy(logits, labels);
  const loss = totalLoss(rowLosses, labelWeights, uncertainty);
  const all = gradients(loss, [...parameters, ...blocks].map(({ tensor }) => tensor));
  const outputs: [string, Tensor][] = [
    [STEP.loss, loss],
    [STEP.rowLosses, rowLosses],
    ...(expertLoad === undefined ? [] : [[STEP.expertLoad, expertLoad] as [string, Tensor]]),
    ...parameters.map(({ spec }, index): [string, Tensor] => [parameterGradientName(spec.name), all[index]!]),
    ...blocks.map(({ name }, index): [string, Tensor] => [blockGradientName(name), all[parameters.length + index]!]),
  ];
  return stepModel('train-step', Object.fromEntries(outputs));
};
