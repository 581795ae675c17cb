/** Cross-validation over users: rows of one are not independent, so a fold holds all rows of its users. */
import { uniformInt } from 'pure-rand/distribution/uniformInt';
import { xoroshiro128plus } from 'pure-rand/generator/xoroshiro128plus';

/**
 * Deals the users that have rows to folds at random, as many to each, give or take one. It depends on the users' numbers and the
 * seed alone, not on the order of rows.
 *
 * @returns for each fold, 1 for its users and 0 for all others
 */
export const userFolds = (users: Int32Array, folds: number, seed: number): readonly Uint8Array[] => {
  const dealt = [...new Set(users)].sort((a, b) => a - b);
  const generator = xoroshiro128plus(seed);
  for (let last = dealt.length - 1; last > 0; last -= 1) {
    const other = uniformInt(generator, 0, last);
    [dealt[last], dealt[other]] = [dealt[other]!, dealt[last]!];
  }
  const size = dealt.reduce((most, user) => Math.max(most, user + 1), 0);
  const members = Array.from({ length: folds }, () => new Uint8Array(size));
  dealt.forEach((user, place) => {
    members[place % folds]![user] = 1;
  });
  return members;
};
