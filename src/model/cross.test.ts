import { describe, expect, it } from 'vitest';
import { drawValues } from '../../test/support/small-model.js';
import { loadGraph, type Feeds } from '../graph/check/run-graph.js';
import { input } from '../graph/inputs.js';
import { cross } from './cross.js';
import { Scope } from './scope.js';

const WIDTH = 5;
const ROWS = 3;

const multiply = (x: readonly number[], weight: readonly number[], columns: number): number[] =>
  Array.from({ length: columns }, (_, column) => x.reduce((sum, value, row) => sum + value * weight[row * columns + column]!, 0));

/** The paper's formula, one row at a time. */
const naiveCross = (x0: readonly number[], layers: number, rank: number | undefined, feeds: Feeds): number[] => {
  let x = [...x0];
  for (let layer = 0; layer < layers; layer += 1) {
    const of = (name: string): readonly number[] => feeds[`layer${layer}.${name}`]!.values;
    const mixed = rank === undefined ? multiply(x, of('weight'), WIDTH) : multiply(multiply(x, of('down'), rank), of('up'), WIDTH);
    x = x.map((value, d) => x0[d]! * (mixed[d]! + of('bias')[d]!) + value);
  }
  return x;
};

describe('cross', () => {
  it.each([
    ['full rank, one layer', 1, undefined],
    ['full rank, three layers', 3, undefined],
    ['low rank, two layers', 2, 2],
  ])('is DCNv2: %s', async (_, layers, rank) => {
    const scope = Scope.root({ serving: false });
    const y = cross({ layers, rank })(scope, input('x', 'float32', ['candidates', WIDTH]));
    expect(y.shape).toEqual(['candidates', WIDTH]);
    const drawn = (index: number, shape: readonly number[]): Feeds[string] => ({
      dtype: 'float32', shape, values: drawValues(index, shape.reduce((a, b) => a * b, 1)),
    });
    const feeds: Feeds = {
      x: drawn(1, [ROWS, WIDTH]),
      ...Object.fromEntries(scope.parameters.map(({ spec }, index) => [spec.name, drawn(2 + index, spec.shape)])),
    };
    const { values } = (await (await loadGraph({ y })).run(feeds))['y']!;
    const expected = [0, 1, 2].flatMap((row) => naiveCross(feeds['x']!.values.slice(row * WIDTH, (row + 1) * WIDTH), layers, rank, feeds));
    values.forEach((value, index) => expect(value).toBeCloseTo(expected[index]!, 4));
  });

  it('has the parameters of its rank: thin matrices, biases without decay', () => {
    const scope = Scope.root({ serving: false });
    cross({ layers: 1, rank: 2 })(scope, input('x', 'float32', ['candidates', WIDTH]));
    expect(scope.parameters.map(({ spec }) => [spec.name, spec.shape, spec.decay])).toEqual([
      ['layer0.down', [WIDTH, 2], true],
      ['layer0.up', [2, WIDTH], true],
      ['layer0.bias', [WIDTH], false],
    ]);
  });

  it('without layers leaves the features as they are', () => {
    const x = input('x', 'float32', ['candidates', WIDTH]);
    const scope = Scope.root({ serving: false });
    expect(cross({ layers: 0 })(scope, x)).toBe(x);
    expect(scope.parameters).toEqual([]);
  });
});
