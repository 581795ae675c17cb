/** Names and types of a shard file's columns, which its writer and its reader share. */
import type { ColumnType } from './duckdb.js';
import type { ColumnState } from './encoder-state.js';

/** Fixed columns; the `@` keeps them apart from features, which may be called `user_id`. */
export const SHARD = {
  requestId: '@request_id',
  userId: '@user_id',
  time: '@time',
  surface: '@surface',
  viewType: '@view_type',
  candidateOffset: '@candidate_offset',
  candidateCount: '@candidate_count',
  weight: '@weight',
} as const;

export interface FileColumn {
  readonly name: string;
  readonly type: ColumnType;
}

/** The file column of an encoded one. */
export const encodedFileColumn = ({ name, kind }: ColumnState): FileColumn => {
  const types = { id: 'INTEGER', ids: 'INTEGER[]', number: 'FLOAT', vector: 'FLOAT[]' } as const;
  return { name, type: types[kind] };
};

/** Fixed columns of request files, in order. */
export const REQUEST_FILE_COLUMNS: readonly FileColumn[] = [
  { name: SHARD.requestId, type: 'VARCHAR' },
  { name: SHARD.userId, type: 'VARCHAR' },
  { name: SHARD.time, type: 'BIGINT' },
  { name: SHARD.surface, type: 'INTEGER' },
  { name: SHARD.viewType, type: 'INTEGER' },
  { name: SHARD.candidateOffset, type: 'INTEGER' },
  { name: SHARD.candidateCount, type: 'INTEGER' },
];
