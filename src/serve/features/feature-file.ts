/** A file of features as a query: ids and times in their canonical form, values as they are. */
import { DataError } from '../../config/errors.js';
import { canonicalKey, canonicalTime, type Check, type TimeUnit } from '../../data/canonical.js';
import { checkedSelectSql, checksOf, rawName, type CheckedColumn, type CheckedSelect } from '../../data/checked-select.js';
import { csvScan } from '../../data/csv-source.js';
import { quoteIdentifier, quoteLiteral, type Database } from '../../data/duckdb.js';
import { describeColumns, type DescribedColumn, type MappedColumn } from '../../data/mapped-columns.js';
import { describeType, type ScalarClass } from '../../data/physical-type.js';
import { rowsBeforeFiles, type Relation } from '../../data/relations.js';
import { sourceFiles, type SourceFiles } from '../../data/source-files.js';
import { queryStep, runStep } from '../../data/sql-step.js';

/** What a file holds. */
export type FeatureFile = {
  /** A path or a glob. */
  readonly file: string;
  /** Columns or expressions by feature; left out: every column but the id and the time, by its own name. */
  readonly columns?: Readonly<Record<string, string>>;
  /** SQL condition of the rows that are read; left out: all. */
  readonly where?: string;
} & (
  | { readonly kind: 'user' | 'item'; readonly key: string }
  | { readonly kind: 'event'; readonly sequence: string; readonly user: string; readonly time: string; readonly timeUnit: TimeUnit }
);

export interface OpenFeatureFile {
  /** The files, for messages. */
  readonly name: string;
  /** Rows with `@file`, `@row`, `@id` (text), `@moment` (epoch ms), `@f0`, `@f1` … for the features, and `@code` and `@value` of bad ones. */
  readonly select: string;
  readonly features: readonly { readonly name: string; readonly scalar: ScalarClass }[];
  /** What codes mean: 1 + the index. */
  readonly checks: readonly Check[];
  /** Rows before each file where `@row` runs on over several. */
  rowsBefore(): Promise<ReadonlyMap<string, number>>;
}

const VIEW = 'feature_rows';

const scanOf = async (database: Database, owner: string, { files, format }: SourceFiles): Promise<string> => {
  const list = files.map(quoteLiteral).join(', ');
  switch (format) {
    case 'parquet':
      return `SELECT *, file_row_number + 1 AS "@row" FROM read_parquet([${list}], union_by_name = true, filename = '@file')`;
    case 'csv':
      return `SELECT *, row_number() OVER () AS "@row" FROM ${await csvScan(database, owner, files)}`;
    case 'jsonl':
      return `SELECT *, row_number() OVER () AS "@row" FROM read_json([${list}], format = 'newline_delimited', union_by_name = true, sample_size = -1, filename = '@file')`;
  }
};

const openRelation = async (database: Database, file: string): Promise<Relation> => {
  const found = (await sourceFiles(database, { directory: process.cwd() }, file, { files: file }))!;
  // Not a temporary one: streams have connections of their own.
  await runStep(database, file, `CREATE VIEW ${VIEW} AS ${await scanOf(database, file, found)}`);
  const columns = await queryStep<{ column_name: string }>(database, file, `DESCRIBE SELECT * FROM ${VIEW}`);
  return {
    sql: VIEW,
    columns: columns.map(({ column_name: name }) => name).filter((name) => name !== '@file' && name !== '@row' && name !== 'file_row_number'),
    layout: 'candidate',
    files: found.files,
    format: found.format,
    rowsRunOn: found.format !== 'parquet',
  };
};

const mapped = (id: string, owner: string, option: string, text: string): MappedColumn => ({ id, role: 'key', owner, option, text, side: 'request' });

const keysOf = (source: FeatureFile): readonly MappedColumn[] =>
  source.kind === 'event'
    ? [mapped('@id', 'the user of an event', '--user', source.user), mapped('@moment', 'the time of an event', '--time', source.time)]
    : [mapped('@id', `the id of the ${source.kind}`, '--key', source.key)];

/** A feature's values as they are; moments as text, which is how training reads them. */
const valueOf = (column: DescribedColumn, ref: string, isField: boolean): string => {
  const { type } = column;
  if (type.scalar === 'other' || (isField && type.list)) {
    throw new DataError(`${column.owner}: "${column.text}" is ${describeType(type)}`, {
      where: column.text,
      expected: isField ? 'one value an event' : 'a text, a number, a boolean, or a list of them',
      fix: 'name the columns that are features with --columns, as expressions where they need it',
    });
  }
  if (type.scalar !== 'time') return ref;
  return type.list ? `CAST(${ref} AS VARCHAR[])` : `CAST(${ref} AS VARCHAR)`;
};

/**
 * Opens a file of features in a database.
 *
 * @throws DataError for files and columns that are not there, and for types that are no features
 */
export const openFeatureFile = async (database: Database, source: FeatureFile): Promise<OpenFeatureFile> => {
  const relation = await openRelation(database, source.file);
  const keys = keysOf(source);
  const isKey = (name: string): boolean => keys.some(({ text }) => text.toLowerCase() === name.toLowerCase());
  const columns = Object.entries(source.columns ?? Object.fromEntries(relation.columns.filter((name) => !isKey(name)).map((name) => [name, name])));
  const described = await describeColumns(database, [...keys, ...columns.map(([name, text], index) => mapped(`@f${index}`, `feature "${name}"`, '--columns', text))], {
    owner: source.file,
    relation,
    where: source.where,
    whereOption: '--where',
  });
  const checked = described.map((column, index): CheckedColumn => {
    const ref = rawName(index);
    const base = { id: column.id, text: column.text, raw: column.sql };
    if (column.id === '@id') return { ...base, canonical: canonicalKey(source.file, column, ref) };
    if (column.id !== '@moment') return { ...base, canonical: { sql: valueOf(column, ref, source.kind === 'event'), checks: [] } };
    const time = canonicalTime(source.file, column, ref, source.kind === 'event' ? source.timeUnit : 'ms');
    const name = quoteIdentifier(column.id);
    // Of one column `checks` see the canonical value, in microseconds; what is kept is milliseconds, with their fraction.
    return { ...base, canonical: time, output: `CAST(${name} AS DOUBLE) / 1000` };
  });
  const select: CheckedSelect = { from: relation.sql, where: source.where, kept: { '"@file"': '"@file"', '"@row"': '"@row"' }, columns: checked, checks: [] };
  const moment = source.kind === 'event' ? '' : ', NULL::DOUBLE AS "@moment"';
  return {
    name: source.file,
    select: `SELECT *${moment} FROM (${checkedSelectSql(select)})`,
    features: columns.map(([name], index) => ({ name, scalar: described[keys.length + index]!.type.scalar })),
    checks: checksOf(select),
    rowsBefore: () => rowsBeforeFiles(database, relation),
  };
};
