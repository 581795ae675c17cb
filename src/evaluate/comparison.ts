import type { BootstrapInfo, Interval } from './bootstrap.js';
import type { MetricName, MetricValues } from './metrics.js';
import type { BySlice, Scope } from './slices.js';

/** What the interval of a difference says about the second model. */
export type Verdict = 'better' | 'worse' | 'no difference';

/** One metric of two models on the same rows. */
export interface MetricDifference {
  readonly a: number | null;
  readonly b: number | null;
  /** b − a. */
  readonly difference: number | null;
  /** Percentile interval of the difference; null where the metric has none. */
  readonly interval: Interval | null;
  /** The interval excludes 0. */
  readonly significant: boolean;
  /** About b against a; null without an interval. */
  readonly verdict: Verdict | null;
}

export interface SliceComparison {
  readonly scope: Scope;
  readonly name: string;
  readonly surface: string | null;
  readonly rows: number;
  readonly positives: number;
  readonly users: number;
  /** Every metric that has a better direction; null where it is undefined on this slice. */
  readonly metrics: Readonly<Partial<Record<MetricName, MetricDifference>>>;
  /** All metrics of each model, descriptive ones included. */
  readonly a: MetricValues;
  readonly b: MetricValues;
}

export type TaskComparison = BySlice<SliceComparison>;

/** Plain JSON. */
export interface Comparison {
  /** Names of the two models; differences are b − a. */
  readonly a: string;
  readonly b: string;
  readonly bootstrap: BootstrapInfo;
  readonly tasks: readonly TaskComparison[];
}
