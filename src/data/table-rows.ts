/** From raw values to rows of an embedding table. */
import { FIRST_VALUE_ROW, MISSING_ROW, UNKNOWN_ROW, type TableState } from './encoder-state.js';
import { hashText } from './hash.js';

/** Finds the row of one raw value, present and not null. */
export interface TableRows {
  ofText(value: string): number;
  ofNumber(value: number): number;
}

/** Numbers from here on are not all exact as doubles. */
const INEXACT = 2 ** 53;

/**
 * The text that identifies a raw number in vocabularies and hashes: 5, 5.0 and '5' are one value wherever they come
 * from, and −0 is 0. Other numbers are written as DuckDB casts a DOUBLE to text, which is what the staging tables hold.
 */
export const canonicalText = (value: number): string => {
  if (Number.isInteger(value) && Math.abs(value) < INEXACT) return String(value);
  if (!Number.isFinite(value)) return String(value);
  const [mantissa, exponent] = value.toExponential().split('e') as [string, string];
  const power = Number(exponent);
  if (power >= -4 && power < 16) return Number.isInteger(value) ? `${value}.0` : String(value);
  return `${mantissa}e${power < 0 ? '-' : '+'}${String(Math.abs(power)).padStart(2, '0')}`;
};

/** Number of elements of ascending `boundaries` that are ≤ `value`. */
export const countAtMost = (boundaries: ArrayLike<number>, value: number): number => {
  let low = 0;
  let high = boundaries.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (boundaries[middle]! <= value) low = middle + 1;
    else high = middle;
  }
  return low;
};

/** Row of the minutes between an event and its request: one row per doubling, the last row for everything longer. */
export const timeGapRow = (milliseconds: number, rows: number): number =>
  FIRST_VALUE_ROW + Math.min(Math.floor(Math.log2(1 + Math.max(0, milliseconds) / 60_000)), rows - FIRST_VALUE_ROW - 1);

const vocabularyRows = (values: readonly string[]): TableRows => {
  const byText = new Map<string, number>();
  // Integer ids are looked up without making strings; small ones without hashing.
  const byInteger = new Map<number, number>();
  let largest = -1;
  values.forEach((value, index) => {
    byText.set(value, FIRST_VALUE_ROW + index);
    const number = Number(value);
    if (Number.isSafeInteger(number) && canonicalText(number) === value) {
      byInteger.set(number, FIRST_VALUE_ROW + index);
      largest = Math.max(largest, number);
    }
  });
  const dense = new Int32Array(largest < 4 * values.length + 65_536 ? largest + 1 : 0).fill(UNKNOWN_ROW);
  byInteger.forEach((row, value) => {
    if (value >= 0 && value < dense.length) dense[value] = row;
  });
  return {
    ofText: (value) => byText.get(value) ?? UNKNOWN_ROW,
    ofNumber: (value) => {
      if (Number.isNaN(value)) return MISSING_ROW;
      return dense[value] ?? byInteger.get(value) ?? byText.get(canonicalText(value)) ?? UNKNOWN_ROW;
    },
  };
};

const hashRows = (buckets: number): TableRows => {
  const ofText = (value: string): number => FIRST_VALUE_ROW + (hashText(value) % buckets);
  return { ofText, ofNumber: (value) => (Number.isNaN(value) ? MISSING_ROW : ofText(canonicalText(value))) };
};

const bucketRows = (boundaries: readonly number[]): TableRows => {
  const sorted = Float64Array.from(boundaries);
  const ofNumber = (value: number): number => (Number.isNaN(value) ? MISSING_ROW : FIRST_VALUE_ROW + countAtMost(sorted, value));
  return { ofNumber, ofText: (value) => ofNumber(Number(value)) };
};

/** The lookup of one table; a `time_gap` table takes milliseconds. */
export const createTableRows = (table: TableState): TableRows => {
  switch (table.type) {
    case 'vocabulary':
      return vocabularyRows(table.values);
    case 'hash':
      return hashRows(table.buckets);
    case 'bucket':
      return bucketRows(table.boundaries);
    case 'time_gap':
      return {
        ofNumber: (value) => (Number.isNaN(value) ? MISSING_ROW : timeGapRow(value, table.rows)),
        ofText: (value) => timeGapRow(Number(value), table.rows),
      };
  }
};
