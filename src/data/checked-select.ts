/** A SELECT that casts a source's columns into the merged schema and marks the rows that do not fit, in one pass. */
import type { Canonical, Check } from './canonical.js';
import { quoteIdentifier, quoteLiteral } from './duckdb.js';

/** Columns a checked table has beside its data. `@code` is NULL for good rows, else 1 + the index of the check that failed. */
export const CODE_COLUMN = '@code';
/** What stood in the bad place. */
export const VALUE_COLUMN = '@value';
/** The bad row as JSON, by source column. */
export const CONTENT_COLUMN = '@content';

/** One column to be cast. */
export interface CheckedColumn {
  readonly id: string;
  /** As the user wrote it: names the value in a bad row's content. */
  readonly text: string;
  /** Raw value: SQL over the relation. */
  readonly raw: string;
  readonly canonical: Canonical;
  /** SQL over canonical columns that is kept; the canonical value itself when left out. */
  readonly output?: string;
}

export interface CheckedSelect {
  /** Quoted relation, or a subquery in parentheses. */
  readonly from: string;
  readonly where: string | undefined;
  /** Columns of `from` kept as they are: quoted output name to SQL. */
  readonly kept: Readonly<Record<string, string>>;
  readonly columns: readonly CheckedColumn[];
  /** Checks over several columns; they come after those of single columns. */
  readonly checks: readonly Check[];
  /** More output columns: quoted name to SQL over canonical and kept columns. */
  readonly derived?: Readonly<Record<string, string>>;
}

/** Raw value of column `index` in conditions: what {@link Canonical} is built over. */
export const rawName = (index: number): string => `"@r${index}"`;

/** All checks of a select, in the order of their codes. */
export const checksOf = (select: CheckedSelect): readonly Check[] => [...select.columns.flatMap((column) => column.canonical.checks), ...select.checks];

const contentOf = (columns: readonly CheckedColumn[]): string => {
  // Names of a struct are told apart without case.
  const entries = new Map<string, string>();
  for (const [index, column] of columns.entries()) {
    const name = column.text.toLowerCase();
    if (!entries.has(name)) entries.set(name, `${quoteIdentifier(column.text)} := ${rawName(index)}`);
  }
  return `CAST(to_json(struct_pack(${[...entries.values()].join(', ')})) AS VARCHAR)`;
};

const named = (expressions: Readonly<Record<string, string>>): readonly string[] => Object.entries(expressions).map(([name, sql]) => `${sql} AS ${name}`);

/** SQL of a checked select. */
export const checkedSelectSql = (select: CheckedSelect): string => {
  const { columns, kept, derived = {} } = select;
  const checks = checksOf(select);
  const raw = [...named(kept), ...columns.map((column, index) => `${column.raw} AS ${rawName(index)}`)];
  const canonical = columns.map((column) => `${column.canonical.sql} AS ${quoteIdentifier(column.id)}`);
  const conditions = checks.map((check, index) => `WHEN ${check.condition} THEN ${index + 1}`);
  const values = checks.map((check, index) => `WHEN ${index + 1} THEN left(CAST(${check.value} AS VARCHAR), 200)`);
  const outputs = [
    ...Object.keys(kept),
    ...columns.map((column) => (column.output === undefined ? quoteIdentifier(column.id) : `${column.output} AS ${quoteIdentifier(column.id)}`)),
    ...named(derived),
    '"@code"',
    checks.length === 0 ? 'NULL::VARCHAR AS "@value"' : `CASE "@code" ${values.join(' ')} END AS "@value"`,
    `CASE WHEN "@code" IS NOT NULL THEN ${contentOf(columns)} END AS "@content"`,
  ];
  const filter = select.where === undefined ? '' : ` WHERE (${select.where})`;
  const code = checks.length === 0 ? 'NULL' : `CASE ${conditions.join(' ')} END`;
  return `SELECT ${outputs.join(', ')}
FROM (SELECT *, CAST(${code} AS USMALLINT) AS "@code"
FROM (SELECT *, ${canonical.join(', ')}
FROM (SELECT ${raw.join(', ')} FROM ${select.from}${filter})))`;
};

/** `CASE` that gives a code's reason. */
export const reasonSql = (checks: readonly Check[], code: string): string =>
  checks.length === 0 ? 'NULL::VARCHAR' : `CASE ${code} ${checks.map((check, index) => `WHEN ${index + 1} THEN ${quoteLiteral(check.reason)}`).join(' ')} END`;
