import { expect, it } from 'vitest';
import { smallModel } from '../../test/support/small-model.js';
import { ExpertLoad } from './expert-load.js';

it('is the mean gate weight per surface, task and expert, of the tasks the surface has', () => {
  const load = new ExpertLoad(smallModel().graph.layout);
  expect(load.bySurfaceAndTask()).toEqual({});
  // Two tasks of two experts a surface; the third surface has no rows yet.
  load.add({ expertLoad: { sums: Float32Array.of(3, 1, 2, 2, 1, 1, 0.5, 1.5, 0, 0, 0, 0), rows: [4, 2, 0] } });
  load.add({ expertLoad: { sums: Float32Array.of(0, 0, 0, 0, 1, 1, 0.5, 1.5, 0, 0, 0, 0), rows: [0, 2, 0] } });
  load.add({});
  expect(load.bySurfaceAndTask()).toEqual({
    'home/click/0': 0.75,
    'home/click/1': 0.25,
    'search/click/0': 0.5,
    'search/click/1': 0.5,
    'search/save/0': 0.25,
    'search/save/1': 0.75,
  });
});
