import { expect, it } from 'vitest';
import { simulatedCalibration, strayingViewTypes } from '../../test/fixtures/simulated-calibration.js';
import { fitCalibration } from '../calibrate/fit-calibration.js';
import { calibrationTruth } from './calibration-truth.js';

it('gives intervals that hold 1 about as often as they say, where traffic is thin too', () => {
  let [held, all] = [0, 0];
  for (let seed = 1; seed <= 12; seed += 1) {
    const viewTypes = strayingViewTypes({ seed, surfaces: 2, viewTypes: 3 });
    const [validation, test] = [1, 2].map((split) => simulatedCalibration({ viewTypes, rows: 8000, users: 1000, seed: 10 * seed + split }));
    const calibration = fitCalibration(validation!, { methods: ['shift', 'affine'], folds: 2 });
    for (const { interval } of calibrationTruth(validation!, test!, calibration, { replicates: 60 }).truth) {
      if (interval === null) continue;
      all += 1;
      if (interval.low <= 1 && interval.high >= 1) held += 1;
    }
  }
  // 60 replicates make a 95 % interval one of about 92 %.
  expect(all).toBeGreaterThan(50);
  expect(held / all).toBeGreaterThan(0.82);
});
