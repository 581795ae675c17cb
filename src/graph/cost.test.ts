import { describe, expect, it } from 'vitest';
import { backwardByNode, dimSize, nodeFlops, peakBytes, type DimSizes } from './cost.js';
import { gradients } from './gradients.js';
import { input, parameter } from './inputs.js';
import { add } from './ops/add.js';
import { attention } from './ops/attention.js';
import { concat, splitRows } from './ops/concat.js';
import { layerNorm } from './ops/layer-norm.js';
import { matmul } from './ops/matmul.js';
import { mul } from './ops/mul.js';
import { reduceSum } from './ops/reduce-sum.js';
import { relu } from './ops/relu.js';
import { reshape } from './ops/reshape.js';
import { broadcastRows } from './ops/segments.js';
import { sigmoidCrossEntropy } from './ops/sigmoid-cross-entropy.js';
import { softmax } from './ops/softmax.js';
import { OPS } from './registry.js';
import { dimProduct } from './shapes.js';
import { makeNode, type Tensor } from './tensor.js';
import { topologicalOrder } from './traverse.js';

const flopsOf = (nodes: readonly Tensor[], sizes: DimSizes): number => nodes.reduce((sum, node) => sum + nodeFlops(node, sizes), 0);

const x = input('x', 'float32', ['rows', 8]);
const sizes = { rows: 10, requests: 4, m: 3, 'rows:a': 6, 'rows:b': 4, keys: 5, queries: 3 };

describe('dimSize', () => {
  it.each([
    [7, 7],
    ['rows', 10],
    ['rows:a', 6],
    [dimProduct(['rows', 3, 'requests']), 120],
    ['rows:a+rows:b', 10],
    ['rows+2', 12],
  ])('%s is %d', (dim, size) => {
    expect(dimSize(dim, sizes)).toBe(size);
  });

  it('names what has no size', () => {
    expect(() => dimSize('columns*2', sizes)).toThrow('cost: dim columns has no size');
  });
});

describe('nodeFlops', () => {
  it('knows every op', () => {
    const unknown = [...OPS.keys()].filter((kind) => {
      try {
        nodeFlops(makeNode(kind, 'float32', [1, 1, 1, 1], Array.from({ length: 4 }, () => input('one', 'float32', [1, 1, 1, 1])), { transposeA: false }), {});
        return false;
      } catch {
        return true;
      }
    });
    expect(unknown).toEqual([]);
    expect(() => nodeFlops(makeNode('convolve', 'float32', [1]), {})).toThrow(/convolve has no FLOPs/u);
  });

  it('counts products as 2·m·n·k', () => {
    expect(nodeFlops(matmul(x, parameter('w', [8, 5])), sizes)).toBe(2 * 10 * 8 * 5);
    expect(nodeFlops(matmul(x, x, { transposeA: true }), sizes)).toBe(2 * 8 * 8 * 10);
    expect(nodeFlops(matmul(input('a', 'float32', ['requests', 2, 7]), input('b', 'float32', ['requests', 7, 3])), sizes)).toBe(4 * 2 * 2 * 7 * 3);
  });

  it('counts elements of the rest, and nothing for what only moves', () => {
    expect(nodeFlops(relu(x), sizes)).toBe(80);
    expect(nodeFlops(add(x, parameter('b', [8])), sizes)).toBe(80);
    expect(nodeFlops(softmax(x, 1), sizes)).toBe(400);
    expect(nodeFlops(reduceSum(x, [0, 1]), sizes)).toBe(80);
    expect(nodeFlops(concat([x, x], 1), sizes)).toBe(0);
  });

  it('counts attention as its two products and its scores', () => {
    const q = input('q', 'float32', ['requests', 2, 'queries', 8]);
    const k = input('k', 'float32', ['requests', 2, 'keys', 8]);
    const read = attention(q, k, k, { scale: 0.3, biases: [input('bias', 'float32', ['requests', 1, 1, 'keys'])] });
    const scores = 4 * 2 * 3 * 5;
    expect(nodeFlops(read.inputs[0]!, sizes)).toBe(4 * scores * 8 + 7 * scores);
  });
});

/** A little of everything: shared weights, parts, broadcasts, several uses of one tensor. */
const smallModel = () => {
  const weights = [parameter('u', [6, 8]), parameter('w', [8, 8]), parameter('v', [8, 1]), parameter('scale', [8]), parameter('bias', [8])];
  const [u, w, v, scale, bias] = weights as [Tensor, Tensor, Tensor, Tensor, Tensor];
  const segments = { slots: input('slots', 'int64', ['requests', 'm']), mask: input('mask', 'float32', ['requests', 1, 'm']) };
  const user = broadcastRows(matmul(input('user', 'float32', ['requests', 6]), u), input('owner', 'int64', ['rows']), segments);
  const hidden = layerNorm(relu(add(mul(matmul(x, w), user), x)), scale, bias);
  const [a, b] = splitRows(matmul(hidden, w), input('sizes', 'int64', [2]), ['rows:a', 'rows:b']) as [Tensor, Tensor];
  const logits = concat([matmul(a, v), matmul(relu(b), v)], 0, { dim: 'rows' });
  const loss = reduceSum(sigmoidCrossEntropy(logits, input('labels', 'float32', ['rows', 1])), [0, 1]);
  return { loss, weights, user, v };
};

describe('backwardByNode', () => {
  it('accounts for all that gradients adds', () => {
    const { loss, weights } = smallModel();
    const wrt = [...weights, x];
    const before = new Set(topologicalOrder([loss]));
    const whole = topologicalOrder(gradients(loss, wrt)).filter((node) => !before.has(node));
    const parts = backwardByNode(loss, wrt);
    const sums = parts.reduce((sum, { node, sums: count }) => sum + count * nodeFlops(relu(node), sizes), 0);
    expect(flopsOf(parts.flatMap(({ added }) => added), sizes) + sums).toBe(flopsOf(whole, sizes));
  });

  it('gives a product twice its forward cost, and half of that where its input has no gradient', () => {
    const { loss, weights, user, v } = smallModel();
    const parts = backwardByNode(loss, weights);
    const costs = parts.filter(({ node }) => node.kind === 'matmul').map(({ node, added }) => ({ node, factor: flopsOf(added, sizes) / nodeFlops(node, sizes) }));
    expect(costs.filter(({ node }) => node.inputs[1] === v).map(({ factor }) => factor)).toEqual([2, 2]);
    expect(costs.find(({ node }) => node === user.inputs[0])!.factor).toBe(1);
  });
});

describe('peakBytes', () => {
  it('frees results after their last use', () => {
    const wide = matmul(x, parameter('w', [8, 100]));
    const narrow = matmul(relu(wide), parameter('v', [100, 1]));
    // Input and both wide tensors; when the narrow one is made, the first of them is gone.
    expect(peakBytes([narrow])(sizes)).toBe(4 * 10 * (8 + 100 + 100));
  });

  it('takes views for what they show', () => {
    const wide = matmul(x, parameter('w', [8, 100]));
    const flat = reshape(wide, [dimProduct(['rows', 100])]);
    expect(peakBytes([mul(flat, flat)])(sizes)).toBe(4 * 10 * (8 + 100 + 100));
  });

  it('keeps what the backward reads', () => {
    const weights = Array.from({ length: 6 }, (_, layer) => parameter(`w${layer}`, [8, 8]));
    const deep = weights.reduce((features, weight) => relu(matmul(features, weight)), x);
    const one = 4 * 10 * 8;
    expect(peakBytes([deep])(sizes)).toBe(3 * one);
    // Six layers' inputs and the last result, and at most as many gradients and masks.
    const peak = peakBytes(gradients(reduceSum(deep, [0, 1]), weights))(sizes);
    expect(peak).toBeGreaterThanOrEqual(7 * one);
    expect(peak).toBeLessThanOrEqual(14 * one);
  });
});
