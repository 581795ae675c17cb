import { describe, expect, it } from 'vitest';
import { simulatedPredictions } from '../../test/fixtures/simulated-predictions.js';
import { DataError, UsageError } from '../config/errors.js';
import { auc } from './auc.js';
import { evaluatePredictions } from './evaluate.js';
import { logLoss } from './log-loss.js';
import type { Predictions } from './predictions.js';

const predictions = simulatedPredictions({ levels: 400 });
const [click, save] = predictions.tasks;

const rowsWhere = (keep: (row: number) => boolean): number[] => Array.from({ length: predictions.count }, (_, row) => row).filter(keep);

const withClick = (change: { labels?: Float32Array; probabilities?: Float32Array }): Predictions => ({
  ...predictions,
  tasks: [{ ...click!, ...change }],
});

describe('evaluatePredictions', () => {
  const evaluation = evaluatePredictions(predictions);

  it('judges every surface and view type on its own rows', () => {
    const task = evaluation.tasks[0]!;
    expect(task.surfaces.map(({ name }) => name)).toEqual([...predictions.surfaceNames]);
    expect(task.viewTypes.map(({ name }) => name).sort()).toEqual([...predictions.viewTypeNames].sort());
    for (const slice of task.viewTypes) {
      const rows = rowsWhere((row) => predictions.viewTypeNames[predictions.viewTypes[row]!] === slice.name);
      const labels = Float32Array.from(rows, (row) => click!.labels[row]!);
      const probabilities = Float32Array.from(rows, (row) => click!.probabilities[row]!);
      expect(slice.rows).toBe(rows.length);
      expect(slice.surface).toBe(slice.name.split('/')[0]);
      expect(slice.metrics.auc).toBeCloseTo(auc(labels, probabilities), 12);
      expect(slice.metrics.logLoss).toBeCloseTo(logLoss(labels, probabilities), 12);
    }
  });

  it('leaves out rows without a label, and surfaces that lack the task', () => {
    const task = evaluation.tasks[1]!;
    expect(task.overall.rows).toBe(rowsWhere((row) => !Number.isNaN(save!.labels[row])).length);
    expect(task.surfaces.map(({ name }) => name)).toEqual(['home_feed', 'search']);
  });

  it('measures the distance from the true probabilities', () => {
    const { floor, excess, logLoss: loss, truthCalibration } = evaluation.tasks[0]!.overall.metrics;
    expect(floor).toBeCloseTo(logLoss(click!.labels, click!.truths!), 12);
    expect(excess).toBeCloseTo((loss! - floor!) / floor!, 12);
    expect(truthCalibration).toBeCloseTo(
      click!.probabilities.reduce((sum, p) => sum + p, 0) / click!.truths!.reduce((sum, p) => sum + p, 0),
      10,
    );
    const { task, labels, probabilities } = click!;
    const metrics = evaluatePredictions({ ...predictions, tasks: [{ task, labels, probabilities }] }).tasks[0]!.overall.metrics;
    expect([metrics.floor, metrics.excess, metrics.truthCalibration]).toEqual([null, null, null]);
  });

  it('computes GAUC within users or requests, and counts those left out', () => {
    const byRequest = evaluatePredictions(predictions, { gaucBy: 'request' }).tasks[0]!.overall;
    const byUser = evaluation.tasks[0]!.overall;
    expect(byRequest.metrics.gauc).not.toBe(byUser.metrics.gauc);
    expect(byUser.gaucGroups!.groups + byUser.gaucGroups!.leftOut).toBe(byUser.users);
    expect(byRequest.gaucGroups!.groups + byRequest.gaucGroups!.leftOut).toBe(byRequest.requests);
    expect(byRequest.gaucGroups!.leftOut).toBeGreaterThan(0);
  });

  it('is null where a metric is undefined', () => {
    const { rows, positives, metrics } = evaluatePredictions(withClick({ labels: new Float32Array(predictions.count) })).tasks[0]!.overall;
    expect([rows, positives]).toEqual([predictions.count, 0]);
    expect([metrics.auc, metrics.gauc, metrics.ne, metrics.calibrationRatio, metrics.mrr]).toEqual([null, null, null, null, null]);
    expect(metrics.logLoss).toBeGreaterThan(0);
    const none = evaluatePredictions(withClick({ labels: new Float32Array(predictions.count).fill(NaN) })).tasks[0]!;
    expect(none.overall.rows).toBe(0);
    expect(none.overall.metrics.logLoss).toBeNull();
    expect(none.surfaces).toEqual([]);
  });

  it('gives intervals when asked, the same for the same seed', () => {
    const bootstrap = { replicates: 100, seed: 5 };
    const first = evaluatePredictions(predictions, { bootstrap });
    expect(evaluatePredictions(predictions, { bootstrap })).toEqual(first);
    expect(evaluatePredictions(predictions, { bootstrap: { ...bootstrap, seed: 6 } })).not.toEqual(first);
    const { intervals, metrics } = first.tasks[0]!.overall;
    for (const name of ['auc', 'gauc', 'logLoss', 'ne', 'calibrationRatio', 'mrr'] as const) {
      expect(intervals![name]!.low).toBeLessThan(metrics[name]!);
      expect(intervals![name]!.high).toBeGreaterThan(metrics[name]!);
    }
    expect(intervals!.ece).toBeNull();
    expect(first.bootstrap).toEqual({ replicates: 100, level: 0.95, seed: 5, users: 60 });
    expect(JSON.parse(JSON.stringify(first))).toEqual(first);
  });

  it('names the row of a label or probability out of range', () => {
    const labels = click!.labels.slice();
    labels[7] = 2;
    expect(() => evaluatePredictions(withClick({ labels }))).toThrow(/row 7 .* label 2/u);
    for (const bad of [NaN, -0.1, 1.1]) {
      const probabilities = click!.probabilities.slice();
      probabilities[9] = bad;
      expect(() => evaluatePredictions(withClick({ probabilities }))).toThrow(DataError);
      expect(() => evaluatePredictions(withClick({ probabilities }))).toThrow(/row 9 /u);
    }
  });

  it('refuses bootstrap options out of range', () => {
    expect(() => evaluatePredictions(predictions, { bootstrap: { replicates: 1 } })).toThrow(UsageError);
    expect(() => evaluatePredictions(predictions, { bootstrap: { level: 95 } })).toThrow(UsageError);
  });
});
