/** How much traffic each surface brings: what a model's cost depends on beside the model. */
import { quoteIdentifier, quoteLiteral, openDatabase, type Database } from './duckdb.js';
import type { PreparedManifest, Split } from './prepared.js';
import { SHARD } from './shard-columns.js';
import { checkFile } from './shard-reader.js';

/** List lengths of one column: `counts[i]` rows have `lengths[i]` entries, shortest first. */
export interface LengthCounts {
  readonly lengths: readonly number[];
  readonly counts: readonly number[];
}

export interface SurfaceTraffic {
  readonly surface: string;
  readonly requests: number;
  readonly candidates: number;
  /** Of every request-side ids column, over the surface's requests. */
  readonly lists: ReadonlyMap<string, LengthCounts>;
}

export interface Traffic {
  /** In surface order; surfaces without a request are left out. */
  readonly surfaces: readonly SurfaceTraffic[];
  /** Mean list length of every candidate-side ids column, over the candidates of the surfaces that have it. */
  readonly candidateLists: ReadonlyMap<string, number>;
}

interface LengthRow {
  readonly surface: number;
  readonly length: number;
  readonly count: number;
}

const readLengths = (database: Database, files: string, column: string): Promise<LengthRow[]> =>
  database.rows(
    `SELECT ${quoteIdentifier(SHARD.surface)} AS surface, coalesce(len(${quoteIdentifier(column)}), 0) AS length, count(*) AS count FROM read_parquet(${files}) GROUP BY ALL ORDER BY ALL`,
  );

const meanLength = async (database: Database, files: string, column: string, candidates: number): Promise<number> => {
  const [row] = await database.rows<{ total: number | null }>(`SELECT CAST(sum(len(${quoteIdentifier(column)})) AS BIGINT) AS total FROM read_parquet(${files})`);
  return candidates === 0 ? 0 : (row?.total ?? 0) / candidates;
};

/**
 * Reads list lengths of a prepared split; requests and candidates are in its manifest.
 *
 * @throws ArtifactError when a file is missing or differs from the manifest
 */
export const readTraffic = async (directory: string, { encoders, splits }: PreparedManifest, split: Split): Promise<Traffic> => {
  const { shards, counts } = splits[split];
  const database = await openDatabase({ threads: 2 });
  const fileList = async (side: 'requests' | 'candidates'): Promise<string> => {
    const files: string[] = [];
    for (const shard of shards) files.push(quoteLiteral(await checkFile(directory, shard[side])));
    return `[${files.join(', ')}]`;
  };
  try {
    const lists = encoders.columns.filter((column) => column.kind === 'ids');
    const byColumn = new Map<string, readonly LengthRow[]>();
    const candidateLists = new Map<string, number>();
    for (const side of ['request', 'candidate'] as const) {
      const own = lists.filter((column) => column.side === side);
      if (own.length === 0 || shards.length === 0) continue;
      const files = await fileList(side === 'request' ? 'requests' : 'candidates');
      for (const { name, surfaces } of own) {
        const candidates = surfaces.reduce((sum, surface) => sum + (counts[surface]?.candidates ?? 0), 0);
        if (side === 'request') byColumn.set(name, await readLengths(database, files, name));
        else candidateLists.set(name, await meanLength(database, files, name, candidates));
      }
    }
    const surfaces = encoders.surfaces.flatMap((surface, index): SurfaceTraffic[] => {
      const { requests = 0, candidates = 0 } = counts[surface] ?? {};
      if (requests === 0) return [];
      const ofSurface = (rows: readonly LengthRow[]): LengthCounts => {
        const own = rows.filter((row) => row.surface === index);
        return { lengths: own.map((row) => row.length), counts: own.map((row) => row.count) };
      };
      return [{ surface, requests, candidates, lists: new Map([...byColumn].map(([name, rows]) => [name, ofSurface(rows)])) }];
    });
    return { surfaces, candidateLists };
  } finally {
    database.close();
  }
};
