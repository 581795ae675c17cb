import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { auc } from '../auc.js';
import { calibrationRatio, expectedCalibrationError, reliabilityCurve } from '../calibration.js';
import { evaluatePredictions } from '../evaluate.js';
import { groupedAuc } from '../gauc.js';
import { logLoss } from '../log-loss.js';
import { normalizedEntropy } from '../normalized-entropy.js';
import type { Predictions } from '../predictions.js';
import { normalizedDcg, reciprocalRank, requestValues } from '../ranking.js';

interface Case {
  readonly name: string;
  readonly seed: number;
  readonly count: number;
  readonly levels: number;
  readonly auc: number;
  readonly weightedAuc: number;
  readonly logLoss: number;
  readonly weightedLogLoss: number;
  readonly ne: number;
  readonly gauc: number;
  readonly gaucGroups: number;
  readonly ndcg5: number;
  readonly ndcg10: number;
  readonly mrr: number | null;
  readonly calibrationRatio: number;
  readonly weightedCalibrationRatio: number;
  readonly ece: number;
  readonly curve: { readonly observed: number[]; readonly predicted: number[]; readonly rows: number[] };
}

interface Explicit {
  readonly labels: number[];
  readonly scores: number[];
  readonly auc: number;
  readonly logLoss: number;
  readonly ndcg3: number;
  readonly ndcgAll: number;
  readonly reciprocalRankSampled: number;
}

const stored = JSON.parse(readFileSync(new URL('sklearn_metrics.json', import.meta.url), 'utf8')) as { cases: Case[]; explicit: Explicit[] };

/** The generator of sklearn_metrics.py: mulberry32. */
const uniforms = (seed: number, count: number): Float64Array => {
  let state = seed >>> 0;
  return new Float64Array(count).map(() => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  });
};

const rowsOf = ({ seed, count, levels }: Case) => {
  const u = uniforms(seed, 3 * count);
  const scores = Float32Array.from({ length: count }, (_, i) => {
    const score = 0.01 + 0.98 * u[i]! * u[i]!;
    return levels > 0 ? (Math.floor(score * levels) + 0.5) / levels : score;
  });
  const third = u.subarray(2 * count);
  return {
    scores,
    labels: Float32Array.from({ length: count }, (_, i) => (u[count + i]! < 0.02 + 0.5 * u[i]! ? 1 : 0)),
    weights: Float64Array.from(third, (value) => 0.25 + Math.floor(value * 8)),
    users: Int32Array.from(third, (value) => Math.floor(value * Math.max(2, Math.floor(count / 12)))),
    requests: Int32Array.from({ length: count }, (_, i) => Math.floor(i / 7)),
  };
};

const near = (actual: number | null, expected: number): void => {
  expect(Math.abs(actual! - expected)).toBeLessThan(1e-9);
};

describe.each(stored.cases)('scikit-learn on $name', (expected) => {
  const { labels, scores, weights, users, requests } = rowsOf(expected);

  it('agrees on the functions over arrays', () => {
    near(auc(labels, scores), expected.auc);
    near(auc(labels, scores, weights), expected.weightedAuc);
    near(auc(labels, Float64Array.from(scores), weights), expected.weightedAuc);
    near(logLoss(labels, scores), expected.logLoss);
    near(logLoss(labels, scores, weights), expected.weightedLogLoss);
    const positives = labels.reduce((sum, label) => sum + label, 0);
    near(normalizedEntropy(logLoss(labels, scores), expected.count, positives), expected.ne);
    near(calibrationRatio(labels, scores), expected.calibrationRatio);
    near(calibrationRatio(labels, scores, weights), expected.weightedCalibrationRatio);
    near(expectedCalibrationError(labels, scores), expected.ece);
    const grouped = groupedAuc(labels, scores, users);
    near(grouped.gauc, expected.gauc);
    expect(grouped.groups).toBe(expected.gaucGroups);
    expect(grouped.leftOut).toBe(new Set(users).size - expected.gaucGroups);
  });

  it('agrees on the reliability curve', () => {
    const curve = reliabilityCurve(labels, scores);
    expect(curve.map((bin) => bin.rows)).toEqual(expected.curve.rows);
    curve.forEach((bin, i) => {
      near(bin.predicted, expected.curve.predicted[i]!);
      near(bin.observed, expected.curve.observed[i]!);
    });
  });

  it('agrees on the evaluation of predictions', () => {
    const predictions: Predictions = {
      count: expected.count,
      surfaceNames: ['all'],
      viewTypeNames: ['all'],
      surfaces: new Int32Array(expected.count),
      viewTypes: new Int32Array(expected.count),
      users,
      requests,
      tasks: [{ task: 'click', labels, probabilities: scores }],
    };
    const { metrics, gaucGroups } = evaluatePredictions(predictions).tasks[0]!.overall;
    near(metrics.auc, expected.auc);
    near(metrics.gauc, expected.gauc);
    expect(gaucGroups?.groups).toBe(expected.gaucGroups);
    near(metrics.logLoss, expected.logLoss);
    near(metrics.ne, expected.ne);
    near(metrics.calibrationRatio, expected.calibrationRatio);
    near(metrics.ece, expected.ece);
    near(metrics['ndcg@5'], expected.ndcg5);
    near(metrics['ndcg@10'], expected.ndcg10);
    if (expected.mrr !== null) near(metrics.mrr, expected.mrr);
  });
});

describe.each(stored.explicit)('scikit-learn on labels $labels, scores $scores', (expected) => {
  // Float64, as scikit-learn was given: the clipping of 0 and 1 depends on the type.
  const scores = Float64Array.from(expected.scores);

  it('agrees', () => {
    near(auc(expected.labels, scores), expected.auc);
    near(logLoss(expected.labels, scores), expected.logLoss);
    const offsets = [0, scores.length];
    near(requestValues(expected.labels, scores, offsets, normalizedDcg(3))[0]!, expected.ndcg3);
    near(requestValues(expected.labels, scores, offsets, normalizedDcg(scores.length))[0]!, expected.ndcgAll);
    // 200,000 random tie orders: a standard error below 0.0007.
    expect(requestValues(expected.labels, scores, offsets, reciprocalRank)[0]).toBeCloseTo(expected.reciprocalRankSampled, 2);
  });
});
