import { describe, expect, it } from 'vitest';
import { simulatedPredictions } from '../../test/fixtures/simulated-predictions.js';
import { auc } from './auc.js';
import { countUsers, forEachReplicate, percentileInterval, resampleUsers } from './bootstrap.js';
import { evaluatePredictions, metricSettings } from './evaluate.js';
import { groupedAuc } from './gauc.js';
import { logLoss } from './log-loss.js';
import { METRIC_NAMES, METRICS } from './metrics.js';
import { labelledRows, Sample } from './sample.js';
import { slicesOf } from './slices.js';

describe('resampleUsers', () => {
  it('draws as many users as there are, in every replicate', () => {
    const { counts } = resampleUsers(1000, { replicates: 50, seed: 3 });
    for (const drawn of counts) expect(drawn.reduce((sum, count) => sum + count, 0)).toBe(1000);
    const absent = counts.flatMap((drawn) => [...drawn]).filter((count) => count === 0).length / 50_000;
    expect(absent).toBeCloseTo(Math.exp(-1), 2);
  });
});

describe('a replicate', () => {
  // Ties and an odd number of replicates: the last block of lanes is not full.
  const predictions = simulatedPredictions({ requests: 200, users: 30, levels: 50 });
  const task = predictions.tasks[0]!;
  const resamples = resampleUsers(countUsers(predictions.users), { replicates: 7 });

  it.each(slicesOf(predictions, labelledRows(predictions, task)))('of $name equals the metrics of its rows, copied out', ({ rows }) => {
    const sample = new Sample(predictions, task, rows);
    const statistics = METRIC_NAMES.map((name) => [name, METRICS[name].prepare(sample, metricSettings({}))] as const);
    const seen: number[] = [];
    forEachReplicate(resamples, sample, (draws, replicate) => {
      seen.push(replicate);
      // A user drawn twice is two users, as far as GAUC is concerned.
      const copies = [...rows].flatMap((row) =>
        Array.from({ length: resamples.counts[replicate]![predictions.users[row]!]! }, (_, copy) => ({ row, user: predictions.users[row]! * 8 + copy })),
      );
      const labels = Float32Array.from(copies, ({ row }) => task.labels[row]!);
      const probabilities = Float32Array.from(copies, ({ row }) => task.probabilities[row]!);
      const value = Object.fromEntries(statistics.map(([name, statistic]) => [name, statistic(draws)]));
      expect(value['auc']).toBeCloseTo(auc(labels, probabilities), 12);
      expect(value['logLoss']).toBeCloseTo(logLoss(labels, probabilities), 12);
      expect(value['gauc']).toBeCloseTo(groupedAuc(labels, probabilities, Int32Array.from(copies, ({ user }) => user)).gauc, 12);
    });
    expect(seen).toEqual([0, 1, 2, 3, 4, 5, 6]);
  });
});

describe('intervals', () => {
  it('cover the truth about as often as they say', () => {
    // Click logits are known, so the calibration ratio to expect is the ratio of sums over many worlds.
    const worlds = Array.from({ length: 60 }, (_, seed) =>
      evaluatePredictions(simulatedPredictions({ seed: seed + 1, requests: 150, users: 40, noise: 0 }), { bootstrap: { replicates: 120 } }),
    );
    const covered = worlds.filter(({ tasks }) => {
      const { low, high } = tasks[0]!.overall.intervals!.calibrationRatio!;
      return low <= 1 && high >= 1;
    });
    expect(covered.length).toBeGreaterThanOrEqual(51);
  });

  it('are null with too few users or too many undefined replicates', () => {
    expect(percentileInterval(Float64Array.of(1, 2, 3), 0.95, 9)).toBeNull();
    expect(percentileInterval(Float64Array.of(1, NaN, 3), 0.95, 100)).toBeNull();
    expect(percentileInterval(Float64Array.of(3, 1, 2), 0.5, 100)).toEqual({ low: 1.5, high: 2.5 });
  });
});
