import fc from 'fast-check';
import { expect, test } from 'vitest';
import { createRandom } from './random.js';
import { WeightedChoice } from './weighted-choice.js';

test('draws every index as often as its weight says', () => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 0, max: 20 }), { minLength: 1, maxLength: 12 }), fc.integer(), (weights, seed) => {
      fc.pre(weights.some((weight) => weight > 0));
      const total = weights.reduce((sum, weight) => sum + weight, 0);
      const choice = new WeightedChoice(weights);
      const random = createRandom(seed, 0);
      const draws = 4_000;
      const counts = new Array<number>(weights.length).fill(0);
      for (let i = 0; i < draws; i++) counts[choice.draw(random)]!++;
      weights.forEach((weight, index) => {
        const share = weight / total;
        expect(Math.abs(counts[index]! / draws - share)).toBeLessThanOrEqual(6 * Math.sqrt((share * (1 - share)) / draws));
      });
    }),
    { numRuns: 40 },
  );
});
