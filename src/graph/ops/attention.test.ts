import { describe, expect, it } from 'vitest';
import { loadGraph } from '../check/run-graph.js';
import type { Feeds } from '../check/run-graph.js';
import { GraphError } from '../errors.js';
import { gradients } from '../gradients.js';
import { input } from '../inputs.js';
import { attention } from './attention.js';
import { reduceSum } from './reduce-sum.js';
import { square } from './square.js';

const values = (count: number, seed: number): number[] => Array.from({ length: count }, (_, index) => Math.sin(seed + 1.3 * index));

const graphOf = () => {
  const q = input('q', 'float32', ['requests', 2, 'queries', 3]);
  const k = input('k', 'float32', ['requests', 2, 'keys', 3]);
  const v = input('v', 'float32', ['requests', 2, 'keys', 3]);
  const hide = input('hide', 'float32', ['requests', 1, 1, 'keys']);
  const later = input('later', 'float32', ['queries', 'keys']);
  const result = attention(q, k, v, { scale: 0.6, biases: [hide, later] });
  const [ofQ, ofK, ofV] = gradients(reduceSum(square(result), [0, 1, 2, 3]), [q, k, v]);
  return { result, ofQ: ofQ!, ofK: ofK!, ofV: ofV! };
};

const feedsOf = (requests: number, queries: number, keys: number): Feeds => {
  const of = (seed: number, shape: readonly number[]): Feeds[string] => ({
    dtype: 'float32',
    values: values(shape.reduce((product, dim) => product * dim, 1), seed),
    shape,
  });
  return {
    q: of(1, [requests, 2, queries, 3]),
    k: of(2, [requests, 2, keys, 3]),
    v: of(3, [requests, 2, keys, 3]),
    hide: of(4, [requests, 1, 1, keys]),
    later: of(5, [queries, keys]),
  };
};

/** The definition, one row at a time. */
const reference = (feeds: Feeds, requests: number, queries: number, keys: number): number[] => {
  const at = (name: string, ...index: readonly number[]): number => {
    const { shape, values: data } = feeds[name]!;
    return data[index.reduce((flat, position, axis) => flat * shape[axis]! + position, 0)]!;
  };
  const result: number[] = [];
  for (let b = 0; b < requests; b += 1) {
    for (let h = 0; h < 2; h += 1) {
      for (let i = 0; i < queries; i += 1) {
        const weights = Array.from({ length: keys }, (_, j) =>
          Math.exp(0.6 * [0, 1, 2].reduce((sum, c) => sum + at('q', b, h, i, c) * at('k', b, h, j, c), 0) + at('hide', b, 0, 0, j) + at('later', i, j)),
        );
        const total = weights.reduce((sum, weight) => sum + weight, 0);
        for (let c = 0; c < 3; c += 1) result.push(weights.reduce((sum, weight, j) => sum + (weight / total) * at('v', b, h, j, c), 0));
      }
    }
  }
  return result;
};

describe('attention', () => {
  for (const allowContrib of [false, true]) {
    const title = allowContrib ? 'with contrib ops' : 'with standard ops';

    it(`is the softmax of scaled and biased products, applied to the values, ${title}`, async () => {
      const graph = await loadGraph({ result: graphOf().result }, { allowContrib });
      const { result } = await graph.run(feedsOf(2, 4, 5));
      const expected = reference(feedsOf(2, 4, 5), 2, 4, 5);
      expect(result!.shape).toEqual([2, 2, 4, 3]);
      result!.values.forEach((value, index) => expect(value).toBeCloseTo(expected[index]!, 5));
    });

    it(`gives zeros or nothing where there are no requests, queries or keys, forward and backward, ${title}`, async () => {
      const { result, ofQ, ofK, ofV } = graphOf();
      const graph = await loadGraph({ result, ofQ, ofK, ofV }, { allowContrib, threads: 2 });
      for (const [requests, queries, keys] of [[0, 4, 5], [2, 0, 5], [2, 4, 0], [0, 0, 0]] as const) {
        const run = await graph.run(feedsOf(requests, queries, keys));
        expect(run['result']).toEqual({ shape: [requests, 2, queries, 3], values: new Array(requests * 2 * queries * 3).fill(0) });
        expect(run['ofQ']).toEqual({ shape: [requests, 2, queries, 3], values: new Array(requests * 2 * queries * 3).fill(0) });
        for (const name of ['ofK', 'ofV']) expect(run[name]).toEqual({ shape: [requests, 2, keys, 3], values: new Array(requests * 2 * keys * 3).fill(0) });
      }
      // What an empty run leaves in memory must not reach the next.
      const { result: after } = await graph.run(feedsOf(1, 2, 3));
      const expected = reference(feedsOf(1, 2, 3), 1, 2, 3);
      after!.values.forEach((value, index) => expect(value).toBeCloseTo(expected[index]!, 5));
    });
  }

  it('refuses operands that do not fit together', () => {
    const q = input('q', 'float32', ['requests', 2, 'queries', 3]);
    const k = input('k', 'float32', ['requests', 2, 'keys', 3]);
    const wide = input('wide', 'float32', ['requests', 2, 'keys', 4]);
    const bias = input('bias', 'float32', ['keys', 1]);
    expect(() => attention(q, wide, wide, { scale: 1 })).toThrow(GraphError);
    expect(() => attention(q, k, wide, { scale: 1 })).toThrow('expected q [B, H, Tq, d]');
    expect(() => attention(q, k, k, { scale: 1, biases: [bias] })).toThrow(GraphError);
  });
});
