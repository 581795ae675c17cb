/** Sources as relations of the staging database: what every later step selects from. */
import type { Project, Source } from '../config/project.js';
import { DataError } from '../config/errors.js';
import { csvScan } from './csv-source.js';
import { explainDuckDbError, quoteIdentifier, quoteLiteral, type Database } from './duckdb.js';
import { sourceFiles, type FileFormat, type SourceFiles } from './source-files.js';
import { queryStep, runStep } from './sql-step.js';

/** Columns every relation has beside its source's: the file, and the row in it (or in all files, see {@link Relation.rowsRunOn}). */
export const FILE_COLUMN = '@file';
export const ROW_COLUMN = '@row';

export interface Relation {
  /** Quoted name of a view or table. */
  readonly sql: string;
  /** Columns of the source. */
  readonly columns: readonly string[];
  readonly layout: 'candidate' | 'request';
  /** Absolute paths or URLs, in the order read; empty for a query. */
  readonly files: readonly string[];
  readonly format: FileFormat | 'sql';
  /** `@row` counts on over the files (CSV and JSONL) rather than from 1 in each (Parquet). */
  readonly rowsRunOn: boolean;
}

/** A source and who reads it: `surface "search"`, `events of "clicks"`. */
export interface SourceUse {
  readonly owner: string;
  readonly source: Source;
}

export const surfaceOwner = (surface: string): string => `surface "${surface}"`;
export const eventsOwner = (sequence: string): string => `events of "${sequence}"`;

/** Every source of a project, surfaces first. */
export const sourceUses = (project: Project): readonly SourceUse[] => [
  ...project.surfaces.map((surface) => ({ owner: surfaceOwner(surface.name), source: surface.source })),
  ...project.features.flatMap((feature) =>
    feature.kind === 'sequence' && feature.events !== undefined ? [{ owner: eventsOwner(feature.name), source: feature.events.source }] : [],
  ),
];

/** Same data, whoever reads it in whatever layout. */
const dataKey = (source: Source): string => JSON.stringify('sql' in source ? { sql: source.sql } : { files: source.files, format: source.format });

const selectFrom = async (database: Database, use: SourceUse, files: SourceFiles | undefined): Promise<string> => {
  if (files === undefined) {
    const query = (use.source as { sql: string }).sql.replace(/;\s*$/, '');
    return `SELECT *, NULL::VARCHAR AS "@file", NULL::BIGINT AS "@row" FROM (\n${query}\n)`;
  }
  const list = files.files.map(quoteLiteral).join(', ');
  switch (files.format) {
    case 'parquet':
      return `SELECT *, file_row_number + 1 AS "@row" FROM read_parquet([${list}], union_by_name = true, filename = '@file')`;
    case 'csv':
      return `SELECT *, row_number() OVER () AS "@row" FROM ${await csvScan(database, use.owner, files.files)}`;
    case 'jsonl':
      return `SELECT *, row_number() OVER () AS "@row" FROM read_json([${list}], format = 'newline_delimited', union_by_name = true, sample_size = -1, maximum_sample_files = 2147483647, filename = '@file')`;
  }
};

const explainSource = (error: unknown, use: SourceUse): Error => {
  const message = error instanceof Error ? error.message : String(error);
  const json = /Malformed JSON in file "([^"]+)", at byte (\d+) in line (\d+)/.exec(message);
  if (json === null) return explainDuckDbError(error, { where: use.owner });
  return new DataError(`${use.owner}: ${json[1]!} line ${json[3]!} is malformed or cut off (at byte ${json[2]!})`, {
    where: `${json[1]!}:${json[3]!}`,
    expected: 'one JSON object a line',
    fix: 'correct the line, or write the file again if it was cut off',
    cause: error,
  });
};

/**
 * Makes a relation of every source of the project. Text files and queries that several surfaces read are read once,
 * into a table; everything else stays a view and streams.
 *
 * @returns relations by owner
 * @throws DataError for sources that are missing, damaged or malformed, and for queries DuckDB refuses
 */
export const openRelations = async (database: Database, project: Project): Promise<ReadonlyMap<string, Relation>> => {
  // Queries are strings of the user's: relative file names in them start from the config's folder.
  await runStep(database, 'DuckDB', `SET file_search_path = ${quoteLiteral(project.directory)}`);
  const uses = sourceUses(project);
  const byData = new Map<string, Omit<Relation, 'layout'>>();
  for (const use of uses) {
    const key = dataKey(use.source);
    if (byData.has(key)) continue;
    const files = await sourceFiles(database, project, use.owner, use.source);
    const format = files?.format ?? 'sql';
    const sql = quoteIdentifier(`source_${byData.size}`);
    const shared = uses.filter((other) => dataKey(other.source) === key).length > 1;
    try {
      const select = await selectFrom(database, use, files);
      await database.run(`CREATE ${shared && format !== 'parquet' ? 'TEMP TABLE' : 'TEMP VIEW'} ${sql} AS ${select}`);
    } catch (error) {
      throw explainSource(error, use);
    }
    const columns = await queryStep<{ column_name: string }>(database, use.owner, `DESCRIBE SELECT * FROM ${sql}`);
    byData.set(key, {
      sql,
      columns: columns.map((column) => column.column_name).filter((name) => name !== FILE_COLUMN && name !== ROW_COLUMN),
      files: files?.files ?? [],
      format,
      rowsRunOn: format === 'csv' || format === 'jsonl',
    });
  }
  return new Map(uses.map((use) => [use.owner, { ...byData.get(dataKey(use.source))!, layout: use.source.layout ?? 'candidate' }]));
};

/**
 * Rows before each file, by file, where `@row` runs on over several: a bad row is named by its place in its own file.
 * Reads the source again, so it is for reporting only.
 */
export const rowsBeforeFiles = async (database: Database, relation: Relation): Promise<ReadonlyMap<string, number>> => {
  if (!relation.rowsRunOn || relation.files.length < 2) return new Map();
  const rows = await queryStep<{ file: string; before: number }>(
    database,
    relation.files[0]!,
    `SELECT "@file" AS file, min("@row") - 1 AS before FROM ${relation.sql} GROUP BY 1`,
  );
  return new Map(rows.map((row) => [row.file, row.before]));
};
