import type { Columns } from './columns.js';

/** One shard of the prepared dataset in memory; request i owns candidates `[offsets[i], offsets[i + 1])`. */
export interface Shard {
  readonly requestCount: number;
  readonly candidateCount: number;
  readonly offsets: Int32Array;
  readonly requestIds: readonly string[];
  readonly users: readonly string[];
  /** Epoch milliseconds. */
  readonly times: Float64Array;
  readonly surfaces: Int32Array;
  readonly viewTypes: Int32Array;
  readonly requestColumns: Columns;
  readonly candidateColumns: Columns;
  /** Per task, in the manifest's order: 0, 1, or NaN without a label. */
  readonly labels: readonly Float32Array[];
  readonly weights: Float32Array;
  /** True probability per task where known (simulated data). */
  readonly truths: ReadonlyMap<string, Float64Array>;
  /** Probability per task that an outside model predicted, where the project has one; NaN where it has none. */
  readonly outsides: ReadonlyMap<string, Float64Array>;
}
