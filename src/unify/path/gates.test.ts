import { describe, expect, it } from 'vitest';
import type { Interval } from '../../evaluate/bootstrap.js';
import { comparePredictions } from '../../evaluate/compare.js';
import { evaluatePredictions } from '../../evaluate/evaluate.js';
import type { Evaluation, SliceEvaluation } from '../../evaluate/evaluation.js';
import { forEachMetric } from '../../evaluate/metrics.js';
import { simulatedPredictions } from '../../../test/fixtures/simulated-predictions.js';
import type { QualityCell } from '../report.js';
import { calibrationChecks, chanceChecks, gainChecks, latencyChecks, qualityChecks, sizeChecks, trainingCostChecks } from './gates.js';
import { qualityCells } from './quality.js';

const cell = (surface: string, difference: number, interval: Interval | null, more: Partial<QualityCell> = {}): QualityCell => ({
  surface,
  task: 'click',
  metric: 'auc',
  champion: 0.7,
  challenger: 0.7 + difference,
  difference,
  interval,
  verdict: null,
  ...more,
});
const around = (difference: number, half: number): Interval => ({ low: difference - half, high: difference + half });
const AUC = { metric: 'auc', margin: 0.002, tasks: ['click'] } as const;
const NE = { metric: 'ne', margin: 0.002, tasks: ['click'] } as const;

describe('quality', () => {
  it('fails where the interval shows a loss beyond the margin, naming surface, task and numbers', () => {
    const checks = qualityChecks(AUC, [cell('home', 0.01, around(0.01, 0.002)), cell('search', -0.01, around(-0.01, 0.002)), cell('related', -0.005, around(-0.005, 0.001))]);
    expect(checks.map(({ passed, surface, task }) => [passed, surface, task])).toEqual([
      [false, 'search', 'click'],
      [false, 'related', 'click'],
    ]);
    expect(checks[0]!.text).toBe('search, click: AUC 0.7000 → 0.6900, −0.0100 [−0.0120, −0.0080]: a loss of more than 0.002 is shown');
  });

  it.each<[string, number, Interval | null, boolean]>([
    ['a gain', 0.01, around(0.01, 0.001), true],
    ['a loss that is not shown', -0.01, around(-0.01, 0.02), true],
    ['a loss within the margin', -0.0015, around(-0.0015, 0.001), true],
    ['a loss whose interval begins at the margin', -0.003, { low: -0.004, high: -0.002 }, true],
    ['a loss just beyond it', -0.0031, { low: -0.004, high: -0.0021 }, false],
    ['too few users for an interval', -0.2, null, true],
  ])('of AUC: %s', (_, difference, interval, passed) => {
    expect(qualityChecks(AUC, [cell('home', difference, interval)]).map((check) => check.passed)).toEqual([passed]);
  });

  it.each<[string, number, Interval | null, boolean]>([
    ['a gain', -0.01, around(-0.01, 0.001), true],
    ['a loss', 0.01, around(0.01, 0.001), false],
    ['a loss that is not shown', 0.01, around(0.01, 0.02), true],
    ['a loss within the margin', 0.0015, around(0.0015, 0.001), true],
  ])('of NE, where lower is better: %s', (_, difference, interval, passed) => {
    expect(qualityChecks(NE, [cell('home', difference, interval, { metric: 'ne' })]).map((check) => check.passed)).toEqual([passed]);
  });

  it('looks at the declared metric and tasks, and at surfaces: overall is their mixture', () => {
    const lost = around(-0.5, 0.01);
    const others = [cell('overall', -0.5, lost), cell('home', -0.5, lost, { task: 'save' }), cell('home', 0.5, around(0.5, 0.01), { metric: 'ne' })];
    expect(qualityChecks(AUC, others)).toEqual([]);
    expect(qualityChecks(AUC, [...others, cell('search', 0, around(0, 0.01))]).map(({ surface }) => surface)).toEqual(['search']);
    expect(qualityChecks(undefined, others)).toEqual([]);
  });

  it('tells the worst surface when all pass', () => {
    const passed = qualityChecks(AUC, [cell('home', 0.02, around(0.02, 0.01)), cell('search', -0.001, around(-0.001, 0.01)), cell('related', 0, null)]);
    expect(passed).toHaveLength(1);
    expect(passed[0]).toMatchObject({ passed: true, surface: 'search', clocked: false });
    expect(passed[0]!.text).toContain('no loss of more than 0.002 is shown');
    const ne = qualityChecks(NE, [cell('home', 0.001, null, { metric: 'ne' }), cell('search', -0.1, null, { metric: 'ne' })]);
    expect(ne[0]!.surface).toBe('home');
    expect(ne[0]!.text).toContain('NE 0.7000 → 0.7010, +0.0010 (too few users for an interval)');
  });

  it('finds a worse model by its predictions, and no fault with a better one', () => {
    const [coarse, fine] = [simulatedPredictions({ noise: 3 }), simulatedPredictions({ noise: 0.2 })];
    const limit = { metric: 'auc', margin: 0.002, tasks: ['click', 'save'] } as const;
    const worse = qualityChecks(limit, qualityCells(comparePredictions(fine, coarse, { bootstrap: { replicates: 50 } })));
    expect(worse.length).toBeGreaterThan(1);
    expect(worse.every(({ passed }) => !passed)).toBe(true);
    expect(qualityChecks(limit, qualityCells(comparePredictions(coarse, fine, { bootstrap: { replicates: 50 } }))).map(({ passed }) => passed)).toEqual([true]);
  });
});

describe('gain', () => {
  const overall = (verdict: QualityCell['verdict']): readonly QualityCell[] => [cell('home', 1, null, { verdict: 'better' }), cell('overall', 0.01, around(0.01, 0.005), { verdict }), cell('overall', 0.01, null, { task: 'save', verdict: 'better' })];

  it('must be shown for the first task over all surfaces, where it is wanted', () => {
    expect(gainChecks(true, overall('better'), 'click')).toMatchObject([{ limit: 'gain', passed: true, task: 'click' }]);
    for (const verdict of ['no difference', 'worse', null] as const) {
      const [check] = gainChecks(true, overall(verdict), 'click');
      expect(check).toMatchObject({ passed: false });
      expect(check!.text).toContain('no gain is shown');
    }
    expect(gainChecks(false, overall('worse'), 'click')).toEqual([]);
    expect(gainChecks(true, [], 'click')).toEqual([]);
  });
});

describe('chance', () => {
  it('is what shuffled labels come to, and no trained model', () => {
    const good = simulatedPredictions({ noise: 0.2, requests: 300 });
    const [click, save] = good.tasks;
    // Search's labels in another order, among its rows.
    const rows = Array.from({ length: good.count }, (_, row) => row).filter((row) => good.surfaceNames[good.surfaces[row]!] === good.surfaceNames[1]);
    const labels = click!.labels.slice();
    rows.forEach((row, place) => {
      labels[row] = click!.labels[rows[(place * 7 + 3) % rows.length]!]!;
    });
    const shuffled = { ...good, tasks: [{ ...click!, labels }, save!] };
    const bootstrap = { replicates: 100 };
    expect(chanceChecks(true, evaluatePredictions(good, { bootstrap }), 'click').map(({ passed, surface }) => [passed, surface])).toEqual(good.surfaceNames.map((name) => [true, name]));
    const checks = chanceChecks(true, evaluatePredictions(shuffled, { bootstrap }), 'click');
    expect(checks.map(({ passed, surface }) => [passed, surface])).toEqual(good.surfaceNames.map((name, index) => [index !== 1, name]));
    expect(checks[1]!.text).toMatch(/AUC 0\.\d{4} \[0\.\d{4}, 0\.\d{4}\] is not shown to be above chance/u);
    expect(chanceChecks(false, evaluatePredictions(shuffled, { bootstrap }), 'click')).toEqual([]);
  });

  it('cannot be told from an AUC without an interval', () => {
    const [check] = chanceChecks(true, evaluatePredictions(simulatedPredictions({ requests: 60 })), 'click');
    expect(check).toMatchObject({ passed: true });
    expect(check!.text).toContain('too few users');
  });
});

const viewType = (name: string, ratio: number | null, interval: Interval | null): SliceEvaluation => ({
  scope: 'viewType',
  name,
  surface: name.split('/')[0]!,
  rows: 10,
  positives: 2,
  baseRate: 0.2,
  users: 5,
  requests: 5,
  metrics: { ...forEachMetric(() => null), calibrationRatio: ratio },
  intervals: { ...forEachMetric(() => null), calibrationRatio: interval },
  gaucGroups: null,
  aucErrorBound: 0,
  reliability: [],
});
const evaluationOf = (...viewTypes: readonly SliceEvaluation[]): Evaluation => ({ method: 'exact', gaucBy: 'user', bootstrap: null, tasks: [{ task: 'click', overall: viewType('overall', 1, null), surfaces: [], viewTypes }] });

describe('calibration', () => {
  it.each<[string, number, Interval | null, boolean]>([
    ['within', 1.05, around(1.05, 0.01), true],
    ['above, not shown', 1.3, around(1.3, 0.25), true],
    ['above', 1.3, around(1.3, 0.1), false],
    ['below', 0.7, around(0.7, 0.1), false],
    ['below, not shown', 0.7, around(0.7, 0.25), true],
    ['without an interval', 3, null, true],
  ])('%s', (_, ratio, interval, passed) => {
    expect(calibrationChecks({ within: 0.1 }, evaluationOf(viewType('home/grid', ratio, interval))).map((check) => check.passed)).toEqual([passed]);
  });

  it('names each view type that fails, else the one farthest off', () => {
    const far = viewType('home/grid', 1.4, around(1.4, 0.1));
    const near = viewType('search/list', 1.08, around(1.08, 0.1));
    const low = viewType('home/list', 0.5, around(0.5, 0.1));
    expect(calibrationChecks({ within: 0.1 }, evaluationOf(near, far, low)).map(({ surface, viewType: name }) => [surface, name])).toEqual([
      ['home', 'home/grid'],
      ['home', 'home/list'],
    ]);
    const [check] = calibrationChecks({ within: 0.1 }, evaluationOf(viewType('home/grid', 1.01, around(1.01, 0.1)), near));
    expect(check).toMatchObject({ passed: true, viewType: 'search/list', text: 'search/list, click: predictions are 1.080 [0.980, 1.180] of the labels; 1 ± 0.1 is reached' });
    expect(calibrationChecks(undefined, evaluationOf(far))).toEqual([]);
    expect(calibrationChecks({ within: 0.1 }, evaluationOf())).toEqual([]);
    expect(calibrationChecks({ within: 0.1 }, evaluationOf(viewType('a', null, null)))[0]!.text).toContain('has no positives');
  });
});

describe('costs', () => {
  it.each<[string, number | undefined, number | undefined, readonly boolean[]]>([
    ['under the limit', 1, 200, [true]],
    ['at the limit', 1, 100, [true]],
    ['above the limit', 1, 99.9, [false]],
    ['no limit', undefined, 1, []],
    ['an outside model, whose costs nobody knows', 1, undefined, []],
  ])('of training: %s', (_, most, separate, passed) => {
    const checks = trainingCostChecks(most, 100, separate);
    expect(checks.map((check) => check.passed)).toEqual(passed);
    expect(checks.every(({ clocked }) => !clocked)).toBe(true);
  });

  it('say how much it is of the separate models', () => {
    expect(trainingCostChecks(1, 50, 100)[0]!.text).toBe("training FLOPs are 0.500 of the separate models', at most 1");
    expect(sizeChecks(1, 1001, 1000)[0]!.text).toBe("the exports have 1.001 of the separate models' bytes, at most 1");
    expect(sizeChecks(1, 1001, 1000)[0]).toMatchObject({ limit: 'size', passed: false });
  });

  it('of scoring are held per surface, and are a clock\'s', () => {
    const checks = latencyChecks(2, { home: { p50: 3, p99: 100 }, search: { p50: 1, p99: 1 }, related: { p50: 9, p99: 9 } }, { home: { p50: 1, p99: 1 }, search: { p50: 1, p99: 0.1 } });
    expect(checks).toMatchObject([
      { limit: 'latency', passed: false, surface: 'home', clocked: true },
      { limit: 'latency', passed: true, surface: 'search', clocked: true },
    ]);
    expect(latencyChecks(2, { home: { p50: 3, p99: 3 } }, undefined)).toEqual([]);
  });
});
