import { aucMetric } from './auc.js';
import { calibrationErrorMetric, calibrationRatioMetric, eceMetric } from './calibration.js';
import { excessMetric, floorMetric, truthCalibrationMetric } from './distance-from-truth.js';
import { gaucMetric } from './gauc.js';
import { logLossMetric } from './log-loss.js';
import type { Metric } from './metric.js';
import { normalizedEntropyMetric } from './normalized-entropy.js';
import { mrrMetric, ndcgMetric } from './ranking.js';

/** Every metric, by the name it has in JSON. To add one: write its file and a line here. */
export const METRICS = {
  auc: aucMetric,
  gauc: gaucMetric,
  logLoss: logLossMetric,
  ne: normalizedEntropyMetric,
  calibrationRatio: calibrationRatioMetric,
  calibrationError: calibrationErrorMetric,
  ece: eceMetric,
  mrr: mrrMetric,
  'ndcg@5': ndcgMetric(5),
  'ndcg@10': ndcgMetric(10),
  floor: floorMetric,
  excess: excessMetric,
  truthCalibration: truthCalibrationMetric,
} as const satisfies Record<string, Metric>;

export type MetricName = keyof typeof METRICS;

export const METRIC_NAMES = Object.keys(METRICS) as readonly MetricName[];

/** A value per metric; null where the metric is undefined. */
export type MetricValues = Readonly<Record<MetricName, number | null>>;

/** Builds one entry per metric. */
export const forEachMetric = <T>(make: (name: MetricName, metric: Metric) => T): Readonly<Record<MetricName, T>> =>
  Object.fromEntries(METRIC_NAMES.map((name) => [name, make(name, METRICS[name])])) as Record<MetricName, T>;

/** Null in place of a value that is undefined (NaN) or unbounded. */
export const orNull = (value: number): number | null => (Number.isFinite(value) ? value : null);
