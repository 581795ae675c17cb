/** Guesses of the columns that identify a surface's requests, users and moments. */
import { UsageError } from '../config/errors.js';
import type { KeysConfig } from '../config/project.js';
import { quoteIdentifier } from '../data/duckdb.js';
import type { InspectedColumn } from '../data/inspect-columns.js';
import { namesId, namesRequest, namesTime, namesUser } from './init-column-names.js';

/** Keys given on the command line. */
export interface GivenKeys {
  readonly request?: string;
  readonly user?: string;
  readonly time?: string;
}

export interface GuessedKeys {
  readonly keys: KeysConfig & { readonly request: string; readonly user: string; readonly time: string };
  /** Columns the keys stand for, which are no features. */
  readonly columns: readonly string[];
  /** Whether the request key is put together from user and time. */
  readonly composed: boolean;
}

/** Plain names stand for themselves in an expression; others are quoted. */
const inExpression = (name: string): string => (/^[a-z_][a-z0-9_]*$/i.test(name) ? name : quoteIdentifier(name));

const isScalar = (column: InspectedColumn): boolean => !column.type.list && column.type.scalar !== 'other';

/** Unit of a number that counts since 1970, if its range is between 2001 and 2100. */
const epochUnit = (column: InspectedColumn): 's' | 'ms' | 'us' | undefined => {
  if (column.type.scalar !== 'number' || typeof column.min !== 'number' || typeof column.max !== 'number') return undefined;
  const between = (scale: number): boolean => (column.min as number) >= 1e9 * scale && (column.max as number) < 4.1e9 * scale;
  if (between(1)) return 's';
  if (between(1e3)) return 'ms';
  return between(1e6) ? 'us' : undefined;
};

const looksLikeIsoTime = (column: InspectedColumn): boolean =>
  column.type.scalar === 'text' && typeof column.min === 'string' && /^\d{4}-\d{2}-\d{2}[T ]\d{2}:/.test(column.min);

const isMoment = (column: InspectedColumn): boolean =>
  isScalar(column) && column.nullShare === 0 && (column.type.scalar === 'time' || epochUnit(column) !== undefined || looksLikeIsoTime(column));

/** The first column that one of the tests holds for; earlier tests win. */
const firstOf = (columns: readonly InspectedColumn[], ...tests: readonly ((column: InspectedColumn) => boolean)[]): InspectedColumn | undefined => {
  for (const test of tests) {
    const found = columns.find(test);
    if (found !== undefined) return found;
  }
  return undefined;
};

const unitOf = (columns: readonly InspectedColumn[], time: string): KeysConfig['timeUnit'] => {
  const column = columns.find((candidate) => candidate.name === time);
  const unit = column === undefined ? undefined : epochUnit(column);
  return unit === 'ms' ? undefined : unit;
};

const need = (surface: string, what: 'user' | 'time', columns: readonly InspectedColumn[]): UsageError =>
  new UsageError(`surface "${surface}": no column looks like the ${what === 'user' ? 'user' : 'time of the request'}`, {
    where: `--${what}`,
    expected: `a column; there are ${columns.map((column) => column.name).join(', ')}`,
    fix: `name it with --${what} COLUMN (a DuckDB expression is fine, too)`,
  });

/**
 * Guesses the keys of a surface.
 *
 * @throws UsageError when there is no user or no time to be seen
 */
export function guessKeys(surface: string, columns: readonly InspectedColumn[], given: GivenKeys): GuessedKeys {
  const user =
    given.user ??
    firstOf(
      columns,
      (column) => isScalar(column) && namesUser(column.name) && namesId(column.name),
      (column) => isScalar(column) && namesUser(column.name),
    )?.name;
  if (user === undefined) throw need(surface, 'user', columns);
  const timeColumn = firstOf(
    columns,
    (column) => namesTime(column.name) && isMoment(column),
    (column) => column.type.scalar === 'time' && isMoment(column),
    (column) => isMoment(column) && !namesId(column.name) && column.distinct > 1,
  );
  const time = given.time ?? timeColumn?.name;
  if (time === undefined) throw need(surface, 'time', columns);
  const request =
    given.request ??
    columns.find((column) => isScalar(column) && column.nullShare === 0 && namesRequest(column.name))?.name;
  const text = given.time === undefined && timeColumn !== undefined && looksLikeIsoTime(timeColumn);
  const timeUnit = unitOf(columns, time);
  return {
    keys: {
      request: request ?? `${inExpression(user)} || '-' || ${inExpression(time)}`,
      user,
      time: text ? `CAST(${inExpression(time)} AS TIMESTAMP)` : time,
      ...(timeUnit === undefined ? {} : { timeUnit }),
    },
    columns: [user, time, ...(request === undefined ? [] : [request])],
    composed: request === undefined,
  };
}
