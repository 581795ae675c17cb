import { describe, expect, it } from 'vitest';
import { IDENTITY_LAYER, type Calibration, type CalibrationLayer } from '../calibrate/calibration.js';
import { diffCalibrations } from './diff-calibration.js';
import type { Described } from './diff-schema.js';

const line = (offset: number, slope = 1): CalibrationLayer => ({ ...IDENTITY_LAYER, offset, below: slope, above: slope });

const calibration = (surface: CalibrationLayer, viewTypes: Readonly<Record<string, CalibrationLayer>> = {}): Calibration => ({
  version: 1,
  tasks: [{ task: 'click', method: 'affine', viewTypes, surfaces: { feed: surface }, global: line(9), globalMethod: 'affine', scores: [], rows: {} }],
});

const exported = (fitted: Calibration | null): Described => ({
  manifest: { surface: 'feed', tasks: ['click', 'save'], calibration: fitted } as unknown as Described['manifest'],
  encoders: { tables: [], columns: [], surfaces: ['feed', 'search'], viewTypes: ['', 'feed/grid', 'search/list', 'feed/list'] },
});

const sigmoid = (x: number): number => 1 / (1 + Math.exp(-x));

describe('diffCalibrations', () => {
  it('gives the largest difference of the curves by view type, with its sign', () => {
    const before = exported(calibration(line(0.1), { 'feed/grid': line(0.5) }));
    const after = exported(calibration(line(-0.2), { 'feed/grid': line(0.5) }));
    const diffs = diffCalibrations(before, after);
    expect(diffs.map(({ task, viewType }) => [task, viewType])).toEqual([['click', 'grid'], ['click', 'list'], ['click', null]]);
    expect(diffs[0]).toMatchObject({ a: 'affine', b: 'affine', logitDifference: 0, probabilityDifference: 0 });
    for (const one of [diffs[1]!, diffs[2]!]) {
      expect(one.logitDifference).toBeCloseTo(-0.3, 12);
      // Two shifted sigmoids are furthest apart half-way between their middles, at a logit of 0.05.
      expect(one.probabilityDifference).toBeCloseTo(sigmoid(-0.15) - sigmoid(0.15), 4);
      expect(one.at).toBeCloseTo(sigmoid(0.05), 2);
    }
  });

  it('holds a calibrated task against the bare logit, and finds a bend between the grid', () => {
    const bent: CalibrationLayer = { ...IDENTITY_LAYER, knots: [1.0001, 1.0002], rises: [500, -500] };
    const [grid] = diffCalibrations(exported(null), exported(calibration(line(0), { 'feed/grid': bent })));
    expect(grid).toMatchObject({ viewType: 'grid', a: null, b: 'affine' });
    expect(grid!.logitDifference).toBeCloseTo(0.05, 10);
    // A step is seen most where the sigmoid is steepest: right at it.
    expect(grid!.at).toBeCloseTo(sigmoid(1.0002), 6);
    expect(grid!.probabilityDifference).toBeCloseTo(sigmoid(1.0502) - sigmoid(1.0002), 6);
  });

  it('says nothing where neither is calibrated', () => {
    expect(diffCalibrations(exported(null), exported(null))).toEqual([]);
  });
});
