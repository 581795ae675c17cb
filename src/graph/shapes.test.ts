import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { exp } from './ops/exp.js';
import { input } from './inputs.js';
import { broadcastShapes, dimProduct, normalizeAxes } from './shapes.js';
import { topologicalOrder } from './traverse.js';

describe('broadcastShapes', () => {
  it('follows NumPy, with symbolic dims equal by name', () => {
    expect(broadcastShapes('op', [['rows', 1, 4], [3, 1], []])).toEqual(['rows', 3, 4]);
    expect(broadcastShapes('op', [[1], [0]])).toEqual([0]);
    expect(() => broadcastShapes('op', [['rows', 2], ['rows', 3]])).toThrow('op: shapes [rows, 2] and [rows, 3] do not broadcast');
    expect(() => broadcastShapes('op', [['rows'], [5]])).toThrow('[rows] and [5]');
  });
});

describe('dimProduct', () => {
  it('is known where all dims are, else a canonical name', () => {
    expect(dimProduct([2, 3])).toBe(6);
    expect(dimProduct([])).toBe(1);
    expect(dimProduct(['rows', 5, 2])).toBe('rows*10');
    expect(dimProduct(['rows*5', 2])).toBe('rows*10');
    expect(dimProduct(['rows', 0])).toBe(0);
  });

  it('does not depend on the order or the grouping', () => {
    const dims = fc.array(fc.oneof(fc.integer({ min: 1, max: 9 }), fc.constantFrom('rows', 'steps')), { maxLength: 5 });
    fc.assert(
      fc.property(dims, dims, (a, b) => {
        expect(dimProduct([dimProduct(a), dimProduct(b)])).toBe(dimProduct([...b, ...a]));
      }),
      { seed: 5 },
    );
  });
});

it('normalizeAxes counts from the front and sorts', () => {
  expect(normalizeAxes('op', [-1, 0], 3)).toEqual([0, 2]);
});

it('topologicalOrder walks graphs deeper than any stack', () => {
  let node = input('x', 'float32', [1]);
  for (let depth = 0; depth < 100_000; depth += 1) node = exp(node);
  expect(topologicalOrder([node])).toHaveLength(100_001);
});
