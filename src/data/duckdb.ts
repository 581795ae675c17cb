/** DuckDB as the rest of Onefold sees it: SQL, columns without boxing, and bulk writing of typed arrays. */
import {
  DuckDBInstance,
  DuckDBDecimalValue,
  DuckDBListValue,
  DuckDBStructValue,
  type DuckDBConnection,
  type DuckDBValue,
} from '@duckdb/node-api';
import duckdb from '@duckdb/node-bindings';
import { explainDuckDbError } from './duckdb-error.js';
import { readVector, type RawColumn } from './raw-column.js';
import { createTableWriter, type ColumnType, type TableWriter } from './table-writer.js';

export { explainDuckDbError } from './duckdb-error.js';
export type { RawColumn, RawLists, RawNumbers, RawStrings } from './raw-column.js';
export type { ColumnType, TableWriter, WriteColumn } from './table-writer.js';

export interface DatabaseOptions {
  /** Database file; in memory when left out. */
  readonly path?: string;
  /** For example `4GB`. Beyond it DuckDB spills into `tempDirectory`. */
  readonly memoryLimit?: string;
  readonly threads?: number;
  readonly tempDirectory?: string;
}

/** Up to 2048 rows of a result. */
export interface RawChunk {
  readonly rowCount: number;
  readonly columnNames: readonly string[];
  /** @throws RangeError when the result has no column of that name */
  column(name: string): RawColumn;
}

export interface Database {
  /** Runs statements on the main connection. Temporary tables made here are visible to `run`, `rows` and `tableWriter` only. */
  run(sql: string): Promise<void>;
  /** All rows of a small result: bigints as numbers where exact (text otherwise), dates and timestamps as text. */
  rows<T>(sql: string): Promise<T[]>;
  /**
   * Streams a result in order, a chunk at a time, on a connection of its own: several streams may be open at once, and
   * none sees temporary tables.
   */
  stream(sql: string): AsyncGenerator<RawChunk, void, undefined>;
  /** Creates the temporary table `name` and appends typed arrays to it. Close the writer before reading the table. */
  tableWriter(name: string, columns: readonly { readonly name: string; readonly type: ColumnType }[]): Promise<TableWriter>;
  close(): void;
}

/** `name` as a quoted SQL identifier. */
export const quoteIdentifier = (name: string): string => `"${name.replaceAll('"', '""')}"`;

/** `value` as a SQL string literal. */
export const quoteLiteral = (value: string): string => `'${value.replaceAll("'", "''")}'`;

const plainValue = (value: DuckDBValue): unknown => {
  if (typeof value === 'bigint') {
    const number = Number(value);
    return Number.isSafeInteger(number) ? number : value.toString();
  }
  if (value === null || typeof value !== 'object') return value;
  if (value instanceof DuckDBListValue) return value.items.map(plainValue);
  if (value instanceof DuckDBDecimalValue) return value.toDouble();
  if (value instanceof DuckDBStructValue) {
    return Object.fromEntries(Object.entries(value.entries).map(([key, entry]) => [key, plainValue(entry)]));
  }
  return String(value);
};

async function* streamChunks(instance: DuckDBInstance, sql: string): AsyncGenerator<RawChunk, void, undefined> {
  const connection = await instance.connect();
  try {
    const result = await connection.stream(sql);
    const columnNames = result.columnNames();
    const positions = new Map(columnNames.map((name, index) => [name, index]));
    for (;;) {
      const chunk = await result.fetchChunk();
      if (chunk === null || chunk.rowCount === 0) return;
      const rowCount = chunk.rowCount;
      yield {
        rowCount,
        columnNames,
        column: (name) => {
          const index = positions.get(name);
          if (index === undefined) throw new RangeError(`the result has no column "${name}"`);
          return readVector(duckdb.data_chunk_get_vector(chunk.chunk, index), rowCount);
        },
      };
    }
  } finally {
    connection.closeSync();
  }
}

/**
 * Opens a DuckDB database.
 *
 * @throws IoError when `path` cannot be opened; the methods throw DuckDB's own errors, for {@link explainDuckDbError}
 */
export const openDatabase = async ({ path = ':memory:', memoryLimit, threads, tempDirectory }: DatabaseOptions = {}): Promise<Database> => {
  const options: Record<string, string> = {};
  if (memoryLimit !== undefined) options['memory_limit'] = memoryLimit;
  if (threads !== undefined) options['threads'] = String(threads);
  if (tempDirectory !== undefined) options['temp_directory'] = tempDirectory;
  let instance: DuckDBInstance;
  let connection: DuckDBConnection;
  try {
    instance = await DuckDBInstance.create(path, options);
    connection = await instance.connect();
  } catch (error) {
    throw explainDuckDbError(error, { where: path === ':memory:' ? 'DuckDB' : path });
  }
  return {
    async run(sql) {
      await connection.run(sql);
    },
    async rows<T>(sql: string) {
      const reader = await connection.runAndReadAll(sql);
      return reader.getRowObjects().map((row) => Object.fromEntries(Object.entries(row).map(([key, value]) => [key, plainValue(value)]))) as T[];
    },
    stream: (sql) => streamChunks(instance, sql),
    async tableWriter(name, columns) {
      const definition = columns.map((column) => `${quoteIdentifier(column.name)} ${column.type}`).join(', ');
      await connection.run(`CREATE OR REPLACE TEMPORARY TABLE ${quoteIdentifier(name)} (${definition})`);
      return createTableWriter(await connection.createAppender(name, 'main', 'temp'), columns.map((column) => column.type));
    },
    close() {
      connection.closeSync();
      instance.closeSync();
    },
  };
};
