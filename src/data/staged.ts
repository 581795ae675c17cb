/**
 * The staging layout: what `prepare` leaves in its DuckDB database between reading the sources and writing shards.
 *
 * Two tables hold all surfaces and splits in the merged schema, with raw (not encoded) values. Names of fixed columns
 * start with `@`, so that a feature may be called `user_id`, `time` or `weight`.
 *
 * `staged_requests`, one row per request, stored in `@key` order:
 *
 * | column | type | |
 * | --- | --- | --- |
 * | `@key` | BIGINT | 0, 1, 2 … over the whole project, in (time, surface index, request id) order |
 * | `@surface` | INTEGER | index in `project.surfaces` |
 * | `@request_id`, `@user_id` | VARCHAR | |
 * | `@time` | BIGINT | epoch milliseconds |
 * | `@view_type` | VARCHAR | the surface's name where it declares no view type |
 * | `@split` | UTINYINT | index in `SPLITS` |
 * | `@candidates` | INTEGER | number of its candidates, at least 1 |
 * | one per request-side {@link StagedColumn} | | |
 *
 * `staged_candidates`, one row per candidate, stored in (`@key`, order in the request) order:
 *
 * | column | type | |
 * | --- | --- | --- |
 * | `@key` | BIGINT | the request's |
 * | `@surface` | INTEGER | |
 * | `@split` | UTINYINT | |
 * | one per candidate-side {@link StagedColumn} | | |
 * | `label.<task>` | FLOAT | 0, 1 or NULL; one per task, NULL on surfaces that lack it |
 * | `truth.<task>` | DOUBLE | one per task with a known true probability |
 * | `outside.<task>` | DOUBLE | one per task that an outside model has predicted |
 * | `@weight` | FLOAT | 1 |
 *
 * Both tables are physically in that order, so a scan with DuckDB's `preserve_insertion_order` (its default) and a
 * condition on `@key` or `@split` streams rows in order without sorting. A split is one contiguous range of keys.
 * A feature's column is NULL on every row of a surface that lacks it (and where the value is missing on one that has it).
 */
import type { Feature, Project } from '../config/project.js';
import type { Split } from './prepared.js';

export const STAGED_REQUESTS = 'staged_requests';
export const STAGED_CANDIDATES = 'staged_candidates';

/** Names of the fixed columns of the staging tables. */
export const STAGED = {
  key: '@key',
  surface: '@surface',
  requestId: '@request_id',
  userId: '@user_id',
  time: '@time',
  viewType: '@view_type',
  split: '@split',
  candidates: '@candidates',
  weight: '@weight',
} as const;

/** `label.<task>`. */
export const labelColumn = (task: string): string => `label.${task}`;

/** `truth.<task>`. */
export const truthColumn = (task: string): string => `truth.${task}`;

/** `outside.<task>`. */
export const outsideColumn = (task: string): string => `outside.${task}`;

/** `<sequence>.<field>`: VARCHAR[] in staging; also the name of the encoded column. */
export const fieldColumn = (sequence: string, field: string): string => `${sequence}.${field}`;

/** `<sequence>.@time`: BIGINT[], epoch ms of each event, oldest first. */
export const eventTimeColumn = (sequence: string): string => `${sequence}.@time`;

/** Type of a raw value in the merged schema, whatever its source's type was. */
export type StagedType =
  /** `categorical`. Numbers are written as JavaScript's `String(value)` writes them (`1`, not `1.0`). */
  | 'VARCHAR'
  /** `multi` and id fields of sequences; elements may be NULL. */
  | 'VARCHAR[]'
  /** `number`; finite. */
  | 'DOUBLE'
  /** `vector`; `size` finite elements. */
  | 'FLOAT[]'
  /** Event times of a sequence, epoch milliseconds. */
  | 'BIGINT[]';

/** One raw feature column of a staging table. */
export interface StagedColumn {
  readonly name: string;
  readonly feature: string;
  readonly side: 'request' | 'candidate';
  readonly type: StagedType;
}

/** A split's part of the staging tables. */
export interface StagedSplit {
  /** Keys `[firstKey, firstKey + requests)`. */
  readonly firstKey: number;
  readonly requests: number;
  readonly candidates: number;
}

/** The staging tables of one `prepare`, complete and checked. */
export interface StagedTables {
  readonly columns: readonly StagedColumn[];
  readonly splits: Readonly<Record<Split, StagedSplit>>;
  /** Split boundaries, epoch ms. */
  readonly boundaries: { readonly from: number; readonly validation: number; readonly test: number; readonly until: number };
}

const columnsOf = (feature: Feature): readonly StagedColumn[] => {
  const column = (name: string, type: StagedType): StagedColumn => ({ name, feature: feature.name, side: feature.side, type });
  switch (feature.kind) {
    case 'categorical':
      return [column(feature.name, 'VARCHAR')];
    case 'multi':
      return [column(feature.name, 'VARCHAR[]')];
    case 'number':
      return [column(feature.name, 'DOUBLE')];
    case 'vector':
      return [column(feature.name, 'FLOAT[]')];
    case 'sequence': {
      const fields = feature.fields.filter((field) => field.kind === 'id').map((field) => column(fieldColumn(feature.name, field.name), 'VARCHAR[]'));
      const timed = feature.events !== undefined || feature.time !== undefined;
      return timed ? [...fields, column(eventTimeColumn(feature.name), 'BIGINT[]')] : fields;
    }
  }
};

/**
 * Raw columns of the merged schema, in feature order. A sequence gives one column per id field, and its event times
 * where it has them (`events`, or in-row with `time`); `time_gap` fields are computed from those when encoding.
 * Sequences hold at most their newest `length` events, oldest first; a request without history has an empty list.
 */
export const stagedColumns = (project: Project): readonly StagedColumn[] => project.features.flatMap(columnsOf);
