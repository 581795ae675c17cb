import { describe, expect, it } from 'vitest';
import { smallModel } from '../../test/support/small-model.js';
import { nodeFlops } from '../graph/cost.js';
import { gradients } from '../graph/gradients.js';
import { topologicalOrder } from '../graph/traverse.js';
import { batchSizes, expandedShape, scaledShape, type BatchShape } from './batch-sizes.js';
import { defaultBatchTokens } from './batch-tokens.js';
import { modelLoss, moduleCosts, stepBytes } from './module-costs.js';

const FULL = { transformer: { width: 4, layers: 1 }, projection: { width: 3 }, experts: { count: 2, hidden: [3] } } as const;

const shape: BatchShape = {
  requests: 5,
  candidates: { home: 10, search: 4, related: 6 },
  sequences: { history: { tokens: 9, groups: [{ requests: 3, length: 2 }, { requests: 1, length: 3 }] } },
};

describe('moduleCosts', () => {
  it('has a row for every module', () => {
    const { graph } = smallModel(FULL);
    expect(moduleCosts(graph).map(({ module }) => module).sort()).toEqual([
      'cross', 'experts', 'inputs', 'loss', 'mlp', 'projection.candidate', 'projection.request', 'shared_head', 'tower.home', 'tower.related', 'tower.search', 'transformer.history',
    ]);
    expect(moduleCosts(smallModel({ preset: 'linear' }, ['home']).graph).map(({ module }) => module).sort()).toEqual(['dense', 'head', 'inputs', 'loss']);
  });

  it('leaves nothing of the graph out', () => {
    const { graph } = smallModel(FULL);
    const sizes = batchSizes(graph.layout, shape);
    const modules = moduleCosts(graph);
    const total = (pick: (cost: (typeof modules)[number]) => number): number => modules.reduce((sum, cost) => sum + pick(cost), 0);
    const loss = modelLoss(graph);
    const flops = (outputs: Parameters<typeof topologicalOrder>[0]): number => topologicalOrder(outputs).reduce((sum, node) => sum + nodeFlops(node, sizes), 0);
    expect(total((cost) => cost.forward(sizes))).toBeCloseTo(flops([loss]), 6);
    const wrt = [...graph.parameters.map(({ tensor }) => tensor), ...graph.blocks];
    expect(total((cost) => cost.train(sizes)) / flops([loss, ...gradients(loss, wrt)])).toBeCloseTo(1, 9);
    expect(total((cost) => cost.parameters)).toBe(graph.parameters.reduce((sum, { spec }) => sum + spec.shape.reduce((a, b) => a * b, 1), 0));
  });

  it('counts layers as anyone would by hand', () => {
    const { graph } = smallModel({ cross: { layers: 0 }, mlp: [4], tower: [3] });
    const sizes = batchSizes(graph.layout, shape);
    const towers = moduleCosts(graph).filter(({ module }) => module.startsWith('tower.'));
    for (const { module, forward, parameters } of towers) {
      const width = graph.parameters.find(({ spec }) => spec.name === `${module}.dense0.weight`)!.spec.shape[0]!;
      expect(parameters).toBe(width * 3 + 3 + (width + 3) * 2 + 2);
      const rows = shape.candidates[module.slice('tower.'.length)]!;
      // Dense and bias and ReLU, head (of the features and the hidden units) and bias, the shared head added, and a mask where a task is lacking.
      const mask = module === 'tower.home' ? 2 : 0;
      expect(forward(sizes)).toBe(rows * (2 * width * 3 + 3 + 3 + 2 * (width + 3) * 2 + 2 + 2 + mask));
    }
  });

  it('grows with the batch, and more when expanded', () => {
    const { graph } = smallModel(FULL);
    const cost = (of: BatchShape): number => moduleCosts(graph).reduce((sum, { forward }) => sum + forward(batchSizes(graph.layout, of)), 0);
    expect(cost(scaledShape(shape, 3)) / cost(shape)).toBeCloseTo(3, 9);
    const expanded = expandedShape(shape);
    expect(expanded.requests).toBe(20);
    expect(expanded.sequences['history']!.tokens).toBe(36);
    expect(cost(expanded)).toBeGreaterThan(1.5 * cost(shape));
    expect(cost(expanded)).toBeLessThan(4 * cost(shape));
  });
});

describe('defaultBatchTokens', () => {
  it('keeps a step of the longest histories within 512 MB', () => {
    const { graph } = smallModel(FULL);
    const [sequence] = graph.layout.sequences;
    const tokens = defaultBatchTokens(graph, 2048);
    expect(tokens % sequence!.length).toBe(0);
    const requests = tokens / sequence!.length;
    const bytes = (count: number): number =>
      stepBytes(graph)(batchSizes(graph.layout, { requests: count, candidates: { home: 2048 }, sequences: { history: { tokens: count * 3, groups: [{ requests: count, length: 3 }] } } }));
    expect(bytes(requests)).toBeLessThanOrEqual(512 * 1024 ** 2);
    expect(bytes(requests * 1.01)).toBeGreaterThan(512 * 1024 ** 2);
  });

  it('bounds nothing without sequences', () => {
    expect(defaultBatchTokens(smallModel().graph, 2048)).toBe(Infinity);
  });
});
