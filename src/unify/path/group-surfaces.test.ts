import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { unificationOrder } from '../unification-order.js';
import { groupSurfaces } from './group-surfaces.js';

describe('groupSurfaces', () => {
  it('puts surfaces of similar cost together, the most alike first', () => {
    const { groups, source, reason } = groupSurfaces({ home: 700_000, search: 100_000, related: 650_000, carousel: 90_000 }, 0.7);
    expect(groups).toEqual([
      ['home', 'related'],
      ['search', 'carousel'],
    ]);
    expect(source).toBe('cost');
    expect(reason).toBe(
      'home and related first: the own models of these surfaces cost most alike per candidate (home 700 kFLOPs, related 650 kFLOPs), then search and carousel (search 100 kFLOPs, carousel 90 kFLOPs); a surface joins a group when the smaller cost is at least 0.7 of the larger.',
    );
  });

  it('unifies the first two whatever they cost', () => {
    const { groups, reason } = groupSurfaces({ home: 100_000, search: 900_000 }, 0.7);
    expect(groups).toEqual([['home', 'search']]);
    expect(reason).toContain('there are no others');
    expect(groupSurfaces({ home: 100_000, search: 110_000 }, 0.7).reason).toContain('all are within 0.7 of each other');
    expect(groupSurfaces({ home: 100, search: 1000, related: 100_000 }, 0.7).groups).toEqual([['home', 'search'], ['related']]);
  });

  it('keeps the order that the config declares', () => {
    const order = [['search', 'home'], ['related']];
    expect(groupSurfaces({ home: 1, search: 100, related: 1 }, 0.7, order)).toEqual({ groups: order, source: 'config', reason: 'search and home, then related: the order that the config declares.' });
  });

  const costs = fc.array(fc.integer({ min: 1, max: 1000 }), { minLength: 2, maxLength: 8 }).map((values) => Object.fromEntries(values.map((value, index) => [`s${index}`, value])));

  it('has each surface once, in the order of unification, at least two of them first', () => {
    fc.assert(
      fc.property(costs, fc.double({ min: 0.01, max: 1, noNaN: true }), (declared, similarity) => {
        const { groups } = groupSurfaces(declared, similarity);
        expect(groups.flat()).toEqual(unificationOrder(declared).map(({ surface }) => surface));
        expect(groups[0]!.length).toBeGreaterThanOrEqual(2);
        // After the first pair, whoever joins is like the mean of the group that it finds.
        for (const [index, group] of groups.entries()) {
          for (let place = index === 0 ? 2 : 1; place < group.length; place += 1) {
            const mean = group.slice(0, place).reduce((sum, surface) => sum + declared[surface]!, 0) / place;
            const own = declared[group[place]!]!;
            expect(Math.min(own, mean) / Math.max(own, mean)).toBeGreaterThanOrEqual(similarity);
          }
        }
      }),
    );
  });
});
