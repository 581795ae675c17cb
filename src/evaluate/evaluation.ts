import type { BootstrapInfo, Interval } from './bootstrap.js';
import type { ReliabilityBin } from './calibration.js';
import type { MetricName, MetricValues } from './metrics.js';
import type { BySlice, Scope } from './slices.js';

/** Metrics of one task on one slice. */
export interface SliceEvaluation {
  readonly scope: Scope;
  /** `overall`, or the name of the surface or view type. */
  readonly name: string;
  /** The surface of a surface or view-type slice; null overall. */
  readonly surface: string | null;
  /** Rows that have a label. */
  readonly rows: number;
  readonly positives: number;
  /** Positives per row. */
  readonly baseRate: number;
  readonly users: number | null;
  readonly requests: number;
  readonly metrics: MetricValues;
  /** Only when asked for; null for metrics without one. */
  readonly intervals?: Readonly<Record<MetricName, Interval | null>>;
  /** Users (or requests) GAUC is made of, and those left out because all their labels are the same. */
  readonly gaucGroups: { readonly groups: number; readonly leftOut: number } | null;
  /** The exact AUC is within this of `metrics.auc`: 0 unless streamed. */
  readonly aucErrorBound: number;
  /** Predicted against observed rate in equal-mass bins. */
  readonly reliability: readonly ReliabilityBin[];
}

/** Slices are the surfaces and view types that have labelled rows. */
export type TaskEvaluation = BySlice<SliceEvaluation>;

/** Plain JSON. */
export interface Evaluation {
  /** `streaming`: AUC and ECE from histograms; GAUC and intervals not available. */
  readonly method: 'exact' | 'streaming';
  readonly gaucBy: 'user' | 'request';
  readonly bootstrap: BootstrapInfo | null;
  readonly tasks: readonly TaskEvaluation[];
}
