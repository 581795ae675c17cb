/**
 * Fitted encoders as plain JSON: stored in the prepared dataset's manifest and in every export, so that training,
 * parity replay and serving encode with the same numbers. `encode.ts` is the one code path that applies them.
 */

/** Rows every embedding table starts with. */
export const ABSENT_ROW = 0;
export const MISSING_ROW = 1;
export const UNKNOWN_ROW = 2;
export const FIRST_VALUE_ROW = 3;

/** Row space of one embedding table, shared by every feature that names it. */
export type TableState =
  /** Row `FIRST_VALUE_ROW + i` is `values[i]`; most frequent first, ties in value order. */
  | { readonly type: 'vocabulary'; readonly name: string; readonly rows: number; readonly values: readonly string[] }
  /** Row `FIRST_VALUE_ROW + hash(value) % buckets`. */
  | { readonly type: 'hash'; readonly name: string; readonly rows: number; readonly buckets: number }
  /** Row `FIRST_VALUE_ROW + number of boundaries ≤ value`. */
  | { readonly type: 'bucket'; readonly name: string; readonly rows: number; readonly boundaries: readonly number[] }
  /** Row `FIRST_VALUE_ROW + min(floor(log2(1 + minutes)), rows − 4)`. */
  | { readonly type: 'time_gap'; readonly name: string; readonly rows: number };

/** Maps a raw number to the encoded one. */
export type NumberState =
  | { readonly type: 'affine'; readonly log: boolean; readonly mean: number; readonly deviation: number }
  | { readonly type: 'quantile'; readonly quantiles: readonly number[] };

/** How one encoded column is made. Name: the feature's, or `sequence.field`. */
export type ColumnState = {
  readonly name: string;
  readonly feature: string;
  readonly side: 'request' | 'candidate';
  /** Surfaces that have it; on the others every row is absent. */
  readonly surfaces: readonly string[];
  /** Raw value used instead of the row's at serving. */
  readonly serveAs?: string | number;
} & (
  | { readonly kind: 'id'; readonly table: string }
  | { readonly kind: 'ids'; readonly table: string; readonly pooling: 'sum' | 'mean' | 'max'; readonly maxLength: number; readonly keep: 'first' | 'last' }
  | { readonly kind: 'number'; readonly encoding: NumberState }
  | { readonly kind: 'vector'; readonly size: number }
);

/** Everything needed to encode raw rows. */
export interface EncoderSet {
  readonly tables: readonly TableState[];
  readonly columns: readonly ColumnState[];
  /** In surface-index order. */
  readonly surfaces: readonly string[];
  /** `surface/viewType` in view-type-index order; index 0 is the view type never seen, for any surface. */
  readonly viewTypes: readonly string[];
}
