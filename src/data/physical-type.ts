/** What kind of values a DuckDB type holds: what decides whether two surfaces' columns mean the same thing. */

/** `time`: dates and timestamps. `other`: structs, maps, blobs, times of day, intervals. */
export type ScalarClass = 'number' | 'text' | 'boolean' | 'time' | 'other';

export interface PhysicalType {
  /** As DuckDB writes it, e.g. `DECIMAL(10,2)[]`. */
  readonly sql: string;
  /** Class of the value, or of a list's elements (lists of lists are `other`). */
  readonly scalar: ScalarClass;
  readonly list: boolean;
  /** FLOAT, DOUBLE or DECIMAL (elements, for a list). */
  readonly fractional: boolean;
}

const INTEGERS = /^(?:U?(?:TINY|SMALL|BIG|HUGE)INT|U?INTEGER)$/;
const FRACTIONAL = /^(?:FLOAT|DOUBLE|DECIMAL\(.*\))$/;
const TEXT = /^(?:VARCHAR|UUID|ENUM\(.*\))$/s;
const TIME = /^(?:DATE|TIMESTAMP(?:_S|_MS|_NS)?|TIMESTAMP WITH TIME ZONE)$/;
const LIST = /^(.*)\[\d*\]$/s;

const scalarClass = (type: string): ScalarClass => {
  if (INTEGERS.test(type) || FRACTIONAL.test(type)) return 'number';
  if (TEXT.test(type)) return 'text';
  if (type === 'BOOLEAN') return 'boolean';
  return TIME.test(type) ? 'time' : 'other';
};

/** Reads a type as `DESCRIBE` gives it. */
export const parsePhysicalType = (sql: string): PhysicalType => {
  const element = LIST.exec(sql)?.[1];
  const scalar = element ?? sql;
  return { sql, scalar: scalarClass(scalar), list: element !== undefined, fractional: FRACTIONAL.test(scalar) };
};

/** Type of a list's elements; `undefined` for a type that is no list. */
export const elementType = (type: PhysicalType): PhysicalType | undefined => {
  const element = LIST.exec(type.sql)?.[1];
  return element === undefined ? undefined : parsePhysicalType(element);
};

/** `a list of numbers (BIGINT[])`, `text (VARCHAR)`. */
export const describeType = (type: PhysicalType): string => {
  const names: Readonly<Record<ScalarClass, readonly [string, string]>> = {
    number: ['a number', 'numbers'],
    text: ['text', 'texts'],
    boolean: ['a boolean', 'booleans'],
    time: ['a date or time', 'dates or times'],
    other: ['a nested or binary value', 'nested or binary values'],
  };
  const [one, many] = names[type.scalar];
  return `${type.list ? `a list of ${many}` : one} (${type.sql})`;
};
