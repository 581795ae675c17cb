/**
 * How a source's values become values of the merged schema, and which of them cannot. Everything is SQL: `ref` is the raw
 * column, and checks may also use the canonical one, named by the column's id. Casts never fail but give NULL; a
 * {@link Check} finds the rows where that lost something.
 */
import { DataError } from '../config/errors.js';
import { quoteIdentifier, quoteLiteral } from './duckdb.js';
import type { DescribedColumn } from './mapped-columns.js';
import { describeType, type PhysicalType } from './physical-type.js';

/** A condition that only bad rows meet. */
export interface Check {
  readonly condition: string;
  /** What is wrong, e.g. `feature "age": not a number`. */
  readonly reason: string;
  /** SQL text of what stands there. */
  readonly value: string;
  readonly expected: string;
}

export interface Canonical {
  readonly sql: string;
  readonly checks: readonly Check[];
}

export type TimeUnit = 's' | 'ms' | 'us';

const LARGEST_EXACT = '9007199254740992';

const wrongType = (surface: string, column: DescribedColumn, expected: string, fix: string): DataError =>
  new DataError(`${surface}, ${column.owner}: "${column.text}" is ${describeType(column.type)}`, { where: column.option, expected, fix: `set ${column.option} to ${fix}` });

const canonicalName = (column: DescribedColumn): string => quoteIdentifier(column.id);

const asText = (ref: string): string => `CAST(${ref} AS VARCHAR)`;

/** Ids as `String(value)` writes them: a 1 that went through a float column stays the id 1. */
const scalarText = (ref: string, type: PhysicalType): string => {
  if (!type.fractional) return asText(ref);
  const number = `CAST(${ref} AS DOUBLE)`;
  return `CASE WHEN ${number} = trunc(${number}) AND abs(${number}) < ${LARGEST_EXACT} THEN ${asText(`CAST(${ref} AS BIGINT)`)} ELSE ${asText(number)} END`;
};

const notFinite = (ref: string, type: PhysicalType): string | undefined =>
  type.sql.startsWith('FLOAT') || type.sql.startsWith('DOUBLE') ? `NOT isfinite(${ref})` : undefined;

const finiteCheck = (column: DescribedColumn, ref: string): readonly Check[] => {
  const condition = notFinite(ref, column.type);
  return condition === undefined ? [] : [{ condition, reason: `${column.owner}: NaN or infinite`, value: asText(ref), expected: 'a finite number, or NULL where it is missing' }];
};

/** VARCHAR. @throws DataError for lists and nested values */
export const canonicalText = (surface: string, column: DescribedColumn, ref: string): Canonical => {
  const { type } = column;
  if (type.list || type.scalar === 'other') throw wrongType(surface, column, 'a scalar id', `one value, for example ${column.text}[1], or use kind 'multi'`);
  return { sql: scalarText(ref, type), checks: finiteCheck(column, ref) };
};

/** VARCHAR that must be there. */
export const canonicalKey = (surface: string, column: DescribedColumn, ref: string): Canonical => {
  const text = canonicalText(surface, column, ref);
  return { sql: text.sql, checks: [{ condition: `${ref} IS NULL`, reason: `${column.owner}: missing`, value: "'NULL'", expected: 'a value in every row' }, ...text.checks] };
};

const castNumber = (surface: string, column: DescribedColumn, ref: string): string => {
  const { type } = column;
  if (type.list || type.scalar === 'other' || type.scalar === 'time') {
    throw wrongType(surface, column, 'a number', type.scalar === 'time' ? `a number, for example epoch_ms(${column.text})` : 'a numeric expression');
  }
  return type.scalar === 'text' ? `TRY_CAST(${ref} AS DOUBLE)` : `CAST(${ref} AS DOUBLE)`;
};

/** DOUBLE. @throws DataError for types that hold no number */
export const canonicalNumber = (surface: string, column: DescribedColumn, ref: string): Canonical => {
  const sql = castNumber(surface, column, ref);
  const name = canonicalName(column);
  if (column.type.scalar !== 'text') return { sql, checks: finiteCheck(column, ref) };
  return {
    sql,
    checks: [
      { condition: `${ref} IS NOT NULL AND ${name} IS NULL`, reason: `${column.owner}: not a number`, value: asText(ref), expected: 'a number, or NULL where it is missing' },
      { condition: `NOT isfinite(${name})`, reason: `${column.owner}: NaN or infinite`, value: asText(ref), expected: 'a finite number, or NULL where it is missing' },
    ],
  };
};

/** FLOAT, 0 or 1 or NULL. */
export const canonicalLabel = (surface: string, column: DescribedColumn, ref: string): Canonical => {
  const number = castNumber(surface, column, ref);
  if (column.type.scalar === 'boolean') return { sql: `CAST(${ref} AS FLOAT)`, checks: [] };
  return {
    sql: `CASE ${number} WHEN 0 THEN 0::FLOAT WHEN 1 THEN 1::FLOAT END`,
    checks: [
      {
        condition: `${ref} IS NOT NULL AND ${canonicalName(column)} IS NULL`,
        reason: `${column.owner}: label outside {0, 1}`,
        value: asText(ref),
        expected: '0, 1, true, false, or NULL where there is no label',
      },
    ],
  };
};

/** DOUBLE in [0, 1]. */
export const canonicalProbability = (surface: string, column: DescribedColumn, ref: string): Canonical => {
  const number = castNumber(surface, column, ref);
  const condition = `${ref} IS NOT NULL AND ${canonicalName(column)} IS NULL`;
  return { sql: `CASE WHEN ${number} BETWEEN 0 AND 1 THEN ${number} END`, checks: [{ condition, reason: `${column.owner}: not a probability`, value: asText(ref), expected: 'a number from 0 to 1, or NULL' }] };
};

const mapList = (ref: string, map: (element: string) => string): string => `list_transform(${ref}, lambda "@x": ${map('"@x"')})`;
const anyOf = (ref: string, condition: (element: string) => string): string => `len(list_filter(${ref}, lambda "@x": ${condition('"@x"')})) > 0`;

/** VARCHAR[]. @throws DataError for values that are no lists of scalars */
export const canonicalTexts = (surface: string, column: DescribedColumn, ref: string): Canonical => {
  const { type } = column;
  if (!type.list || type.scalar === 'other') throw wrongType(surface, column, 'a list of ids', `a list, for example string_split(${column.text}, ' ')`);
  const sql = type.fractional ? mapList(ref, (element) => scalarText(element, { ...type, list: false })) : `CAST(${ref} AS VARCHAR[])`;
  if (notFinite('x', type) === undefined) return { sql, checks: [] };
  const condition = anyOf(ref, (element) => notFinite(element, type)!);
  return { sql, checks: [{ condition, reason: `${column.owner}: NaN or infinite`, value: asText(ref), expected: 'ids, or NULL where one is missing' }] };
};

/** FLOAT[] of `size` finite numbers. @throws DataError for values that are no lists of numbers */
export const canonicalVector = (surface: string, column: DescribedColumn, ref: string, size: number): Canonical => {
  const { type } = column;
  if (!type.list || type.scalar !== 'number') throw wrongType(surface, column, 'a list of numbers', `a list of numbers, for example CAST(${column.text} AS FLOAT[])`);
  const sql = `TRY_CAST(${ref} AS FLOAT[])`;
  return {
    sql,
    checks: [
      { condition: `len(${ref}) <> ${size}`, reason: `${column.owner}: wrong size`, value: `len(${ref}) || ' numbers'`, expected: `${size} numbers` },
      {
        condition: anyOf(canonicalName(column), (element) => `${element} IS NULL OR NOT isfinite(${element})`),
        reason: `${column.owner}: NaN, infinite or missing element`,
        value: asText(ref),
        expected: 'finite numbers',
      },
    ],
  };
};

/** Years 1900 to 2200: beyond them a numeric time has another unit than declared. */
const EARLIEST_US = -2_208_988_800_000_000;
const LATEST_US = 7_258_118_400_000_000;
const MICROS: Readonly<Record<TimeUnit, number>> = { s: 1_000_000, ms: 1_000, us: 1 };

/** Epoch microseconds as BIGINT; NULL for what is no time between 1900 and 2200. */
const micros = (ref: string, type: PhysicalType, unit: TimeUnit): string => {
  if (type.scalar === 'number') {
    const factor = MICROS[unit];
    const scaled = type.fractional ? `CAST(round(CAST(${ref} AS DOUBLE) * ${factor}) AS BIGINT)` : `CAST(${ref} AS BIGINT) * ${factor}`;
    return `CASE WHEN ${ref} BETWEEN ${EARLIEST_US / factor} AND ${LATEST_US / factor} THEN ${scaled} END`;
  }
  const moment = type.scalar === 'text' ? `TRY_CAST(${ref} AS TIMESTAMPTZ)` : ref;
  return `CASE WHEN isfinite(${moment}) THEN epoch_us(${moment}) END`;
};

const timeExpected = (unit: TimeUnit): string => `a timestamp, a date, or a number in ${unit} since 1970 (keys.timeUnit) between 1900 and 2200`;

const timeType = (surface: string, column: DescribedColumn): void => {
  if (column.type.scalar === 'boolean' || column.type.scalar === 'other') throw wrongType(surface, column, 'a timestamp, a date or a number', 'a time expression');
};

/** BIGINT epoch microseconds that must be there. @throws DataError for types that hold no time */
export const canonicalTime = (surface: string, column: DescribedColumn, ref: string, unit: TimeUnit): Canonical => {
  timeType(surface, column);
  if (column.type.list) throw wrongType(surface, column, 'a timestamp, a date or a number', 'one value');
  const sql = micros(ref, column.type, unit);
  return { sql, checks: [{ condition: `${canonicalName(column)} IS NULL`, reason: `${column.owner}: not a time`, value: `coalesce(${asText(ref)}, 'NULL')`, expected: timeExpected(unit) }] };
};

/** BIGINT[] epoch microseconds, ascending. @throws DataError for values that are no lists of times */
export const canonicalTimes = (surface: string, column: DescribedColumn, ref: string, unit: TimeUnit): Canonical => {
  timeType(surface, column);
  if (!column.type.list) throw wrongType(surface, column, 'a list of times', 'a list column');
  const sql = mapList(ref, (element) => micros(element, { ...column.type, list: false }, unit));
  const name = canonicalName(column);
  return {
    sql,
    checks: [
      { condition: anyOf(name, (element) => `${element} IS NULL`), reason: `${column.owner}: not a time`, value: asText(ref), expected: timeExpected(unit) },
      { condition: `${name} <> list_sort(${name})`, reason: `${column.owner}: not oldest first`, value: asText(ref), expected: 'events in the order they happened' },
    ],
  };
};

/** A value out of a closed set. */
export const oneOf = (owner: string, ref: string, values: readonly string[]): Check => ({
  condition: `${ref} NOT IN (${values.map(quoteLiteral).join(', ')})`,
  reason: `${owner}: view type not declared`,
  value: ref,
  expected: `one of ${values.join(', ')}`,
});
