import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { checkGradients, weightedSum } from './check/finite-differences.js';
import { loadGraph } from './check/run-graph.js';
import type { Feeds } from './check/run-graph.js';
import { gradients } from './gradients.js';
import { constant, input, parameter, scalar } from './inputs.js';
import { add } from './ops/add.js';
import { cast } from './ops/cast.js';
import { concat, splitRows } from './ops/concat.js';
import { gelu } from './ops/gelu.js';
import { layerNorm } from './ops/layer-norm.js';
import { matmul } from './ops/matmul.js';
import { mul } from './ops/mul.js';
import { reduceMean } from './ops/reduce-mean.js';
import { reduceSum } from './ops/reduce-sum.js';
import { relu } from './ops/relu.js';
import { sigmoidCrossEntropy } from './ops/sigmoid-cross-entropy.js';
import { softmax } from './ops/softmax.js';
import { square } from './ops/square.js';
import { stopGradient } from './ops/stop-gradient.js';
import { tanh } from './ops/tanh.js';
import type { Tensor } from './tensor.js';
import { walk } from './traverse.js';

const wave = (count: number, phase: number): number[] => Array.from({ length: count }, (_, index) => Math.sin(phase + 1.3 * index));

/** Feeds every parameter and input of a graph of known shapes with a wave. */
const waves = (tensors: readonly Tensor[]): Feeds =>
  Object.fromEntries(
    tensors.map((tensor, index) => {
      const shape = tensor.shape.map(Number);
      const values = wave(shape.reduce((product, dim) => product * dim, 1), index);
      return [tensor.name!, { values, shape, dtype: tensor.dtype }];
    }),
  );

const kindsOf = (roots: readonly Tensor[]): Map<string, number> => {
  const counts = new Map<string, number>();
  walk(roots, (node) => counts.set(node.kind, (counts.get(node.kind) ?? 0) + 1));
  return counts;
};

describe('gradients', () => {
  it('of MatMul, LayerNorm, Gelu, Softmax, MatMul, BCE equal finite differences', async () => {
    const x = input('x', 'float32', [5, 4]);
    const weight = parameter('weight', [4, 6]);
    const [scale, bias] = [parameter('scale', [6]), parameter('bias', [6])];
    const out = parameter('out', [6, 1]);
    const labels = input('labels', 'float32', [5, 1]);
    const hidden = softmax(gelu(layerNorm(matmul(x, weight), scale, bias)), -1);
    const loss = reduceMean(sigmoidCrossEntropy(matmul(hidden, out), labels), [0, 1]);
    const variables = [x, weight, scale, bias, out];
    const feeds = waves([...variables, labels]);
    for (const level of ['disabled', 'all'] as const) {
      for (const allowContrib of [false, true]) {
        expect(await checkGradients({ loss, variables, feeds }, { level, allowContrib })).toEqual([]);
      }
    }
  });

  it('sum over all uses of a tensor', async () => {
    const x = parameter('x', [3], 'float64');
    const loss = reduceSum(add(mul(x, tanh(x)), add(square(x), x)), [0]);
    expect(await checkGradients({ loss, variables: [x], feeds: waves([x]) })).toEqual([]);
  });

  it('are zeros of the right shape where the output does not depend on a tensor', async () => {
    const x = parameter('x', [2]);
    const unused = input('unused', 'float32', ['rows', 3]);
    const stopped = parameter('stopped', [2, 2]);
    const counted = parameter('counted', [1]);
    const loss = add(
      reduceSum(mul(x, reduceSum(stopGradient(stopped), [0])), [0]),
      reduceSum(cast(cast(counted, 'int64'), 'float32'), [0]),
    );
    const [dx, dUnused, dStopped, dCounted] = gradients(loss, [x, unused, stopped, counted]) as [Tensor, Tensor, Tensor, Tensor];
    const graph = await loadGraph({ dx, dUnused, dStopped, dCounted });
    const results = await graph.run({
      stopped: { values: [1, 2, 3, 4], shape: [2, 2], dtype: 'float32' },
      unused: { values: [1, 2, 3, 4, 5, 6], shape: [2, 3], dtype: 'float32' },
    });
    expect(results).toEqual({
      dx: { values: [4, 6], shape: [2] },
      dUnused: { values: [0, 0, 0, 0, 0, 0], shape: [2, 3] },
      dStopped: { values: [0, 0, 0, 0], shape: [2, 2] },
      dCounted: { values: [0], shape: [1] },
    });
  });

  it('flow through a tensor that is asked for itself', async () => {
    const x = parameter('x', [2]);
    const middle = mul(x, scalar(3));
    const loss = reduceSum(square(middle), [0]);
    const [dMiddle, dx] = gradients(loss, [middle, x]) as [Tensor, Tensor];
    const results = await (await loadGraph({ dMiddle, dx })).run({ x: { values: [1, -2], shape: [2], dtype: 'float32' } });
    expect(results['dMiddle']!.values).toEqual([6, -12]);
    expect(results['dx']!.values).toEqual([18, -36]);
  });

  it('of the output by itself is one', () => {
    const x = input('x', 'float32', []);
    expect(gradients(x, [x])[0]).toMatchObject({ kind: 'constant', shape: [], attributes: { values: [1] } });
  });

  it('refuse an output that is no scalar, naming what it is', () => {
    const x = input('loss', 'float32', ['rows']);
    expect(() => gradients(x, [x])).toThrow('gradients: the output is loss: float32 [rows], expected a floating tensor of rank 0');
  });

  it('of random shapes and broadcasts equal finite differences', async () => {
    const dims = fc.array(fc.integer({ min: 1, max: 3 }), { minLength: 0, maxLength: 3 });
    await fc.assert(
      fc.asyncProperty(dims, fc.array(fc.boolean(), { minLength: 3, maxLength: 3 }), fc.nat(3), async (shape, ones, drop) => {
        const other = shape.map((dim, axis) => (ones[axis] ? 1 : dim)).slice(Math.min(drop, shape.length));
        const [a, b] = [parameter('a', shape, 'float64'), parameter('b', other, 'float64')];
        const loss = weightedSum(tanh(mul(add(a, b), mul(b, tanh(a)))));
        expect(await checkGradients({ loss, variables: [a, b], feeds: waves([a, b]) })).toEqual([]);
      }),
      { numRuns: 40, seed: 7 },
    );
  });

  it('of weights that saw no rows are zero', async () => {
    const x = input('x', 'float32', ['candidates', 4]);
    const [weight, bias, scale] = [parameter('weight', [4, 4]), parameter('bias', [4]), parameter('scale', [4])];
    const [empty, full] = splitRows(x, input('sizes', 'int64', [2]), ['empty', 'full']);
    const tower = softmax(gelu(layerNorm(add(matmul(empty!, weight), bias), scale, bias)), -1);
    const loss = reduceSum(square(concat([tower, full!], 0, { dim: 'candidates' })), [0, 1]);
    const [dWeight, dBias, dScale, dx] = gradients(loss, [weight, bias, scale, x]) as [Tensor, Tensor, Tensor, Tensor];
    const feeds: Feeds = {
      ...waves([weight, bias, scale]),
      x: { values: wave(12, 2), shape: [3, 4], dtype: 'float32' },
      sizes: { values: [0, 3], shape: [2], dtype: 'int64' },
    };
    for (const level of ['disabled', 'all'] as const) {
      for (const allowContrib of [false, true]) {
        const graph = await loadGraph({ dWeight, dBias, dScale, dx }, { level, allowContrib, threads: 2 });
        for (let repeat = 0; repeat < 3; repeat += 1) {
          const results = await graph.run(feeds);
          expect(results['dWeight']!.values).toEqual(Array(16).fill(0));
          expect(results['dBias']!.values).toEqual(Array(4).fill(0));
          expect(results['dScale']!.values).toEqual(Array(4).fill(0));
          results['dx']!.values.forEach((value, index) => expect(value).toBeCloseTo(2 * wave(12, 2)[index]!, 5));
        }
      }
    }
  });

  it('of a perceptron need no expansion, no shapes, and one sum per bias', () => {
    const labels = input('labels', 'float32', ['candidates', 1]);
    let hidden = input('x', 'float32', ['candidates', 8]);
    const parameters: Tensor[] = [];
    for (const [layer, [from, to]] of [[8, 16], [16, 16], [16, 1]].entries()) {
      const [weight, bias] = [parameter(`weight${layer}`, [from!, to!]), parameter(`bias${layer}`, [to!])];
      parameters.push(weight, bias);
      const linear = add(matmul(hidden, weight), bias);
      hidden = layer < 2 ? relu(linear) : linear;
    }
    const weights = input('weights', 'float32', ['candidates', 1]);
    const loss = reduceSum(mul(sigmoidCrossEntropy(hidden, labels), weights), [0, 1]);
    const counts = kindsOf([loss, ...gradients(loss, parameters)]);
    expect(counts.get('expand')).toBeUndefined();
    expect(counts.get('sizeOf')).toBeUndefined();
    expect(counts.get('reduceSum')).toBe(1 + 3);
    expect(counts.get('matmul')).toBe(3 + 3 + 2);
  });

  it('multiplying by one, adding zero and folding scalars leave no node', () => {
    const x = input('x', 'float32', [2, 3]);
    expect(mul(x, scalar(1))).toBe(x);
    expect(add(scalar(0), x)).toBe(x);
    expect(mul(scalar(2), scalar(3))).toMatchObject({ kind: 'constant', attributes: { values: [6] } });
    expect(add(constant([0], 'float32', [1]), x).kind).toBe('add');
  });
});
