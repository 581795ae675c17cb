import { describe, expect, it } from 'vitest';
import { simulatedPredictions } from '../../test/fixtures/simulated-predictions.js';
import { DataError } from '../config/errors.js';
import { comparePredictions } from './compare.js';
import { evaluatePredictions } from './evaluate.js';
import type { Predictions } from './predictions.js';

const coarse = simulatedPredictions({ noise: 3 });
const fine = simulatedPredictions({ noise: 0.2 });
const bootstrap = { replicates: 100 };

describe('comparePredictions', () => {
  const comparison = comparePredictions(coarse, fine, { bootstrap, names: ['separate', 'unified'] });
  const { metrics } = comparison.tasks[0]!.overall;

  it('says which model is better, whichever way the metric points', () => {
    for (const name of ['auc', 'gauc', 'logLoss', 'ne', 'excess'] as const) {
      const { difference, significant, verdict } = metrics[name]!;
      expect([name, verdict, significant]).toEqual([name, 'better', true]);
      expect(Math.sign(difference!)).toBe(name === 'auc' || name === 'gauc' ? 1 : -1);
    }
    const mirrored = comparePredictions(fine, coarse, { bootstrap }).tasks[0]!.overall.metrics;
    expect(mirrored.auc!.verdict).toBe('worse');
    expect(mirrored.auc!.difference).toBe(-metrics.auc!.difference!);
  });

  it('covers the difference of the two evaluations, on every slice', () => {
    const [a, b] = [evaluatePredictions(coarse), evaluatePredictions(fine)];
    for (const [index, surface] of comparison.tasks[0]!.surfaces.entries()) {
      const { difference, interval } = surface.metrics.ne!;
      expect(difference).toBe(b.tasks[0]!.surfaces[index]!.metrics.ne! - a.tasks[0]!.surfaces[index]!.metrics.ne!);
      expect(interval!.low).toBeLessThan(difference!);
      expect(interval!.high).toBeGreaterThan(difference!);
    }
    expect(comparison.tasks[0]!.viewTypes).toHaveLength(6);
    expect(comparison.tasks[1]!.surfaces).toHaveLength(2);
  });

  it('is exactly 0 for a model and itself', () => {
    for (const { overall, surfaces, viewTypes } of comparePredictions(fine, fine, { bootstrap }).tasks) {
      for (const slice of [overall, ...surfaces, ...viewTypes]) {
        for (const { difference, interval, significant, verdict } of Object.values(slice.metrics)) {
          expect([difference, significant]).toEqual([0, false]);
          if (interval !== null) expect([interval, verdict]).toEqual([{ low: 0, high: 0 }, 'no difference']);
        }
      }
    }
  });

  it('is narrower than comparing two intervals of unrelated resamples', () => {
    const close = simulatedPredictions({ noise: 0.4 });
    const paired = comparePredictions(fine, close, { bootstrap }).tasks[0]!.overall.metrics;
    const [a, b] = [fine, close].map((model) => evaluatePredictions(model, { bootstrap }).tasks[0]!.overall.intervals!);
    for (const name of ['auc', 'logLoss', 'ne'] as const) {
      const width = ({ low, high }: { low: number; high: number }): number => high - low;
      expect(width(paired[name]!.interval!)).toBeLessThan(Math.hypot(width(a![name]!), width(b![name]!)) / 2);
    }
  });

  it('finds no difference between two equally noisy models, most of the time', () => {
    const seeds = Array.from({ length: 20 }, (_, seed) => seed + 1);
    const significant = seeds.filter((seed) => {
      const pair = [0.5, 0.501].map((noise) => simulatedPredictions({ seed, requests: 200, users: 40, noise }));
      return comparePredictions(pair[0]!, pair[1]!, { bootstrap }).tasks[0]!.overall.metrics.auc!.significant;
    });
    expect(significant.length).toBeLessThanOrEqual(4);
  });

  it('takes names and groups numbered in another order as the same rows', () => {
    const renumbered: Predictions = {
      ...fine,
      surfaceNames: [...fine.surfaceNames].reverse(),
      surfaces: fine.surfaces.map((surface) => 2 - surface),
      users: fine.users.map((user) => 59 - user),
      tasks: [...fine.tasks].reverse(),
    };
    expect(comparePredictions(coarse, renumbered, { bootstrap }).tasks.map(({ overall }) => overall.b)).toEqual(
      comparison.tasks.map(({ overall }) => overall.b),
    );
  });

  it('says what differs when the rows are not the same', () => {
    const changed = <K extends 'users' | 'requests' | 'surfaces' | 'viewTypes'>(key: K, row: number, value: number): Predictions => {
      const values = fine[key].slice();
      values[row] = value;
      return { ...fine, [key]: values };
    };
    const labels = fine.tasks[0]!.labels.slice();
    labels[4] = 1 - labels[4]!;
    const cases: readonly [Predictions, RegExp][] = [
      [simulatedPredictions({ requests: 10 }), /the first has \d+, the second \d+/u],
      [changed('surfaces', 3, (fine.surfaces[3]! + 1) % 3), /surface of row 3/u],
      [changed('viewTypes', 3, (fine.viewTypes[3]! + 1) % 6), /view type of row 3/u],
      [changed('users', fine.count - 1, (fine.users[fine.count - 1]! + 1) % 60), /user of row \d+/u],
      [changed('requests', fine.count - 1, 0), /request of row \d+/u],
      [{ ...fine, tasks: [{ ...fine.tasks[0]!, labels }, fine.tasks[1]!] }, /label "click" of row 4/u],
      [{ ...fine, tasks: fine.tasks.slice(1) }, /tasks: the first has click, save, the second save/u],
    ];
    for (const [other, message] of cases) {
      expect(() => comparePredictions(coarse, other)).toThrow(DataError);
      expect(() => comparePredictions(coarse, other)).toThrow(message);
    }
  });
});
