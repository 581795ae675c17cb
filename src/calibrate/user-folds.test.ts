import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { userFolds } from './user-folds.js';

const users = fc.array(fc.nat(60), { minLength: 1, maxLength: 200 }).map((list) => Int32Array.from(list));

describe('userFolds', () => {
  it('puts every user in one fold, as many in each', () => {
    fc.assert(
      fc.property(users, fc.integer({ min: 2, max: 7 }), fc.integer(), (rows, count, seed) => {
        const folds = userFolds(rows, count, seed);
        expect(folds).toHaveLength(count);
        for (const user of rows) expect(folds.reduce((sum, fold) => sum + fold[user]!, 0)).toBe(1);
        const sizes = folds.map((fold) => fold.reduce((sum, held) => sum + held, 0));
        expect(sizes.reduce((sum, size) => sum + size, 0)).toBe(new Set(rows).size);
        expect(Math.max(...sizes) - Math.min(...sizes)).toBeLessThanOrEqual(1);
      }),
    );
  });

  it('depends on who the users are and the seed, not on the order of rows', () => {
    fc.assert(
      fc.property(users, fc.integer(), (rows, seed) => {
        expect(userFolds(rows.toReversed(), 3, seed)).toEqual(userFolds(rows, 3, seed));
      }),
    );
    const many = Int32Array.from({ length: 100 }, (_, user) => user);
    expect(userFolds(many, 2, 1)).not.toEqual(userFolds(many, 2, 2));
  });
});
