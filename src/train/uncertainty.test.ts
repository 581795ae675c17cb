/** Task weights learned from uncertainty (Kendall et al. 2018): what is minimized, and when a task's weight moves. */
import { expect, it } from 'vitest';
import { TOY_LAYOUT, TOY_TRAINING, toyBatch, toyGraph } from '../../test/support/toy-problem.js';
import type { Training } from '../config/project.js';
import type { Batch } from '../data/batch.js';
import { parameter } from '../graph/inputs.js';
import type { ModelGraph } from '../model/model-graph.js';
import { EngineCore } from './engine-core.js';
import { makeFeeds } from './feeds.js';
import { buildScoreModel, buildTrainModel } from './step-graph.js';
import type { StepResult } from './engine-protocol.js';

const START = [0.4, -0.3];

const withUncertainty = (): ModelGraph => {
  const graph = toyGraph();
  const tensor = parameter('uncertainty', [2]);
  const spec = { name: 'uncertainty', shape: [2], initializer: { type: 'values', values: START }, decay: false } as const;
  return { ...graph, parameters: [...graph.parameters, { spec, tensor }], uncertainty: tensor };
};

const train = async (graph: ModelGraph, batch: Batch, training: Training): Promise<{ readonly result: StepResult; readonly weights: number[] }> => {
  const parameters = graph.parameters.map(({ spec }) => spec);
  const core = await EngineCore.create({
    layout: graph.layout, parameters, score: buildScoreModel(graph), train: buildTrainModel(graph), seed: training.seed, threads: 1, optimizer: training,
  });
  const result = await core.train(makeFeeds(batch, { layout: TOY_LAYOUT, taskIndices: [0, 2], segments: true }, true), training);
  if ('failure' in result) throw new Error('the step failed');
  const stored = core.contents()['dense.safetensors'].find(({ name }) => name === 'uncertainty');
  const weights = new Float32Array(2);
  stored?.read(0, weights);
  return { result, weights: [...weights] };
};

/** Without Adam's memory a step is the learning rate against the gradient's sign. */
const TRAINING: Training = { ...TOY_TRAINING, learningRate: 0.01, clipNorm: 0, weightDecay: 0 };

it('minimizes exp(−s)·L + w·s / 2, each task with its weight', async () => {
  const batch = toyBatch(1);
  const only = (task: number): Batch => ({ ...batch, labels: batch.labels.map((labels, index) => (index === task ? labels : labels.map(() => NaN))) });
  const [click, save] = [await train(toyGraph(), only(0), TRAINING), await train(toyGraph(), only(2), TRAINING)].map(({ result }) => result.loss);
  const { result, weights } = await train(withUncertainty(), batch, TRAINING);
  const expected = Math.exp(-START[0]!) * click! + START[0]! / 2 + Math.exp(-START[1]!) * save! + (0.5 * START[1]!) / 2;
  expect(result.loss).toBeCloseTo(expected, 5);
  // ∂/∂s = w / 2 − exp(−s)·L.
  const slopes = [0.5 - Math.exp(-START[0]!) * click!, 0.25 - Math.exp(-START[1]!) * save!];
  slopes.forEach((slope, task) => expect(weights[task]).toBeCloseTo(START[task]! - 0.01 * Math.sign(slope), 5));
});

it('leaves the weight of a task alone that a batch has no label of', async () => {
  const batch = toyBatch(1);
  const { weights } = await train(withUncertainty(), { ...batch, labels: [batch.labels[0]!, batch.labels[1]!, batch.labels[2]!.map(() => NaN)] }, TRAINING);
  expect(weights[0]).not.toBeCloseTo(START[0]!, 4);
  expect(weights[1]).toBe(Math.fround(START[1]!));
});
