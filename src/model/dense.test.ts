import { describe, expect, it } from 'vitest';
import { drawValues } from '../../test/support/small-model.js';
import { checkGradients } from '../graph/check/finite-differences.js';
import { loadGraph, type Feeds } from '../graph/check/run-graph.js';
import { input } from '../graph/inputs.js';
import { mul } from '../graph/ops/mul.js';
import { reduceSum } from '../graph/ops/reduce-sum.js';
import { sigmoid } from '../graph/ops/sigmoid.js';
import { square } from '../graph/ops/square.js';
import { cross } from './cross.js';
import { dense, mlp, sequential } from './dense.js';
import { featureWidth, Scope, type Module } from './scope.js';

const x = input('x', 'float32', ['candidates', 3]);

const feedsFor = (scope: Scope): Feeds => {
  const drawn = (index: number, shape: readonly number[]): Feeds[string] => ({
    dtype: 'float32', shape, values: drawValues(40 + index, shape.reduce((a, b) => a * b, 1)),
  });
  return {
    x: drawn(0, [2, 3]),
    ...Object.fromEntries(scope.parameters.map(({ spec }, index) => [spec.name, drawn(1 + index, spec.shape)])),
    ...Object.fromEntries(scope.dropoutInputs.map(({ name, width }) => [name, { dtype: 'float32' as const, shape: [2, width], values: Array.from({ length: 2 * width }, (_, i) => (i % 2) * 2) }])),
  };
};

const affine = (row: readonly number[], name: string, feeds: Feeds): number[] =>
  feeds[`${name}.bias`]!.values.map((bias, column, { length }) => row.reduce((sum, value, k) => sum + value * feeds[`${name}.weight`]!.values[k * length + column]!, bias));

const rows = (feeds: Feeds): number[][] => [0, 1].map((row) => feeds['x']!.values.slice(3 * row, 3 * row + 3));

const run = async (module: Module): Promise<{ values: readonly number[]; feeds: Feeds; scope: Scope }> => {
  const scope = Scope.root({ serving: false });
  const y = module(scope, x);
  const feeds = feedsFor(scope);
  return { values: (await (await loadGraph({ y })).run(feeds))['y']!.values, feeds, scope };
};

const expectClose = (values: readonly number[], expected: readonly number[]): void => {
  expect(values.length).toBe(expected.length);
  values.forEach((value, index) => expect(value).toBeCloseTo(expected[index]!, 5));
};

describe('dense', () => {
  it('is x·W + b, with Glorot weights that decay and a zero bias that does not', async () => {
    const { values, feeds, scope } = await run((own, features) => dense(4)(own.child('layer'), features));
    expectClose(values, rows(feeds).flatMap((row) => affine(row, 'layer', feeds)));
    expect(scope.parameters.map(({ spec }) => spec)).toEqual([
      { name: 'layer.weight', shape: [3, 4], initializer: { type: 'glorot', fanIn: 3, fanOut: 4 }, decay: true },
      { name: 'layer.bias', shape: [4], initializer: { type: 'zeros' }, decay: false },
    ]);
  });

  it('starts its bias at the values given', () => {
    const scope = Scope.root({ serving: false });
    dense(2, { bias: [0.5, -1] })(scope, x);
    expect(scope.parameters[1]!.spec.initializer).toEqual({ type: 'values', values: [0.5, -1] });
  });
});

describe('mlp', () => {
  it('is ReLU layers, each followed by its dropout mask', async () => {
    const { values, feeds, scope } = await run(mlp([4, 2], { dropout: 0.5 }));
    expect(scope.dropoutInputs.map(({ name, width, rows: side }) => [name, width, side])).toEqual([['dropout.0', 4, 'candidate'], ['dropout.1', 2, 'candidate']]);
    const layer = (features: readonly number[][], name: string, mask: string): number[][] =>
      features.map((row, index) => affine(row, name, feeds).map((value, d, { length }) => Math.max(0, value) * feeds[mask]!.values[index * length + d]!));
    expectClose(values, layer(layer(rows(feeds), 'dense0', 'dropout.0'), 'dense1', 'dropout.1').flat());
  });

  it('without widths is the identity', () => {
    expect(mlp([], { dropout: 0.5 })(Scope.root({ serving: false }), x)).toBe(x);
  });
});

/** The module of CONTRIBUTING.md. */
const gate = (): Module => (scope, features) => mul(features, sigmoid(dense(featureWidth(features))(scope.child('gate'), features)));

describe("a module of one's own", () => {
  it('composes with others, each in its own scope', async () => {
    const { values, feeds, scope } = await run(sequential({ gate: gate(), cross: cross({ layers: 1 }), out: dense(1) }));
    expect(scope.parameters.map(({ spec }) => spec.name)).toEqual(['gate.gate.weight', 'gate.gate.bias', 'cross.layer0.weight', 'cross.layer0.bias', 'out.weight', 'out.bias']);
    const gated = rows(feeds).map((row) => affine(row, 'gate.gate', feeds).map((value, d) => row[d]! / (1 + Math.exp(-value))));
    const crossed = gated.map((row) => affine(row, 'cross.layer0', feeds).map((value, d) => row[d]! * value + row[d]!));
    expectClose(values, crossed.flatMap((row) => affine(row, 'out', feeds)));
  });

  it.each(['disabled', 'all'] as const)('has gradients that finite differences confirm, at optimization level %s', async (level) => {
    const scope = Scope.root({ serving: false });
    const y = sequential({ gate: gate(), cross: cross({ layers: 1 }), out: dense(1) })(scope, x);
    const variables = [x, ...scope.parameters.map(({ tensor }) => tensor)];
    expect(await checkGradients({ loss: reduceSum(square(y), [0, 1]), variables, feeds: feedsFor(scope) }, { level })).toEqual([]);
  });
});
