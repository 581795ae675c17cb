/** Which rows of the tables a surface has ever looked up. */
import type { Column } from '../data/columns.js';
import { openDataset } from '../data/dataset.js';
import { createEncoder } from '../data/encode.js';
import { FIRST_VALUE_ROW, type ColumnState } from '../data/encoder-state.js';
import { SPLITS, type PreparedManifest } from '../data/prepared.js';
import type { Shard } from '../data/shard.js';
import type { KeptRows } from './renumber.js';

type Marks = ReadonlyMap<string, Uint8Array>;
type IdState = ColumnState & { readonly table: string };

/** Marks what rows `from` to `to` of a column look up. */
const markRange = (marks: Uint8Array, column: Column, from: number, to: number): void => {
  if (column.kind === 'id') for (let at = from; at < to; at += 1) marks[column.values[at]!] = 1;
  else if (column.kind === 'ids') for (let at = column.offsets[from]!; at < column.offsets[to]!; at += 1) marks[column.values[at]!] = 1;
};

const markShard = (marks: Marks, columns: readonly IdState[], shard: Shard, surface: number): void => {
  for (const { name, side, table } of columns) {
    const column = (side === 'request' ? shard.requestColumns : shard.candidateColumns).get(name)!;
    for (let request = 0; request < shard.requestCount; request += 1) {
      if (shard.surfaces[request] !== surface) continue;
      if (side === 'request') markRange(marks.get(table)!, column, request, request + 1);
      else markRange(marks.get(table)!, column, shard.offsets[request]!, shard.offsets[request + 1]!);
    }
  }
};

export interface UsedRowsOptions {
  readonly manifest: PreparedManifest;
  /** Folder of the prepared dataset. */
  readonly directory: string;
  readonly surface: string;
  /** Columns that the surface's graph reads. */
  readonly columns: readonly ColumnState[];
  /** Called between shards; it throws when the scan is to stop. */
  readonly stopIfAsked: () => void;
}

/**
 * Rows of vocabulary tables that a surface looks up in any split, and those that stand for no value. Reads only the columns
 * asked for, a shard at a time.
 *
 * @throws ArtifactError when a file is missing or differs from the manifest
 */
export const usedRows = async ({ manifest, directory, surface, columns, stopIfAsked }: UsedRowsOptions): Promise<KeptRows> => {
  const { encoders } = manifest;
  const vocabularies = new Map(encoders.tables.flatMap((table) => (table.type === 'vocabulary' ? [[table.name, table] as const] : [])));
  const own = columns.filter((column): column is IdState => 'table' in column && vocabularies.has(column.table));
  const marks: Marks = new Map(own.map(({ table }) => [table, new Uint8Array(vocabularies.get(table)!.rows).fill(1, 0, FIRST_VALUE_ROW)]));
  if (own.length === 0) return new Map();
  const index = encoders.surfaces.indexOf(surface);
  // What a training-only feature is served with need not have been logged.
  const encoder = createEncoder(encoders);
  for (const state of own) {
    if (state.serveAs !== undefined) markRange(marks.get(state.table)!, encoder.encodeColumn(state, undefined, 1, { surfaces: index, serving: true }), 0, 1);
  }
  const narrow: PreparedManifest = { ...manifest, encoders: { ...encoders, columns: own } };
  for (const split of SPLITS) {
    const dataset = await openDataset(directory, narrow, split, { tasks: [], surfaces: [index], batchCandidates: 1, poolCandidates: 0 });
    try {
      for await (const { shard } of dataset.iterateShards()) {
        stopIfAsked();
        markShard(marks, own, shard, index);
      }
    } finally {
      dataset.close();
    }
  }
  return new Map([...marks].map(([table, used]) => [table, Int32Array.from([...used.keys()].filter((row) => used[row] === 1))]));
};
