import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { simulatedCalibration, strayingViewTypes, type SimulatedViewType } from '../../test/fixtures/simulated-calibration.js';
import { UsageError } from '../config/errors.js';
import { CALIBRATION_METHODS, type CalibrationMethod } from '../config/unify-plan.js';
import { logLoss } from '../evaluate/log-loss.js';
import type { Predictions } from '../evaluate/predictions.js';
import { applyLayer } from './apply-layer.js';
import { calibratePredictions, globalOnly } from './calibrate-predictions.js';
import { layerOf, type Calibration, type CalibrationLayer, type TaskCalibration } from './calibration.js';
import { fitCalibration } from './fit-calibration.js';
import { MOST_KNOTS } from './isotonic.js';

const all = { methods: CALIBRATION_METHODS, folds: 5 } as const;
const only = (method: CalibrationMethod): { readonly methods: readonly CalibrationMethod[]; readonly folds: number } => ({ methods: [method], folds: 2 });
const firstOf = ({ tasks }: Calibration): TaskCalibration => tasks[0]!;
const at = (layer: CalibrationLayer, z = -2): number => applyLayer(layer, z) - z;

const selectRows = (predictions: Predictions, rows: readonly number[]): Predictions => {
  const ints = (values: Int32Array): Int32Array => Int32Array.from(rows, (row) => values[row]!);
  return {
    ...predictions,
    count: rows.length,
    surfaces: ints(predictions.surfaces),
    viewTypes: ints(predictions.viewTypes),
    users: ints(predictions.users),
    requests: ints(predictions.requests),
    tasks: predictions.tasks.map(({ task, labels, probabilities, truths }) => ({
      task,
      labels: Float32Array.from(rows, (row) => labels[row]!),
      probabilities: Float32Array.from(rows, (row) => probabilities[row]!),
      truths: Float64Array.from(rows, (row) => truths![row]!),
    })),
  };
};

/** Sum of predictions over sum of true probabilities, by view type. */
const ratios = ({ viewTypes, viewTypeNames, tasks: [task] }: Predictions): Readonly<Record<string, number>> => {
  const sums = viewTypeNames.map(() => [0, 0]);
  viewTypes.forEach((viewType, row) => {
    sums[viewType]![0]! += task!.probabilities[row]!;
    sums[viewType]![1]! += task!.truths![row]!;
  });
  return Object.fromEntries(sums.flatMap(([predicted, truth], viewType) => (truth! > 0 ? [[viewTypeNames[viewType]!, predicted! / truth!]] : [])));
};

describe('fitCalibration', () => {
  it('makes rising layers with few knots, by every method', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 1000 }), fc.constantFrom(...CALIBRATION_METHODS), fc.integer({ min: 50, max: 800 }), (seed, method, rows) => {
        const { viewTypes, surfaces, global } = firstOf(fitCalibration(simulatedCalibration({ viewTypes: strayingViewTypes({ seed, spread: 1 }), rows, users: 40, seed }), only(method)));
        for (const layer of [...Object.values(viewTypes), ...Object.values(surfaces), global]) {
          expect(layer.knots.length).toBeLessThanOrEqual(MOST_KNOTS);
          expect(layer.rises).toHaveLength(layer.knots.length);
          expect(layer.knots.toSorted((a, b) => a - b)).toEqual(layer.knots);
          const steps = Array.from({ length: 170 }, (_, i) => applyLayer(layer, i / 5 - 16.8) - applyLayer(layer, i / 5 - 17));
          expect(Math.min(...steps)).toBeGreaterThan(-1e-9);
        }
      }),
      { numRuns: 20 },
    );
  });

  it('beats one global layer and brings thick view types within 1 %', () => {
    const viewTypes = strayingViewTypes({ seed: 4, surfaces: 2, viewTypes: 2 });
    const world = { viewTypes, users: 10_000, center: 0 };
    const fitted = fitCalibration(simulatedCalibration({ ...world, rows: 200_000 }), { methods: ['identity', 'affine', 'isotonic'], folds: 2 });
    const test = simulatedCalibration({ ...world, rows: 60_000, seed: 2 });
    const after = calibratePredictions(fitted, test);
    const lossOf = ({ tasks: [task] }: Predictions): number => logLoss(task!.labels, task!.probabilities);
    expect(lossOf(after)).toBeLessThan(lossOf(calibratePredictions(globalOnly(fitted), test)) - 0.002);
    expect(Object.values(ratios(test)).some((ratio) => Math.abs(ratio - 1) > 0.05)).toBe(true);
    for (const [viewType, ratio] of Object.entries(ratios(after))) expect([viewType, Math.abs(ratio - 1) < 0.01]).toEqual([viewType, true]);
    const { method, scores } = firstOf(fitted);
    expect(method).toBe('affine');
    const affine = scores.find((score) => score.method === 'affine')!;
    expect(affine.perViewType).toBeLessThan(affine.global - 0.002);
  });

  it('draws thin view types to their surface and leaves thick ones free', () => {
    const world = (thinRows: number): readonly SimulatedViewType[] => [
      { name: 'a/thick', offset: 0.5, slope: 1, traffic: 1000 },
      { name: 'a/other', offset: 0.3, slope: 1, traffic: 1000 },
      { name: 'a/odd', offset: -1, slope: 1, traffic: thinRows },
      { name: 'b/one', offset: -0.5, slope: 1, traffic: 1000 },
      { name: 'b/two', offset: -0.4, slope: 1, traffic: 1000 },
    ];
    const fitted = (thinRows: number): TaskCalibration => firstOf(fitCalibration(simulatedCalibration({ viewTypes: world(thinRows), rows: 60_000, users: 3000 }), only('shift')));
    const thin = fitted(2);
    expect(at(thin.viewTypes['a/thick']!)).toBeCloseTo(0.5, 0.8);
    expect(at(thin.viewTypes['b/one']!)).toBeCloseTo(-0.5, 0.8);
    expect(at(thin.surfaces['a']!)).toBeGreaterThan(0.3);
    expect(Math.abs(at(thin.viewTypes['a/odd']!) - at(thin.surfaces['a']!))).toBeLessThan(0.5);
    expect(Math.abs(at(fitted(1000).viewTypes['a/odd']!) + 1)).toBeLessThan(0.12);
  });

  it('gives a view type never seen its surface\'s layer, and a surface never seen the one of all rows', () => {
    const viewTypes = strayingViewTypes({ seed: 2 });
    const fitted = firstOf(fitCalibration(simulatedCalibration({ viewTypes }), only('affine')));
    expect(layerOf(fitted, 's1', 's1/v1')).toEqual(fitted.viewTypes['s1/v1']);
    expect(layerOf(fitted, 's1', 's1/new')).toEqual(fitted.surfaces['s1']);
    expect(layerOf(fitted, 's1', '')).toEqual(fitted.surfaces['s1']);
    expect(layerOf(fitted, 'new', 'new/v0')).toEqual(fitted.global);
    expect(fitted.surfaces['s1']).not.toEqual(fitted.global);
  });

  it('is the same for rows in another order', () => {
    const predictions = simulatedCalibration({ viewTypes: strayingViewTypes(), rows: 1500, users: 60, tasks: ['click', 'save'] });
    const order = Array.from({ length: predictions.count }, (_, row) => (row * 1237) % predictions.count);
    expect(new Set(order).size).toBe(predictions.count);
    const some = { methods: ['affine', 'isotonic'], folds: 3 } as const;
    const fitted = fitCalibration(predictions, some);
    expect(fitCalibration(selectRows(predictions, order), some)).toEqual(fitted);
    expect(fitCalibration(selectRows(predictions, order), { ...some, present: fitted })).toEqual(fitCalibration(predictions, { ...some, present: fitted }));
  });

  it('takes the simplest method that does', () => {
    const flat = (offset: number, slope: number, bend = 0): Predictions =>
      simulatedCalibration({ viewTypes: strayingViewTypes({ spread: 0 }).map((viewType) => ({ ...viewType, offset, slope, bend })), rows: 30_000, users: 3000 });
    const chosen = (predictions: Predictions): CalibrationMethod => firstOf(fitCalibration(predictions, { ...all, folds: 2 })).method;
    expect(chosen(flat(0, 1))).toBe('identity');
    expect(chosen(flat(-0.5, 1))).toBe('shift');
    expect(chosen(flat(0, 0.8))).toBe('temperature');
    expect(chosen(flat(0.7, 0.6))).toBe('affine');
    expect(['beta', 'isotonic']).toContain(chosen(flat(-0.3, 0.3, 1.4)));
  });

  it('changes nothing where there is nothing to tell from', () => {
    const predictions = simulatedCalibration({ viewTypes: strayingViewTypes(), rows: 2000 });
    const click = predictions.tasks[0]!;
    for (const labels of [click.labels.map(() => 0), click.labels.map(() => NaN), click.labels.map((_, row) => (row < 5 ? 1 : 0))]) {
      const fitted = firstOf(fitCalibration({ ...predictions, tasks: [{ ...click, labels }] }, all));
      expect([fitted.method, fitted.globalMethod, fitted.viewTypes, fitted.surfaces, fitted.scores]).toEqual(['identity', 'identity', {}, {}, []]);
      expect(at(layerOf(fitted, 's0', 's0/v0'))).toBe(0);
    }
  });

  it('refuses a choice of nothing', () => {
    const predictions = simulatedCalibration({ viewTypes: strayingViewTypes(), rows: 100 });
    expect(() => fitCalibration(predictions, { methods: ['shift'], folds: 1 })).toThrow(UsageError);
    expect(() => fitCalibration(predictions, { methods: [], folds: 5 })).toThrow(/no method/u);
  });
});

describe('a refit from the layers in use', () => {
  const viewTypes = strayingViewTypes({ seed: 6 });
  const present = fitCalibration(simulatedCalibration({ viewTypes, rows: 60_000, users: 3000 }), { ...all, folds: 2 });
  const refit = (predictions: Predictions, of = present): TaskCalibration => firstOf(fitCalibration(predictions, { ...all, folds: 2, present: of }));
  const drifted = viewTypes.map((viewType) => ({ ...viewType, offset: viewType.offset + 0.6 }));

  it('keeps them without rows', () => {
    const none = selectRows(simulatedCalibration({ viewTypes, rows: 10 }), []);
    expect(refit(none)).toEqual(firstOf(present));
    expect(fitCalibration({ ...none, tasks: [] }, { ...all, present })).toEqual(present);
  });

  it('keeps them where fresh rows say the same, and stays near them with few', () => {
    const same = refit(simulatedCalibration({ viewTypes, rows: 30_000, users: 3000, seed: 9 }));
    const moves = Object.entries(firstOf(present).viewTypes).map(([name, layer]) => Math.abs(at(same.viewTypes[name]!) - at(layer)));
    expect(moves.reduce((sum, move) => sum + move, 0) / moves.length).toBeLessThan(0.12);
    const few = refit(simulatedCalibration({ viewTypes, rows: 400, users: 100, seed: 3 }));
    for (const [name, layer] of Object.entries(firstOf(present).viewTypes)) expect(Math.abs(at(few.viewTypes[name]!) - at(layer))).toBeLessThan(0.4);
  });

  it('follows a drift, of view types that have no fresh rows too', () => {
    const seen = drifted.filter(({ name }) => name !== 's1/v2');
    const fresh = refit(simulatedCalibration({ viewTypes: seen, rows: 30_000, users: 3000, seed: 5 }));
    expect(fresh.viewTypes['s1/v2']).toBeDefined();
    for (const [name, layer] of Object.entries(firstOf(present).viewTypes)) expect([name, Math.abs(at(fresh.viewTypes[name]!) - at(layer) - 0.6) < 0.3]).toEqual([name, true]);
    expect(at(fresh.global) - at(firstOf(present).global)).toBeCloseTo(0.6, 0.7);
  });

  it('corrects curves in use without losing their shape', () => {
    const curves = fitCalibration(simulatedCalibration({ viewTypes: viewTypes.map((one) => ({ ...one, slope: 0.3, bend: 1.2 })), rows: 60_000, users: 3000 }), only('isotonic'));
    const fresh = firstOf(fitCalibration(simulatedCalibration({ viewTypes: drifted.map((one) => ({ ...one, slope: 0.3, bend: 1.2 })), rows: 5000, users: 1000, seed: 3 }), { methods: ['shift'], folds: 5, present: curves }));
    expect(fresh.method).toBe('isotonic');
    for (const [name, layer] of Object.entries(firstOf(curves).viewTypes)) {
      expect(fresh.viewTypes[name]!.knots).toEqual(layer.knots);
      expect(at(fresh.viewTypes[name]!, -4) - at(layer, -4)).toBeCloseTo(at(fresh.viewTypes[name]!, 0) - at(layer, 0), 9);
    }
  });

  it('gives a view type and a surface that are new a layer', () => {
    const more = [...viewTypes, { name: 's1/new', offset: 0.8, slope: 1, traffic: 20 }, { name: 'new/v0', offset: -0.8, slope: 1, traffic: 20 }];
    const fresh = refit(simulatedCalibration({ viewTypes: more, rows: 60_000, users: 3000, seed: 8 }));
    expect(Math.abs(at(fresh.viewTypes['s1/new']!) - 0.8)).toBeLessThan(0.25);
    expect(Math.abs(at(fresh.viewTypes['new/v0']!) + 0.8)).toBeLessThan(0.25);
    expect(fresh.surfaces['new']).toBeDefined();
  });
});
