/**
 * The prepared dataset on disk.
 *
 * ```
 * prepared/
 *   manifest.json                          the PreparedManifest
 *   {train,validation,test}/requests-00000.parquet     request columns, once per request
 *   {train,validation,test}/candidates-00000.parquet   candidate columns, once per candidate, in request order
 *   raw/<surface>.parquet                  raw held-out rows, for export parity
 *   merge-report.json
 *   quarantine.parquet                     bad rows with the reason, when the policy is `quarantine`
 * ```
 *
 * Request files: `@request_id` VARCHAR, `@user_id` VARCHAR, `@time` BIGINT (epoch ms), `@surface` and `@view_type`
 * INTEGER (indices), `@candidate_offset` and `@candidate_count` INTEGER (into the candidates file of the same number),
 * then one column per request-side ColumnState. Candidate files: one column per candidate-side ColumnState,
 * `label.<task>` FLOAT (NULL: no label), `truth.<task>` DOUBLE where known, `outside.<task>` DOUBLE where an outside model
 * has predicted the task, `@weight` FLOAT. The `@` lets a feature be called `user_id` or `time`. Column types: `id` INTEGER, `ids` INTEGER[], `number` FLOAT (NULL: missing), `vector`
 * FLOAT[] (NULL: missing). Shards are in time order, and so are the requests of validation and test; those of a training
 * shard are by user, then in time order.
 */
import type { EncoderSet } from './encoder-state.js';

export const SPLITS = ['train', 'validation', 'test'] as const;
export type Split = (typeof SPLITS)[number];

/** A file of the dataset, relative to its folder. */
export interface FileEntry {
  readonly path: string;
  readonly bytes: number;
  readonly sha256: string;
}

export interface ShardEntry {
  readonly requests: FileEntry;
  readonly candidates: FileEntry;
  readonly requestCount: number;
  readonly candidateCount: number;
}

export interface SurfaceCounts {
  readonly requests: number;
  readonly candidates: number;
  /** Positives per task. */
  readonly positives: Readonly<Record<string, number>>;
  /** Labelled candidates per task. */
  readonly labelled: Readonly<Record<string, number>>;
}

export interface PreparedManifest {
  readonly version: 1;
  readonly project: string;
  /** SHA-256 over the config parts that shape the data, the code's format version and the sources' fingerprints. */
  readonly key: string;
  /** What the sources were: files with size and checksum, or the query. */
  readonly sources: readonly { readonly surface: string; readonly description: string; readonly files: readonly FileEntry[] }[];
  readonly encoders: EncoderSet;
  readonly tasks: readonly { readonly name: string; readonly surfaces: readonly string[]; readonly weight: number }[];
  /** Split boundaries, epoch ms. */
  readonly boundaries: { readonly from: number; readonly validation: number; readonly test: number; readonly until: number };
  readonly splits: Readonly<Record<Split, { readonly shards: readonly ShardEntry[]; readonly counts: Readonly<Record<string, SurfaceCounts>> }>>;
  /** Negative down-sampling per surface: predictions of `task` are corrected by `logit += log(rate)`. */
  readonly sampling: Readonly<Record<string, { readonly task: string; readonly rate: number }>>;
  readonly rawRows: Readonly<Record<string, FileEntry>>;
  readonly quarantined: number;
}
