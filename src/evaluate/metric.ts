import type { RequestValue } from './ranking.js';
import type { Draws, Sample, Sums } from './sample.js';

/** What a metric may be told. */
export interface MetricSettings {
  /** Groups GAUC is computed within. */
  readonly gaucBy: 'user' | 'request';
  /** Equal-mass bins of the expected calibration error. */
  readonly eceBins: number;
}

/**
 * A metric bound to one sample. `draws` says how often each of the sample's users was drawn in a bootstrap replicate;
 * null means the sample as it is. NaN where the metric is undefined, e.g. AUC with one class only.
 */
export type Statistic = (draws: Draws | null) => number;

/** One way to judge predictions. Adding one takes a file that exports a `Metric` and a line in `metrics.ts`. */
export interface Metric {
  /** Heading in tables. */
  readonly title: string;
  /** Which way is better; null where the metric only describes, and is left out of comparisons. */
  readonly better: 'higher' | 'lower' | null;
  /** Whether bootstrap replicates of it make a meaningful interval. */
  readonly resampled: boolean;
  /** Does the work that all replicates share (sorting, sums per user) and returns the statistic. */
  readonly prepare: (sample: Sample, settings: MetricSettings) => Statistic;
  /** For metrics that sums over rows determine, which makes them exact when streaming too; see {@link sumsMetric}. */
  readonly ofSums?: (sums: Sums) => number;
  /** For metrics that are means over requests, which makes them exact when streaming too. */
  readonly ofRequest?: RequestValue;
}

/** A metric that is a function of sums over rows. */
export const sumsMetric = (title: string, better: Metric['better'], ofSums: (sums: Sums) => number): Metric => ({
  title,
  better,
  resampled: true,
  prepare: (sample) => (draws) => ofSums(sample.sums(draws)),
  ofSums,
});
