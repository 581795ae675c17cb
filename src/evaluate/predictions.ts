/** Scored rows in memory, column-wise: what metrics and comparisons are computed from. */
export interface Predictions {
  readonly count: number;
  /** Surface and view-type names by index. */
  readonly surfaceNames: readonly string[];
  readonly viewTypeNames: readonly string[];
  /** Per row. */
  readonly surfaces: Int32Array;
  readonly viewTypes: Int32Array;
  /** Dense index of the row's user and request; rows of a request are contiguous. */
  readonly users: Int32Array;
  readonly requests: Int32Array;
  readonly tasks: readonly TaskPredictions[];
}

export interface TaskPredictions {
  readonly task: string;
  /** 0, 1, or NaN without a label (such rows are left out of the task's metrics). */
  readonly labels: Float32Array;
  /** Predicted probability; NaN on surfaces that lack the task. */
  readonly probabilities: Float32Array;
  /** True probability, where the data is simulated. */
  readonly truths?: Float64Array;
}
