import { expect, test } from 'vitest';
import type { TaskCalibration } from '../../calibrate/calibration.js';
import { IDENTITY_LAYER } from '../../calibrate/calibration.js';
import type { ExportManifest } from '../../export/manifest.js';
import { heldOutRates } from './held-out-rates.js';

const calibrated = (task: string, rows: TaskCalibration['rows']): TaskCalibration => ({
  task,
  method: 'identity',
  viewTypes: {},
  surfaces: {},
  global: IDENTITY_LAYER,
  globalMethod: 'identity',
  scores: [],
  rows,
});

type Metrics = ExportManifest['metrics'];

test('rates of the evaluation, else of the rows that calibration was fitted to, else none', () => {
  const metrics = { click: { rows: 200, positives: 20, metrics: { calibrationRatio: 1.5 } }, hide: { rows: 0, positives: 0, metrics: { calibrationRatio: null } } } as unknown as Metrics;
  const calibration = {
    version: 1,
    tasks: [calibrated('click', { search: { rows: 10, positives: 9 } }), calibrated('save', { 'search/a': { rows: 30, positives: 3 }, 'search/b': { rows: 70, positives: 2 }, feed: { rows: 900, positives: 900 } })],
  } as const;
  expect(heldOutRates({ surface: 'search', tasks: ['click', 'save', 'hide'], metrics, calibration })).toEqual([
    { task: 'click', rate: 0.1, prediction: expect.closeTo(0.15, 12) as number },
    { task: 'save', rate: 0.05 },
  ]);
  expect(heldOutRates({ surface: 'search', tasks: ['save'], metrics: {}, calibration: null })).toEqual([]);
});
