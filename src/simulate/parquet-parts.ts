import duckdb from '@duckdb/node-bindings';
import { join } from 'node:path';
import { explainDuckDbError } from '../data/duckdb-error.js';
import { ColumnBuffer } from './column-buffer.js';
import type { ColumnSpec, LevelBuffer } from './column-buffer.js';

/** Rows a DuckDB data chunk holds. */
const CHUNK_ROWS = 2048;

const sqlString = (text: string): string => `'${text.replaceAll("'", "''")}'`;

const SQL_TYPES = { int32: 'INTEGER', float: 'FLOAT', timestamp: 'TIMESTAMP' } as const;

/** A private DuckDB on one thread, which keeps rows in their order: the same rows give the same bytes. */
export const openWriterDatabase = async (): Promise<{ connection: duckdb.Connection; close: () => void }> => {
  const database = await duckdb.open(':memory:');
  const connection = await duckdb.connect(database);
  await duckdb.query(connection, 'SET threads = 1; SET preserve_insertion_order = true');
  return {
    connection,
    close: () => {
      duckdb.disconnect_sync(connection);
      duckdb.close_sync(database);
    },
  };
};

export interface ParquetPartsOptions {
  readonly connection: duckdb.Connection;
  /** An existing folder; files are `part-00000.parquet` and so on. */
  readonly folder: string;
  /** Name of the table behind it, unique in the database. */
  readonly table: string;
  readonly columns: readonly ColumnSpec[];
  /** A part is closed at the first chunk that brings it to this many values of the longest column. */
  readonly partValues: number;
}

/**
 * Streams rows into numbered Parquet files: values wait in typed arrays, move to DuckDB as whole vectors, and leave as a
 * file whenever a part is full, so that memory stays bounded however long the log.
 */
export class ParquetParts {
  readonly columns: ReadonlyMap<string, ColumnBuffer>;
  readonly #options: ParquetPartsOptions;
  readonly #buffers: readonly ColumnBuffer[];
  #appender: duckdb.Appender | undefined;
  #chunk: duckdb.DataChunk | undefined;
  #rows = 0;
  #partValues = 0;
  #parts = 0;

  constructor(options: ParquetPartsOptions) {
    this.#options = options;
    this.#buffers = options.columns.map((spec) => new ColumnBuffer(spec, CHUNK_ROWS));
    this.columns = new Map(this.#buffers.map((buffer) => [buffer.spec.name, buffer]));
  }

  /** The buffer of a declared column. */
  column(name: string): ColumnBuffer {
    const buffer = this.columns.get(name);
    if (buffer === undefined) throw new RangeError(`table ${this.#options.table} has no column ${name}`);
    return buffer;
  }

  /** Ends the row: every column has its value by then. Returns true when `flush` is due. */
  endRow(values: number): boolean {
    this.#rows++;
    this.#partValues += values;
    return this.#rows === CHUNK_ROWS;
  }

  /** Moves waiting rows to DuckDB, and a full part to its file. */
  async flush(): Promise<void> {
    if (this.#rows > 0) {
      await this.#open();
      this.#appendChunk();
    }
    if (this.#partValues >= this.#options.partValues) await this.#writePart();
  }

  /** Writes what is left; the folder holds at least one file afterwards. */
  async finish(): Promise<void> {
    await this.flush();
    if (this.#partValues > 0 || this.#parts === 0) await this.#writePart();
  }

  async #open(): Promise<void> {
    if (this.#appender !== undefined) return;
    const { connection, table } = this.#options;
    const definitions: string[] = [];
    for (const { spec } of this.#buffers) {
      let type: string;
      if (spec.type.kind === 'name') {
        type = `${table}_${spec.name}_name`;
        if (this.#parts === 0) await duckdb.query(connection, `CREATE TYPE ${type} AS ENUM (${spec.type.names.map(sqlString).join(', ')})`);
      } else {
        type = SQL_TYPES[spec.type.kind];
      }
      definitions.push(`${spec.name} ${type}${'[]'.repeat(spec.depth)}`);
    }
    await duckdb.query(connection, `CREATE OR REPLACE TABLE ${table} (${definitions.join(', ')})`);
    const appender = duckdb.appender_create(connection, null, table);
    this.#chunk ??= duckdb.create_data_chunk(this.#buffers.map((_, column) => duckdb.appender_column_type(appender, column)));
    this.#appender = appender;
  }

  #appendChunk(): void {
    const chunk = this.#chunk!;
    duckdb.data_chunk_reset(chunk);
    this.#buffers.forEach((buffer, column) => {
      writeColumn(duckdb.data_chunk_get_vector(chunk, column), buffer, this.#rows);
      buffer.clear();
    });
    duckdb.data_chunk_set_size(chunk, this.#rows);
    duckdb.append_data_chunk(this.#appender!, chunk);
    this.#rows = 0;
  }

  async #writePart(): Promise<void> {
    await this.#open();
    duckdb.appender_close_sync(this.#appender!);
    this.#appender = undefined;
    const { connection, folder, table } = this.#options;
    const file = join(folder, `part-${String(this.#parts).padStart(5, '0')}.parquet`);
    try {
      await duckdb.query(connection, `COPY ${table} TO ${sqlString(file)} (FORMAT parquet, COMPRESSION zstd, COMPRESSION_LEVEL 1)`);
    } catch (cause) {
      throw explainDuckDbError(cause, { where: file });
    }
    await duckdb.query(connection, `DROP TABLE ${table}`);
    this.#parts++;
    this.#partValues = 0;
  }
}

const writeColumn = (vector: duckdb.Vector, buffer: ColumnBuffer, rows: number): void => {
  const { depth } = buffer.spec;
  let target = vector;
  if (depth > 0) {
    target = writeLists(target, buffer.rows, depth === 2 ? buffer.inner.count : buffer.leaf.count);
    if (depth === 2) target = writeLists(target, buffer.inner, buffer.leaf.count);
  }
  const count = depth === 0 ? rows : buffer.leaf.count;
  const bytesPerValue = buffer.values.BYTES_PER_ELEMENT * (buffer.spec.type.kind === 'timestamp' ? 2 : 1);
  if (count > 0) duckdb.copy_data_to_vector(target, 0, buffer.values.buffer as ArrayBuffer, 0, count * bytesPerValue);
  writeNulls(target, buffer.leaf);
};

/** Writes one level of lists and returns the vector of their elements. */
const writeLists = (vector: duckdb.Vector, level: LevelBuffer, elements: number): duckdb.Vector => {
  duckdb.copy_data_to_vector(vector, 0, level.entries.buffer as ArrayBuffer, 0, level.count * 16);
  writeNulls(vector, level);
  duckdb.list_vector_reserve(vector, elements);
  duckdb.list_vector_set_size(vector, elements);
  return duckdb.list_vector_get_child(vector);
};

const writeNulls = (vector: duckdb.Vector, level: LevelBuffer): void => {
  if (level.nulls === 0) return;
  duckdb.vector_ensure_validity_writable(vector);
  duckdb.copy_data_to_vector_validity(vector, 0, level.validity.buffer as ArrayBuffer, 0, Math.ceil(level.count / 64) * 8);
};
