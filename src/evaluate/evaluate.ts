import {
  countUsers,
  forEachReplicate,
  percentileInterval,
  resampleUsers,
  type BootstrapOptions,
  type Interval,
  type Resamples,
} from './bootstrap.js';
import { reliabilityOfSample } from './calibration.js';
import type { Evaluation, SliceEvaluation } from './evaluation.js';
import { groupCoverage } from './gauc.js';
import type { MetricSettings, Statistic } from './metric.js';
import { forEachMetric, METRIC_NAMES, METRICS, orNull, type MetricName } from './metrics.js';
import type { Predictions } from './predictions.js';
import { labelledRows, Sample } from './sample.js';
import { bySlice, slicesOf } from './slices.js';

export interface EvaluateOptions {
  /** Confidence intervals, resampled by user. Default: none. */
  readonly bootstrap?: BootstrapOptions | boolean;
  /** Groups GAUC is computed within. Default `user`. */
  readonly gaucBy?: 'user' | 'request';
  /** Equal-mass bins of ECE and the reliability curve. Default 10. */
  readonly eceBins?: number;
}

/** Settings with their defaults. */
export const metricSettings = ({ gaucBy = 'user', eceBins = 10 }: Pick<EvaluateOptions, 'gaucBy' | 'eceBins'>): MetricSettings => ({
  gaucBy,
  eceBins,
});

type Measures = Omit<SliceEvaluation, 'scope' | 'name' | 'surface'>;

const intervalsOf = (
  sample: Sample,
  statistics: Readonly<Record<MetricName, Statistic>>,
  resamples: Resamples,
): Readonly<Record<MetricName, Interval | null>> => {
  const { replicates, level } = resamples.info;
  const names = METRIC_NAMES.filter((name) => METRICS[name].resampled && Number.isFinite(statistics[name](null)));
  const values = new Map(names.map((name) => [name, new Float64Array(replicates)]));
  forEachReplicate(resamples, sample, (draws, replicate) => {
    for (const [name, of] of values) of[replicate] = statistics[name](draws);
  });
  return forEachMetric((name) => {
    const of = values.get(name);
    return of === undefined ? null : percentileInterval(of, level, sample.userCount);
  });
};

const measure = (sample: Sample, settings: MetricSettings, resamples: Resamples | null): Measures => {
  const statistics = forEachMetric((_, metric) => metric.prepare(sample, settings));
  const { rows, positives } = sample.sums(null);
  return {
    rows,
    positives,
    baseRate: rows === 0 ? 0 : positives / rows,
    users: sample.userCount,
    requests: sample.requestCount,
    metrics: forEachMetric((name) => orNull(statistics[name](null))),
    ...(resamples === null ? {} : { intervals: intervalsOf(sample, statistics, resamples) }),
    gaucGroups: groupCoverage(sample, settings.gaucBy),
    aucErrorBound: 0,
    reliability: reliabilityOfSample(sample, settings.eceBins),
  };
};

/**
 * Every metric per task: overall, per surface and per view type, exact.
 *
 * @throws DataError for a label outside {0, 1, NaN}, or a labelled row whose probability is not in [0, 1].
 * @throws UsageError for bootstrap options out of range.
 */
export const evaluatePredictions = (predictions: Predictions, options: EvaluateOptions = {}): Evaluation => {
  const { bootstrap = false } = options;
  const settings = metricSettings(options);
  const resamples =
    bootstrap === false ? null : resampleUsers(countUsers(predictions.users), bootstrap === true ? {} : bootstrap);
  const tasks = predictions.tasks.map((task) => {
    // A surface with one view type is the same rows twice: measured once.
    const measured = new Map<Int32Array, Measures>();
    const slices = slicesOf(predictions, labelledRows(predictions, task)).map(({ rows, ...slice }) => {
      let measures = measured.get(rows);
      if (measures === undefined) {
        measures = measure(new Sample(predictions, task, rows), settings, resamples);
        measured.set(rows, measures);
      }
      return { ...slice, ...measures };
    });
    return bySlice(task.task, slices);
  });
  return { method: 'exact', gaucBy: settings.gaucBy, bootstrap: resamples?.info ?? null, tasks };
};
