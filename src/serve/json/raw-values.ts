/** JSON values as raw columns. Paths are made only when a value does not fit. */
import type { RawColumn, RawLists, RawNumbers, RawStrings } from '../../data/raw-column.js';
import { canonicalText } from '../../data/table-rows.js';
import { isTime, type RawInput } from '../raw-request.js';
import { RequestError } from '../request-error.js';
import { EXACT, isExact } from './exact-text.js';

/** Where a value stands: made into a path only for an error. */
export type PathOf = (row: number) => string;

const describe = (value: unknown): string => {
  if (value === undefined) return 'missing';
  if (value === null) return 'null';
  if (Array.isArray(value)) return 'a list';
  if (typeof value === 'number' && !Number.isFinite(value)) return 'a number that is too large';
  return typeof value === 'object' ? 'an object' : `${typeof value} ${JSON.stringify(value)?.slice(0, 40) ?? ''}`.trim();
};

/** A value that does not fit where it stands. */
export const misfit = (path: string, value: unknown, expected: string): RequestError =>
  new RequestError('invalid', `${path} is ${describe(value)}`, { path, expected });

const toText = (value: unknown, path: () => string): string | null => {
  if (typeof value === 'string') return value;
  if (typeof value === 'number') {
    if (isExact(value)) return canonicalText(value);
    throw misfit(path(), value, EXACT);
  }
  if (value === null || value === undefined) return null;
  if (typeof value === 'boolean') return value ? 'true' : 'false';
  throw misfit(path(), value, 'a text, a number, true or false, or null');
};

/** JSON's 1e999 is read as an infinite number, which no training row has. */
const toNumber = (value: unknown, path: () => string): number => {
  if (typeof value === 'number' && Number.isFinite(value)) return value;
  if (value === null || value === undefined) return NaN;
  if (typeof value === 'boolean') return value ? 1 : 0;
  throw misfit(path(), value, 'a number, true or false, or null');
};

/** A moment is nothing but a number: true would be one just after 1970. */
const toTime = (value: unknown, path: () => string): number => {
  if (typeof value !== 'boolean' && typeof value !== 'string') return toNumber(value, path);
  throw misfit(path(), value, 'epoch milliseconds, a number, or null');
};

const numberReader = (input: RawInput): typeof toNumber => (isTime(input) ? toTime : toNumber);

/** NaN is what no JSON number is, so it can stand for null. */
const numbersOf = (values: Float64Array): RawNumbers => ({ type: 'number', values, valid: (row) => !Number.isNaN(values[row]!) });

const scalars = (input: RawInput, count: number, at: (row: number) => unknown, path: PathOf): RawNumbers | RawStrings => {
  if (input.type === 'text') {
    const values = new Array<string | null>(count);
    for (let row = 0; row < count; row += 1) {
      const value = at(row);
      values[row] = typeof value === 'string' ? value : toText(value, () => path(row));
    }
    return { type: 'string', values };
  }
  const values = new Float64Array(count);
  const read = numberReader(input);
  for (let row = 0; row < count; row += 1) {
    const value = at(row);
    values[row] = typeof value === 'number' && Number.isFinite(value) ? value : read(value, () => path(row));
  }
  return numbersOf(values);
};

const misfitList = (path: string, value: unknown, size: number | undefined): RequestError => {
  if (size === undefined) return misfit(path, value, 'a list, or null');
  const expected = `a list of ${size} numbers, or null`;
  return Array.isArray(value) ? new RequestError('invalid', `${path} has ${value.length} numbers`, { path, expected }) : misfit(path, value, expected);
};

const lists = (input: RawInput, count: number, at: (row: number) => unknown, path: PathOf, size: number | undefined): RawLists => {
  const offsets = new Int32Array(count + 1);
  const found = new Array<readonly unknown[] | null>(count);
  for (let row = 0; row < count; row += 1) {
    const value = at(row);
    if (value === null || value === undefined) found[row] = null;
    else if (Array.isArray(value) && (size === undefined || value.length === size)) found[row] = value;
    else throw misfitList(path(row), value, size);
    offsets[row + 1] = offsets[row]! + (found[row]?.length ?? 0);
  }
  const total = offsets[count]!;
  const read = numberReader(input);
  const [texts, numbers] = input.type === 'text' ? [new Array<string | null>(total), undefined] : [undefined, new Float64Array(total)];
  for (let row = 0; row < count; row += 1) {
    const list = found[row];
    if (list === null || list === undefined) continue;
    for (let index = 0, to = offsets[row]!; index < list.length; index += 1, to += 1) {
      const element = (): string => `${path(row)}[${index}]`;
      if (texts === undefined) numbers![to] = read(list[index], element);
      else texts[to] = toText(list[index], element);
    }
  }
  return { type: 'list', offsets, valid: (row) => found[row] !== null, child: texts === undefined ? numbersOf(numbers!) : { type: 'string', values: texts } };
};

/**
 * One column of `count` rows.
 *
 * @param at the value of a row; undefined: there is none
 * @throws RequestError `invalid` for the first value that does not fit the input
 */
export const readColumn = (input: RawInput, count: number, at: (row: number) => unknown, path: PathOf): RawColumn => {
  const { form } = input;
  if (form === 'scalar') return scalars(input, count, at, path);
  return lists(input, count, at, path, form === 'list' ? undefined : form.vector);
};

/** The column of a name that nothing reads: it is told of, and never looked at. */
export const UNREAD: RawColumn = { type: 'string', values: [] };
