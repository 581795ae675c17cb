import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { costSimilarity, unificationOrder } from './unification-order.js';

describe('unificationOrder', () => {
  it('joins the most alike first, then what is most like them', () => {
    expect(unificationOrder({ home: 100, search: 300, related: 110, cart: 290 })).toEqual([
      { surface: 'search', cost: 300, similarity: 1 },
      { surface: 'cart', cost: 290, similarity: 290 / 300 },
      { surface: 'related', cost: 110, similarity: 110 / 295 },
      { surface: 'home', cost: 100, similarity: 100 / ((300 + 290 + 110) / 3) },
    ]);
  });

  it.each([[{}, []], [{ home: 3 }, [{ surface: 'home', cost: 3, similarity: 1 }]]])('has nothing to choose in %j', (costs, order) => {
    expect(unificationOrder(costs)).toEqual(order);
  });

  it('names every surface once, and starts with the most alike pair', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 1, max: 1000 }), { minLength: 2, maxLength: 7 }), (values) => {
        const costs = Object.fromEntries(values.map((cost, index) => [`s${index}`, cost]));
        const order = unificationOrder(costs);
        expect(Object.fromEntries(order.map(({ surface, cost }) => [surface, cost]))).toEqual(costs);
        const best = Math.max(...values.flatMap((a, i) => values.slice(i + 1).map((b) => costSimilarity(a, b))));
        expect(order[1]!.similarity).toBe(best);
      }),
    );
  });
});
