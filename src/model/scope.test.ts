import { describe, expect, it } from 'vitest';
import { input } from '../graph/inputs.js';
import { featureWidth, Scope } from './scope.js';

const x = input('x', 'float32', ['candidates', 4]);
const zeros = { type: 'zeros' } as const;

describe('Scope', () => {
  it('names parameters by the path of modules and keeps them in the order declared', () => {
    const root = Scope.root({ serving: false });
    const tower = root.child('tower').child('search');
    tower.parameter('weight', [4, 2], { type: 'glorot', fanIn: 4, fanOut: 2 }, { decay: true });
    root.parameter('bias', [2], zeros, { decay: false });
    expect(root.parameters.map(({ spec, tensor }) => [spec.name, tensor.name, tensor.shape, spec.decay])).toEqual([
      ['tower.search.weight', 'tower.search.weight', [4, 2], true],
      ['bias', 'bias', [2], false],
    ]);
  });

  it('refuses a name twice: two layers would silently share weights', () => {
    const root = Scope.root({ serving: false });
    root.child('a').parameter('bias', [1], zeros, { decay: false });
    expect(() => root.child('a').parameter('bias', [1], zeros, { decay: false })).toThrow(/parameter a\.bias is declared twice/);
  });

  it('asks for dropout masks in training only', () => {
    const training = Scope.root({ serving: false });
    const dropped = training.child('deep').dropout(x, 0.5, 'candidate');
    expect(dropped).not.toBe(x);
    expect(dropped.shape).toEqual(x.shape);
    training.dropout(x, 0.1, 'request');
    expect(training.dropoutInputs).toEqual([
      { name: 'dropout.0', width: 4, rate: 0.5, rows: 'candidate' },
      { name: 'dropout.1', width: 4, rate: 0.1, rows: 'request' },
    ]);
    const serving = Scope.root({ serving: true });
    expect(serving.dropout(x, 0.5, 'candidate')).toBe(x);
    expect(serving.dropoutInputs).toEqual([]);
    expect(Scope.root({ serving: false }).dropout(x, 0, 'candidate')).toBe(x);
  });
});

describe('featureWidth', () => {
  it('is the size of the last axis, which must be known', () => {
    expect(featureWidth(x)).toBe(4);
    expect(() => featureWidth(input('ids', 'float32', ['candidates', 'length']))).toThrow(/known width/);
  });
});
