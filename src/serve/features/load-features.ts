/** Fills a store from files: users, items or events. Ids and times are read as `prepare` reads them. */
import { DataError } from '../../config/errors.js';
import { stopIfAborted } from '../../config/interruption.js';
import { explainDuckDbError, openDatabase } from '../../data/duckdb.js';
import type { ScalarClass } from '../../data/physical-type.js';
import type { RawColumn } from '../../data/raw-column.js';
import { openFeatureFile, type FeatureFile, type OpenFeatureFile } from './feature-file.js';
import { LONGEST_ID, type FeatureStore, type FeatureUpdate, type FeatureValue } from './feature-store.js';

export interface LoadOptions {
  readonly store: FeatureStore;
  readonly source: FeatureFile;
  /** Seconds from now; undefined: for good. */
  readonly ttl: number | undefined;
  readonly onProgress?: (rows: number) => void;
  readonly signal?: AbortSignal;
}

/** Memory DuckDB may use: rows only pass through it. */
const MEMORY_LIMIT = '1GB';

type Scalar = string | number | boolean | null;

/** Integers of 64 bits are texts where one of those beside them is no double. */
const integerOf = (text: string): Scalar => (Number.isSafeInteger(Number(text)) ? Number(text) : text);

const scalarAt = (column: RawColumn, row: number, scalar: ScalarClass): Scalar => {
  if (column.type === 'string') {
    const text = column.values[row] ?? null;
    return text !== null && scalar === 'number' ? integerOf(text) : text;
  }
  if (column.type === 'list' || !column.valid(row)) return null;
  const value = column.values[row]!;
  if (scalar === 'boolean') return value !== 0;
  return Number.isFinite(value) ? value : null;
};

const valueAt = (column: RawColumn, row: number, scalar: ScalarClass): FeatureValue => {
  if (column.type !== 'list') return scalarAt(column, row, scalar);
  if (!column.valid(row)) return null;
  const from = column.offsets[row]!;
  return Array.from({ length: column.offsets[row + 1]! - from }, (_, index) => scalarAt(column.child, from + index, scalar));
};

const textAt = (column: RawColumn, row: number): string => (column as { readonly values: readonly string[] }).values[row]!;

/** Row of its own file, from 1. */
const placeOf = async (file: OpenFeatureFile, column: (name: string) => RawColumn, row: number): Promise<string> => {
  const [name, number] = [textAt(column('@file'), row), Number(scalarAt(column('@row'), row, 'number'))];
  return `${name}, row ${number - ((await file.rowsBefore()).get(name) ?? 0)}`;
};

/** What makes a row of the file an update of the store. */
const updatesOf = (source: FeatureFile, ttl: number | undefined): ((id: string, time: number, values: Readonly<Record<string, FeatureValue>>) => FeatureUpdate) => {
  const expiry = ttl === undefined ? {} : { ttl };
  if (source.kind !== 'event') return source.kind === 'user' ? (user, _, features) => ({ user, features, ...expiry }) : (item, _, features) => ({ item, features, ...expiry });
  const { sequence } = source;
  // Fields are scalars: the file was refused otherwise.
  return (user, time, fields) => ({ event: { sequence, user, time, fields: fields as Readonly<Record<string, Scalar>> }, ...expiry });
};

/**
 * Loads files into a store, some thousands of rows at a time; what was written stays when a later row is refused.
 *
 * @returns rows written
 * @throws DataError for files and columns that are not there or do not fit, and for the first row without an id or time;
 *   IoError; OnefoldError `interrupted`
 */
export const loadFeatures = async ({ store, source, ttl, onProgress, signal }: LoadOptions): Promise<number> => {
  const database = await openDatabase({ threads: 2, memoryLimit: MEMORY_LIMIT });
  let rows = 0;
  try {
    const file = await openFeatureFile(database, source);
    const toUpdate = updatesOf(source, ttl);
    for await (const chunk of database.stream(file.select)) {
      stopIfAborted(signal, 'loading was interrupted; what was written stays', file.name);
      const column = (name: string): RawColumn => chunk.column(name);
      const [codes, ids, times] = [column('@code'), column('@id'), column('@moment')];
      const features = file.features.map((feature, index) => ({ ...feature, values: column(`@f${index}`) }));
      const updates: FeatureUpdate[] = [];
      for (let row = 0; row < chunk.rowCount; row += 1) {
        const check = codes.type === 'number' && codes.valid(row) ? file.checks[codes.values[row]! - 1] : undefined;
        if (check !== undefined) {
          const place = await placeOf(file, column, row);
          throw new DataError(`${place}: ${check.reason} (${textAt(column('@value'), row)})`, { where: place, expected: check.expected, fix: 'correct the row; those before it may be written already' });
        }
        const id = textAt(ids, row);
        if (id === '' || Buffer.byteLength(id) > LONGEST_ID) {
          const place = await placeOf(file, column, row);
          throw new DataError(`${place}: an id of ${Buffer.byteLength(id)} bytes`, { where: place, expected: `1 to ${LONGEST_ID} bytes`, fix: 'correct the row; those before it may be written already' });
        }
        const values = Object.fromEntries(features.map(({ name, scalar, values: of }) => [name, valueAt(of, row, scalar)]));
        updates.push(toUpdate(id, Number(scalarAt(times, row, 'number')), values));
      }
      await store.write(updates);
      rows += updates.length;
      onProgress?.(rows);
    }
    return rows;
  } catch (error) {
    throw explainDuckDbError(error, { where: source.file });
  } finally {
    database.close();
  }
};
