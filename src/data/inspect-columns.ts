/** What the columns of a source hold, from its first rows: what `onefold init` guesses from. */
import type { Source } from '../config/project.js';
import { csvScan } from './csv-source.js';
import { explainDuckDbError, openDatabase, quoteIdentifier, quoteLiteral, type Database } from './duckdb.js';
import { parsePhysicalType, type PhysicalType } from './physical-type.js';
import { sourceFiles } from './source-files.js';
import { queryStep, runStep } from './sql-step.js';

/** Rows looked at; whole requests usually stand together at the start of a log. */
const SAMPLE_ROWS = 50_000;

export interface InspectedColumn {
  readonly name: string;
  readonly type: PhysicalType;
  /** Distinct values in the sample, NULL aside. */
  readonly distinct: number;
  /** Share of the sample's rows that are NULL, from 0 to 1. */
  readonly nullShare: number;
  /** Least and greatest value (of a list: of its elements); text for text, dates and times. */
  readonly min: number | string | undefined;
  readonly max: number | string | undefined;
  /** Whether all numbers (elements, for a list) are whole. */
  readonly whole: boolean;
  /** Elements per list; `undefined` for a type that is no list. */
  readonly lengths: { readonly min: number; readonly max: number; readonly mean: number } | undefined;
  /** Mean length of texts in characters. */
  readonly textLength: number | undefined;
}

/** How the sample's rows fall into groups: requests, users. */
export interface InspectedGroups {
  readonly count: number;
  /** Groups of more than one row; without any, no column can be told to be constant. */
  readonly withSeveralRows: number;
  /** Columns with one value per group. */
  readonly constant: readonly string[];
}

export interface InspectedTable {
  /** Rows looked at. */
  readonly rows: number;
  /** Whether these are all there are. */
  readonly complete: boolean;
  readonly columns: readonly InspectedColumn[];
  /** Of the expressions {@link InspectOptions.groups} chose, in their order. */
  readonly groups: readonly InspectedGroups[];
}

export interface InspectOptions {
  /**
   * Chooses lists that hold a value per candidate: the sample then gets a row per element, with the other columns
   * repeated, and that is what is described.
   */
  readonly candidateLists?: (columns: readonly InspectedColumn[]) => readonly string[];
  /** Chooses expressions to group the sample by. */
  readonly groups?: (columns: readonly InspectedColumn[]) => readonly string[];
  readonly sampleRows?: number;
}

const relationOf = async (database: Database, source: Source, directory: string, owner: string): Promise<string> => {
  await runStep(database, 'DuckDB', `SET file_search_path = ${quoteLiteral(directory)}`);
  const found = await sourceFiles(database, { directory }, owner, source);
  if (found === undefined) return `(${(source as { sql: string }).sql.replace(/;\s*$/, '')})`;
  const list = found.files.map(quoteLiteral).join(', ');
  switch (found.format) {
    case 'parquet':
      return `read_parquet([${list}], union_by_name = true)`;
    case 'csv':
      return await csvScan(database, owner, found.files);
    case 'jsonl':
      return `read_json([${list}], format = 'newline_delimited', union_by_name = true)`;
  }
};

interface ColumnType {
  readonly column_name: string;
  readonly column_type: string;
}

const describeTable = (database: Database, owner: string): Promise<ColumnType[]> =>
  queryStep<ColumnType>(database, owner, 'DESCRIBE SELECT * FROM sample');

/** CSV and JSON readers add a column of their own; it is not the source's. */
const isOwn = (name: string): boolean => name === '@file';

const expandLists = async (database: Database, owner: string, names: readonly string[], lists: readonly string[], sampleRows: number): Promise<void> => {
  const expanded = names.map((name) => {
    const column = quoteIdentifier(name);
    return lists.includes(name) ? `unnest(${column}) AS ${column}` : column;
  });
  await runStep(database, owner, `CREATE OR REPLACE TEMPORARY TABLE sample AS SELECT ${expanded.join(', ')} FROM sample LIMIT ${sampleRows}`);
};

interface ValueSql {
  /** Aggregates over the sample's values: of a list, over its elements. */
  readonly aggregate: (name: 'min' | 'max') => string;
  readonly whole: string;
  readonly lengths: (name: 'min' | 'max' | 'avg') => string;
}

const scalarSql = (column: string, type: PhysicalType): ValueSql => {
  const value = type.fractional ? `CAST(${column} AS DOUBLE)` : column;
  const finite = type.fractional ? ` FILTER (isfinite(${value}))` : '';
  return { aggregate: (name) => `${name}(${value})${finite}`, whole: `bool_and(${value} = floor(${value}))${finite}`, lengths: () => 'NULL' };
};

const listSql = (column: string, type: PhysicalType): ValueSql => {
  // Arrays of a fixed size become lists, which the list functions take.
  const value = `CAST(${column} AS ${type.fractional ? 'DOUBLE[]' : type.sql.replace(/\[\d*\]$/, '[]')})`;
  const items = type.fractional ? `list_filter(${value}, lambda x: isfinite(x))` : value;
  return {
    aggregate: (name) => `${name}(list_${name}(${items}))`,
    whole: `bool_and(list_aggregate(list_transform(${items}, lambda x: x = floor(x)), 'bool_and'))`,
    lengths: (name) => `${name}(len(${value}))`,
  };
};

const statistics = (name: string, type: PhysicalType): Record<string, string> => {
  const column = quoteIdentifier(name);
  const sql = type.list ? listSql(column, type) : scalarSql(column, type);
  const extreme = (which: 'min' | 'max'): string => {
    if (type.scalar === 'other') return 'NULL';
    return `CAST(${sql.aggregate(which)} AS ${type.scalar === 'number' || type.scalar === 'boolean' ? 'DOUBLE' : 'VARCHAR'})`;
  };
  return {
    // Comparing hashes is enough here, and much cheaper for lists and texts.
    distinct: `count(DISTINCT hash(${column})) FILTER (${column} IS NOT NULL)`,
    nulls: `count(*) - count(${column})`,
    min: extreme('min'),
    max: extreme('max'),
    whole: type.fractional ? `coalesce(${sql.whole}, true)` : String(type.scalar === 'number'),
    shortest: sql.lengths('min'),
    longest: sql.lengths('max'),
    mean: sql.lengths('avg'),
    text: type.scalar === 'text' && !type.list ? `avg(length(CAST(${column} AS VARCHAR)))` : 'NULL',
  };
};

const inspectColumn = async (database: Database, owner: string, { column_name: name, column_type }: ColumnType, rows: number): Promise<InspectedColumn> => {
  const type = parsePhysicalType(column_type);
  const selected = Object.entries(statistics(name, type)).map(([key, sql]) => `${sql} AS ${key}`);
  const [found] = await queryStep<Record<string, number | string | boolean | null>>(
    database,
    `${owner}, column "${name}"`,
    `SELECT ${selected.join(', ')} FROM sample`,
  );
  const value = (key: string) => found![key] ?? undefined;
  return {
    name,
    type,
    distinct: Number(value('distinct')),
    nullShare: rows === 0 ? 0 : Number(value('nulls')) / rows,
    min: value('min') as number | string | undefined,
    max: value('max') as number | string | undefined,
    whole: value('whole') === true,
    lengths:
      value('shortest') === undefined
        ? undefined
        : { min: Number(value('shortest')), max: Number(value('longest')), mean: Number(value('mean')) },
    textLength: value('text') === undefined ? undefined : Number(value('text')),
  };
};

const inspectSample = async (database: Database, owner: string): Promise<{ rows: number; columns: InspectedColumn[] }> => {
  const [{ rows } = { rows: 0 }] = await queryStep<{ rows: number }>(database, owner, 'SELECT count(*) AS rows FROM sample');
  const columns: InspectedColumn[] = [];
  for (const described of await describeTable(database, owner)) {
    if (!isOwn(described.column_name)) columns.push(await inspectColumn(database, owner, described, rows));
  }
  return { rows, columns };
};

const inspectGroups = async (database: Database, owner: string, by: string, names: readonly string[]): Promise<InspectedGroups> => {
  const varies = names.map((name, index) => {
    const column = quoteIdentifier(name);
    return `(count(${column}) BETWEEN 1 AND count(*) - 1) OR min(hash(${column})) <> max(hash(${column})) AS v${index}`;
  });
  const varying = names.map((_, index) => `count(*) FILTER (v${index}) AS v${index}`);
  const [found] = await queryStep<Record<string, number>>(
    database,
    `${owner}, key ${by}`,
    `SELECT count(*) AS groups, count(*) FILTER (members > 1) AS several, ${varying.join(', ')}
     FROM (SELECT count(*) AS members, ${varies.join(', ')} FROM sample GROUP BY (${by}))`,
  );
  return {
    count: found!.groups!,
    withSeveralRows: found!.several!,
    constant: names.filter((_, index) => found![`v${index}`] === 0),
  };
};

/**
 * Looks at the first rows of a source.
 *
 * @param directory - absolute folder that relative file names start from
 * @param owner - who reads the source, for errors: `surface "search"`
 * @throws DataError or IoError when the source is missing, damaged or malformed
 */
export const inspectColumns = async (source: Source, directory: string, owner: string, options: InspectOptions = {}): Promise<InspectedTable> => {
  const { candidateLists, groups, sampleRows = SAMPLE_ROWS } = options;
  const database = await openDatabase();
  try {
    const relation = await relationOf(database, source, directory, owner);
    await runStep(database, owner, `CREATE TEMPORARY TABLE sample AS SELECT * FROM ${relation} LIMIT ${sampleRows + 1}`);
    const [{ read } = { read: 0 }] = await queryStep<{ read: number }>(database, owner, 'SELECT count(*) AS read FROM sample');
    if (read > sampleRows) await runStep(database, owner, `CREATE OR REPLACE TEMPORARY TABLE sample AS SELECT * FROM sample LIMIT ${sampleRows}`);
    let table = await inspectSample(database, owner);
    const namesOf = (): string[] => table.columns.map((column) => column.name);
    const lists = candidateLists?.(table.columns) ?? [];
    if (lists.length > 0) {
      await expandLists(database, owner, namesOf(), lists, sampleRows);
      table = await inspectSample(database, owner);
    }
    const found: InspectedGroups[] = [];
    for (const by of groups?.(table.columns) ?? []) found.push(await inspectGroups(database, owner, by, namesOf()));
    return { ...table, complete: read <= sampleRows, groups: found };
  } catch (error) {
    throw explainDuckDbError(error, { where: owner });
  } finally {
    database.close();
  }
};
