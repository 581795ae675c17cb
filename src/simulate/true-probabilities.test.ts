import { expect, test } from 'vitest';
import { createWorld } from './marketplace-world.js';
import { createRequestState } from './request-state.js';
import { SURFACES, TASKS } from './surface-definitions.js';
import { createProbabilityModel } from './true-probabilities.js';

const world = createWorld(2_000, 5, 14);
const probabilities = createProbabilityModel(world, new Float64Array(SURFACES.length).fill(-2));

/** A request whose candidates are all the same ad with the same appeal: only the position differs. */
const sameAdEverywhere = (surface: number, viewType: number) => {
  const request = createRequestState();
  Object.assign(request, { surface, viewType, count: 12 });
  request.ad.fill(3);
  request.match.fill(0.4);
  request.appeal.fill(0.2);
  probabilities(request);
  return TASKS.map((_, task) => Array.from(request.probability[task]!.subarray(0, 12)));
};

test('the same ad is clicked less the further down it stands, faster on some view types', () => {
  const fall = SURFACES.map((surface, index) =>
    surface.viewTypes.map((_, viewType) => {
      const click = sameAdEverywhere(index, viewType)[0]!;
      for (let i = 1; i < click.length; i++) expect(click[i]!).toBeLessThan(click[i - 1]!);
      return click.at(-1)! / click[0]!;
    }),
  );
  expect(fall[0]![1]!).toBeLessThan(fall[0]![0]!);
});

test('view types of a surface have their own offsets', () => {
  SURFACES.forEach((_, index) => {
    expect(sameAdEverywhere(index, 1)[0]![0]!).toBeLessThan(sameAdEverywhere(index, 0)[0]![0]!);
  });
});

test('long clicks are some of the clicks, and related pins have no hides', () => {
  SURFACES.forEach((surface, index) => {
    const [click, longClick, , hide] = sameAdEverywhere(index, 0);
    click!.forEach((p, i) => {
      expect(longClick![i]!).toBeLessThan(p);
    });
    expect(hide!.every((p) => (surface.hasHide ? p > 0 && p < 1 : p === 0))).toBe(true);
  });
});
