import type { Columns } from './columns.js';

/**
 * A request-grouped batch: request columns once per request, candidate columns once per candidate, never expanded.
 * Requests are sorted by surface (then kept in the order they came), and a request's candidates are contiguous, so each
 * surface owns one contiguous range of requests and one of candidates.
 */
export interface Batch {
  readonly requestCount: number;
  readonly candidateCount: number;
  /** Candidate i belongs to request `rowToRequest[i]`; ascending. */
  readonly rowToRequest: Int32Array;
  /** Candidates per surface, by surface index of the whole project. */
  readonly surfaceCandidates: Int32Array;
  /** Per request. */
  readonly surfaces: Int32Array;
  /** Per request. */
  readonly viewTypes: Int32Array;
  readonly requestColumns: Columns;
  readonly candidateColumns: Columns;
  /** Per task: 0, 1, or NaN without a label. Empty when scoring. */
  readonly labels: readonly Float32Array[];
  readonly weights: Float32Array;
  /** Where each request came from: its index in the shard. */
  readonly requestIndex: Int32Array;
}
