import type { Project } from '../config/project.js';
import { openDatabase, quoteIdentifier, quoteLiteral, type Database } from '../data/duckdb.js';
import { UNKNOWN_ROW, type ColumnState } from '../data/encoder-state.js';
import type { PreparedManifest } from '../data/prepared.js';
import { SHARD } from '../data/shard-columns.js';
import { checkFile } from '../data/shard-reader.js';
import type { FeatureCoverage } from './report.js';

/** A surface's rows, and those with a value of each column, in the order of the columns asked for. */
interface Counted {
  readonly rows: number;
  readonly present: readonly number[];
}

/** Counts by surface index. */
type Counts = ReadonlyMap<number, Counted>;

/** Whether an encoded column holds a value. An id that the vocabulary does not know is one; of a list, any entry. */
const hasValue = ({ name, kind }: ColumnState): string => {
  const column = quoteIdentifier(name);
  switch (kind) {
    case 'id':
      return `${column} >= ${UNKNOWN_ROW}`;
    case 'ids':
      return `len(${column}) > 0`;
    case 'number':
    case 'vector':
      return `${column} IS NOT NULL`;
  }
};

const count = async (database: Database, columns: readonly ColumnState[], from: string): Promise<Counts> => {
  const surface = quoteIdentifier(SHARD.surface);
  const sums = columns.map((column, index) => `, count_if(${hasValue(column)}) AS p${index}`).join('');
  const found = await database.rows<Readonly<Record<string, number>>>(`SELECT ${surface} AS surface, count(*) AS rows${sums} FROM ${from} GROUP BY ALL`);
  return new Map(found.map((row) => [row['surface']!, { rows: row['rows']!, present: columns.map((_, index) => row[`p${index}`]!) }]));
};

const add = (all: Counts, more: Counts): Counts => {
  const sums = new Map(all);
  for (const [surface, { rows, present }] of more) {
    const before = sums.get(surface);
    sums.set(surface, before === undefined ? { rows, present } : { rows: before.rows + rows, present: before.present.map((sum, index) => sum + present[index]!) });
  }
  return sums;
};

/** Candidates with their request's surface beside them: both files are in request order. */
const candidatesBySurface = (requests: string, candidates: string): string => {
  const [surface, size] = [SHARD.surface, SHARD.candidateCount].map(quoteIdentifier);
  return `(SELECT unnest(repeat([${surface}], ${size})) AS ${surface} FROM read_parquet(${requests})) POSITIONAL JOIN read_parquet(${candidates})`;
};

/**
 * Which surfaces have a feature, and how many of their training rows hold a value of it: of requests or candidates, as is the
 * feature's side. DuckDB counts; nothing but the counts leaves it.
 *
 * @param directory of the prepared dataset
 * @throws ArtifactError when a file is missing or differs from the manifest
 */
export const featureCoverage = async (directory: string, { encoders, splits }: PreparedManifest, { features }: Pick<Project, 'features'>): Promise<readonly FeatureCoverage[]> => {
  // Any column of a feature tells: the fields of a sequence are equally long.
  const own = features.flatMap((feature) => {
    const column = encoders.columns.find((one) => one.feature === feature.name);
    return column === undefined ? [] : [{ feature, column }];
  });
  const columns = { request: own.flatMap(({ column }) => (column.side === 'request' ? [column] : [])), candidate: own.flatMap(({ column }) => (column.side === 'candidate' ? [column] : [])) };
  const counts: Record<'request' | 'candidate', Counts> = { request: new Map(), candidate: new Map() };
  const database = await openDatabase({ threads: 2 });
  try {
    for (const shard of splits.train.shards) {
      const requests = quoteLiteral(await checkFile(directory, shard.requests));
      const candidates = quoteLiteral(await checkFile(directory, shard.candidates));
      if (columns.request.length > 0) counts.request = add(counts.request, await count(database, columns.request, `read_parquet(${requests})`));
      if (columns.candidate.length > 0) counts.candidate = add(counts.candidate, await count(database, columns.candidate, candidatesBySurface(requests, candidates)));
    }
  } finally {
    database.close();
  }
  const shares = (column: ColumnState): FeatureCoverage['present'] => {
    const index = columns[column.side].indexOf(column);
    return Object.fromEntries(
      column.surfaces.flatMap((surface) => {
        const found = counts[column.side].get(encoders.surfaces.indexOf(surface));
        return found === undefined ? [] : [[surface, found.present[index]! / found.rows]];
      }),
    );
  };
  return own.map(({ feature, column }) => ({ feature: feature.name, side: column.side, kind: feature.kind, present: shares(column) }));
};
