import { countUsers, forEachReplicate, percentileInterval, resampleUsers, type BootstrapOptions, type Interval, type Resamples } from './bootstrap.js';
import type { Comparison, MetricDifference, SliceComparison, TaskComparison, Verdict } from './comparison.js';
import { metricSettings, type EvaluateOptions } from './evaluate.js';
import type { MetricSettings } from './metric.js';
import { forEachMetric, METRIC_NAMES, METRICS, orNull, type MetricName } from './metrics.js';
import type { Predictions, TaskPredictions } from './predictions.js';
import { pairTasks } from './same-rows.js';
import { labelledRows, Sample } from './sample.js';
import { bySlice, slicesOf } from './slices.js';

export interface CompareOptions extends Pick<EvaluateOptions, 'gaucBy' | 'eceBins'> {
  readonly bootstrap?: BootstrapOptions;
  /** Names of the two models in tables. Default `a` and `b`. */
  readonly names?: readonly [string, string];
}

const verdictOf = (interval: Interval | null, better: 'higher' | 'lower'): { significant: boolean; verdict: Verdict | null } => {
  if (interval === null) return { significant: false, verdict: null };
  const significant = interval.low > 0 || interval.high < 0;
  if (!significant) return { significant, verdict: 'no difference' };
  return { significant, verdict: interval.low > 0 === (better === 'higher') ? 'better' : 'worse' };
};

type Measures = Omit<SliceComparison, 'scope' | 'name' | 'surface'>;

const measurePair = (sampleA: Sample, sampleB: Sample, settings: MetricSettings, resamples: Resamples): Measures => {
  const ofA = forEachMetric((_, metric) => metric.prepare(sampleA, settings));
  const ofB = forEachMetric((_, metric) => metric.prepare(sampleB, settings));
  const a = forEachMetric((name) => orNull(ofA[name](null)));
  const b = forEachMetric((name) => orNull(ofB[name](null)));
  const compared = METRIC_NAMES.filter((name) => METRICS[name].better !== null && a[name] !== null && b[name] !== null);
  const replicated = compared.filter((name) => METRICS[name].resampled);
  const values = new Map(replicated.map((name) => [name, new Float64Array(resamples.info.replicates)]));
  // Both samples number the same users alike, so one set of draws serves both: the comparison is paired.
  forEachReplicate(resamples, sampleA, (draws, replicate) => {
    for (const [name, of] of values) of[replicate] = ofB[name](draws) - ofA[name](draws);
  });
  const differenceOf = (name: MetricName): MetricDifference => {
    const replicates = values.get(name);
    const interval = replicates === undefined ? null : percentileInterval(replicates, resamples.info.level, sampleA.userCount);
    return { a: a[name], b: b[name], difference: b[name]! - a[name]!, interval, ...verdictOf(interval, METRICS[name].better!) };
  };
  const { rows, positives } = sampleA.sums(null);
  return {
    rows,
    positives,
    users: sampleA.userCount,
    metrics: Object.fromEntries(compared.map((name) => [name, differenceOf(name)])),
    a,
    b,
  };
};

/**
 * Compares two models on the same rows. Every bootstrap replicate draws one set of users for both models, which removes
 * what is common to them from the interval of the difference (paired cluster bootstrap, percentile).
 *
 * @throws DataError when the two do not hold the same rows, naming the first difference, or when a label or probability
 *   is out of range.
 * @throws UsageError for bootstrap options out of range.
 */
export const comparePredictions = (a: Predictions, b: Predictions, options: CompareOptions = {}): Comparison => {
  const { bootstrap, names = ['a', 'b'] } = options;
  const settings = metricSettings(options);
  const pairs = pairTasks(a, b);
  const resamples = resampleUsers(countUsers(a.users), bootstrap);
  const compareTask = (taskA: TaskPredictions, taskB: TaskPredictions): TaskComparison => {
    const measured = new Map<Int32Array, Measures>();
    labelledRows(b, taskB);
    const slices = slicesOf(a, labelledRows(a, taskA)).map(({ rows, ...slice }): SliceComparison => {
      let measures = measured.get(rows);
      if (measures === undefined) {
        measures = measurePair(new Sample(a, taskA, rows), new Sample(b, taskB, rows), settings, resamples);
        measured.set(rows, measures);
      }
      return { ...slice, ...measures };
    });
    return bySlice(taskA.task, slices);
  };
  return { a: names[0], b: names[1], bootstrap: resamples.info, tasks: pairs.map(([taskA, taskB]) => compareTask(taskA, taskB)) };
};
