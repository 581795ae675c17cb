import { describe, expect, it } from 'vitest';
import { drawValues, smallFeeds, smallModel, SMALL_SURFACES } from '../../test/support/small-model.js';
import type { ModelConfig } from '../config/project.js';
import { checkGradients } from '../graph/check/finite-differences.js';
import { input } from '../graph/inputs.js';
import { mul } from '../graph/ops/mul.js';
import { reduceSum } from '../graph/ops/reduce-sum.js';
import { sigmoidCrossEntropy } from '../graph/ops/sigmoid-cross-entropy.js';

/** The training loss of a whole model, by every parameter and every looked-up row. */
const mismatches = async (config: Partial<ModelConfig>, surfaces: readonly string[], requests: readonly (readonly number[])[], level: 'disabled' | 'all', seed = 1) => {
  const { graph } = smallModel(config, surfaces);
  const shape = ['candidates', graph.layout.tasks.length] as const;
  const rows = requests.flat().reduce((sum, count) => sum + count, 0);
  const values = drawValues(900, rows * shape[1]);
  const loss = reduceSum(mul(sigmoidCrossEntropy(graph.logits, input('labels', 'float32', shape)), input('weights', 'float32', shape)), [0, 1]);
  const feeds = {
    // Numbers that stay on one side of ReLU's corner when they are moved by a finite difference's step.
    ...smallFeeds(graph, requests, seed),
    labels: { dtype: 'float32' as const, shape: [rows, shape[1]], values: values.map((value) => (value > 0 ? 1 : 0)) },
    weights: { dtype: 'float32' as const, shape: [rows, shape[1]], values: values.map((value) => 0.5 + value / 2) },
  };
  const variables = [...graph.parameters.map(({ tensor }) => tensor), ...graph.blocks];
  return checkGradients({ loss, variables, feeds }, { level });
};

describe('gradients of whole models agree with finite differences', () => {
  it.each([
    ['unified', 'disabled'],
    ['unified', 'all'],
  ] as const)('%s, at optimization level %s', async (_, level) => {
    expect(await mismatches({ cross: { layers: 2, rank: 2 }, mlp: [3], tower: [2] }, SMALL_SURFACES, [[2, 1], [2], [1, 1]], level)).toEqual([]);
  });

  it.each([
    ['separate', 'disabled'],
    ['separate', 'all'],
    ['linear', 'disabled'],
    ['linear', 'all'],
  ] as const)('%s, at optimization level %s', async (preset, level) => {
    expect(await mismatches({ preset, cross: { layers: 1 }, mlp: [2], tower: [] }, ['search'], [[2, 1]], level)).toEqual([]);
  });

  const full: Partial<ModelConfig> = {
    cross: { layers: 1 },
    mlp: [3],
    tower: [2],
    transformer: { layers: 1, width: 4, heads: 2, feedForward: 3 },
    experts: { count: 2, hidden: [3] },
  };

  it.each([
    ['causal, with every module', 'disabled', 5, { ...full, projection: { width: 2 }, lateFusion: true }],
    ['causal, with every module', 'all', 5, { ...full, projection: { width: 2 }, lateFusion: true }],
    ['full attention, time-aware, read by candidates, low-rank mixture', 'all', 3, { ...full, transformer: { ...full.transformer, attention: 'full', positions: 'time', read: 'candidate' }, projection: { width: 2, rank: 2, experts: 2 } }],
    ['newest event alone, cross experts, no crossing', 'all', 2, { ...full, cross: { layers: 0 }, transformer: { ...full.transformer, read: 'newest', pooled: false }, experts: { count: 2, kind: 'cross', rank: 2, hidden: [3, 2] } }],
    ['experts of two layers', 'all', 2, { ...full, experts: { count: 2, hidden: [3, 2] } }],
  ] as const)('the full model: %s, at optimization level %s', async (_, level, seed, config) => {
    expect(await mismatches(config, SMALL_SURFACES, [[2, 1], [2], [1, 1]], level, seed)).toEqual([]);
  });

  it('unified, when a surface has no rows', async () => {
    expect(await mismatches({ cross: { layers: 1, rank: 1 }, mlp: [3], tower: [2] }, SMALL_SURFACES, [[2], [], [1]], 'all')).toEqual([]);
  });
});
