import type { Statistic } from './metric.js';

/** A weighted mean whose parts belong to users: replicates cost O(users). NaN without weight. */
export const userMean = (userCount: number): { add: (user: number, value: number, weight: number) => void; statistic: Statistic } => {
  const values = new Float64Array(userCount);
  const weights = new Float64Array(userCount);
  return {
    add: (user, value, weight) => {
      values[user]! += value * weight;
      weights[user]! += weight;
    },
    statistic: (draws) => {
      let value = 0;
      let weight = 0;
      for (let user = 0; user < userCount; user++) {
        const count = draws === null ? 1 : draws.counts[user]!;
        value += count * values[user]!;
        weight += count * weights[user]!;
      }
      return value / weight;
    },
  };
};
