/** The full model as it is trained: what request-level broadcasting may not change, and what its modules must do. */
import { describe, expect, it } from 'vitest';
import { smallBatch } from '../../test/support/small-batch.js';
import { SMALL_SURFACES, smallModel } from '../../test/support/small-model.js';
import { TOY_TRAINING } from '../../test/support/toy-problem.js';
import type { ModelConfig } from '../config/project.js';
import type { Batch } from '../data/batch.js';
import { expandBatch } from '../data/expand-batch.js';
import { EngineCore } from './engine-core.js';
import { makeFeeds } from './feeds.js';
import { buildScoreModel, buildTrainModel } from './step-graph.js';

const FULL: Partial<ModelConfig> = {
  embedding: { width: 4 },
  cross: { layers: 2, rank: 3 },
  mlp: [6],
  tower: [5],
  transformer: { layers: 2, width: 8, heads: 2 },
  projection: { width: 3 },
  experts: { count: 3, hidden: [4] },
  lateFusion: true,
};

/** The defaults of a config. */
const RATES = { learningRate: 1e-3, embeddingLearningRate: 0.05 };

const train = async (config: Partial<ModelConfig>, batches: readonly Batch[], { rates = RATES, embeddingOptimizer = 'adagrad' }: { readonly rates?: typeof RATES; readonly embeddingOptimizer?: 'adagrad' | 'sgd' } = {}): Promise<number[]> => {
  const { graph } = smallModel(config, SMALL_SURFACES);
  const core = await EngineCore.create({
    layout: graph.layout,
    parameters: graph.parameters.map(({ spec }) => spec),
    score: buildScoreModel(graph),
    train: buildTrainModel(graph),
    seed: 3,
    threads: 1,
    optimizer: { ...TOY_TRAINING, embeddingOptimizer },
  });
  const plan = { layout: graph.layout, taskIndices: [0, 1], segments: true };
  const losses: number[] = [];
  for (const batch of batches) {
    const result = await core.train(makeFeeds(batch, plan, true), rates);
    if ('failure' in result) throw new Error('the loss is not finite');
    losses.push(result.loss);
  }
  return losses;
};

const batches = Array.from({ length: 5 }, (_, seed) => smallBatch(seed));

describe('the full model', () => {
  it.each([
    ['causal, read by candidates and by the newest event', FULL],
    ['full attention with time-aware positions, a low-rank mixture, uncertainty weights', { ...FULL, transformer: { ...FULL.transformer, attention: 'full', positions: 'time' }, projection: { width: 3, rank: 2, experts: 2 }, taskWeighting: 'uncertainty' }],
    ['no crossing: the first dense layer is split by side', { ...FULL, cross: { layers: 0 } }],
  ] as const)('gives the same losses when everything is expanded first: %s', async (_, config) => {
    // Not Adagrad: its first step on a row has full size however small the gradient, and turns rounding into more than 1e-5.
    const broadcast = await train(config, batches, { embeddingOptimizer: 'sgd' });
    const expanded = await train(config, batches.map(expandBatch), { embeddingOptimizer: 'sgd' });
    broadcast.forEach((loss, step) => expect(Math.abs(loss - expanded[step]!)).toBeLessThan(1e-5));
    expect(new Set(broadcast).size).toBe(batches.length);
  });

  it('trains on batches in which nobody has a history, and on one request alone', async () => {
    const empty = (batch: Batch): Batch => {
      const requestColumns = new Map(batch.requestColumns);
      for (const [name, column] of requestColumns) {
        if (column.kind === 'ids') requestColumns.set(name, { kind: 'ids', offsets: new Int32Array(column.offsets.length), values: new Int32Array(0) });
      }
      return { ...batch, requestColumns };
    };
    const losses = await train(FULL, [empty(smallBatch(1)), smallBatch(2, 1), empty(smallBatch(3, 1)), smallBatch(4)]);
    for (const loss of losses) expect(loss).toBeGreaterThan(0);
  });

  it('learns: the loss on a batch seen over and over falls', async () => {
    const losses = await train(FULL, new Array<Batch>(40).fill(batches[0]!), { rates: { learningRate: 0.01, embeddingLearningRate: 0.05 } });
    expect(losses.at(-1)!).toBeLessThan(losses[0]! / 2);
  });
});
