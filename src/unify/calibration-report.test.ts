import { describe, expect, it } from 'vitest';
import { simulatedCalibration, strayingViewTypes, type SimulatedViewType } from '../../test/fixtures/simulated-calibration.js';
import { calibratePredictions, globalOnly } from '../calibrate/calibrate-predictions.js';
import { fitCalibration } from '../calibrate/fit-calibration.js';
import { logLoss } from '../evaluate/log-loss.js';
import type { Predictions } from '../evaluate/predictions.js';
import { calibrationReport } from './calibration-report.js';

const methods = ['identity', 'shift', 'affine'] as const;
const bootstrap = { replicates: 60 };
const viewTypes = strayingViewTypes({ seed: 5, viewTypes: 3 });
const world = (of: readonly SimulatedViewType[], seed: number): Predictions => simulatedCalibration({ viewTypes: of, rows: 12_000, users: 1500, seed, tasks: ['click', 'save'] });
const validation = world(viewTypes, 1);
const test = world(viewTypes, 2);
const calibration = fitCalibration(validation, { methods, folds: 3 });

/** Sums over the rows of a view type, row by row. */
const ratioOf = ({ viewTypes: rows, viewTypeNames, tasks }: Predictions, task: string, viewType: string): number => {
  const { probabilities, truths } = tasks.find((one) => one.task === task)!;
  let [predicted, truth] = [0, 0];
  rows.forEach((own, row) => {
    if (viewTypeNames[own] !== viewType) return;
    predicted += probabilities[row]!;
    truth += truths![row]!;
  });
  return predicted / truth;
};

const expectedLoss = ({ tasks }: Predictions, task: string): number => {
  const { probabilities, truths } = tasks.find((one) => one.task === task)!;
  let loss = 0;
  probabilities.forEach((p, row) => {
    loss -= truths![row]! * Math.log(p) + (1 - truths![row]!) * Math.log1p(-p);
  });
  return loss / probabilities.length;
};

describe('calibrationReport', () => {
  const report = calibrationReport(validation, test, calibration, { bootstrap });
  const global = calibratePredictions(globalOnly(calibration), test);
  const after = calibratePredictions(calibration, test);

  it('measures the test rows before, with one global layer, and after', () => {
    expect(report.tasks.map(({ task, method }) => [task, method])).toEqual(calibration.tasks.map(({ task, method }) => [task, method]));
    const found = [report.before, report.global, report.after].map(({ tasks }) => tasks[0]!.overall.metrics.logLoss!);
    [test, global, after].forEach(({ tasks: [click] }, index) => expect(found[index]).toBeCloseTo(logLoss(click!.labels, click!.probabilities), 9));
    expect(report.after.tasks[0]!.viewTypes[0]!.intervals!.calibrationRatio).not.toBeNull();
    expect([report.comparison.a, report.comparison.b]).toEqual(['one global layer', 'a layer per view type']);
    expect(report.comparison.tasks[0]!.overall.metrics.logLoss!.difference).toBeCloseTo(found[2]! - found[1]!, 9);
  });

  it('holds predictions against true probabilities', () => {
    expect(report.truth).toHaveLength(18);
    for (const { task, viewType, ...ratios } of report.truth) {
      expect(ratios.before).toBeCloseTo(ratioOf(test, task, viewType), 4);
      expect(ratios.global).toBeCloseTo(ratioOf(global, task, viewType), 4);
      expect(ratios.after).toBeCloseTo(ratioOf(after, task, viewType), 4);
      if (ratios.interval !== null) expect(ratios.interval.low < ratios.after && ratios.after < ratios.interval.high).toBe(true);
    }
    for (const { task, difference, interval, ...losses } of report.truthLoss) {
      expect(losses.before).toBeCloseTo(expectedLoss(test, task), 5);
      expect(losses.global).toBeCloseTo(expectedLoss(global, task), 5);
      expect(losses.after).toBeCloseTo(expectedLoss(after, task), 5);
      expect(difference).toBe(losses.global - losses.after);
      expect(interval!.low).toBeGreaterThan(0);
      expect(interval!.high).toBeGreaterThan(difference);
    }
  });

  it('is the same again', () => {
    const again = calibrationReport(validation, test, calibration, { bootstrap });
    expect(again).toEqual(report);
  });

  it('says nothing of truths where there are none', () => {
    const bare: Predictions = { ...test, tasks: test.tasks.map(({ task, labels, probabilities }) => ({ task, labels, probabilities })) };
    const { truth, truthLoss } = calibrationReport(validation, bare, calibration, { bootstrap });
    expect([truth, truthLoss]).toEqual([[], []]);
  });
});
