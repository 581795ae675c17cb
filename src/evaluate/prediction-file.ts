import { rename, rm } from 'node:fs/promises';
import { DataError } from '../config/errors.js';
import { explainDuckDbError, openDatabase, quoteIdentifier, quoteLiteral, type ColumnType, type Database, type RawColumn, type WriteColumn } from '../data/duckdb.js';
import type { Predictions, TaskPredictions } from './predictions.js';

const TABLE = 'predictions';
const METADATA_KEY = 'onefold.predictions';
const FIX = 'give the file the columns docs/metrics.md lists under "Prediction files"';

/** The file's own metadata: names in index order, those without rows included. */
interface Names {
  readonly surfaces: readonly string[];
  readonly viewTypes: readonly string[];
}

interface FileColumn {
  readonly name: string;
  readonly type: ColumnType;
  readonly values: WriteColumn;
}

const taskColumns = ({ task, labels, probabilities, truths }: TaskPredictions): readonly FileColumn[] => [
  { name: `label.${task}`, type: 'FLOAT', values: labels },
  { name: `probability.${task}`, type: 'FLOAT', values: probabilities },
  ...(truths === undefined ? [] : [{ name: `truth.${task}`, type: 'DOUBLE' as const, values: truths }]),
];

/** SQL that names an index: `list[index + 1]`. */
const nameSql = (column: string, names: readonly string[]): string =>
  `(['${names.map((name) => name.replaceAll("'", "''")).join("','")}'])[${column} + 1] AS ${column}`;

/**
 * Writes predictions as Parquet: `surface` and `view_type` VARCHAR, `user` and `request` INTEGER, and per task
 * `label.<task>` FLOAT (NULL: no label), `probability.<task>` FLOAT (NULL: the surface lacks the task) and, where known,
 * `truth.<task>` DOUBLE. The same predictions give the same bytes. The file appears complete or not at all.
 *
 * @throws IoError when the file cannot be written.
 */
export const writePredictions = async (path: string, predictions: Predictions): Promise<void> => {
  const { count, surfaceNames, viewTypeNames } = predictions;
  const columns: readonly FileColumn[] = [
    { name: 'surface', type: 'INTEGER', values: predictions.surfaces },
    { name: 'view_type', type: 'INTEGER', values: predictions.viewTypes },
    { name: 'user', type: 'INTEGER', values: predictions.users },
    { name: 'request', type: 'INTEGER', values: predictions.requests },
    ...predictions.tasks.flatMap(taskColumns),
  ];
  const names: Names = { surfaces: surfaceNames, viewTypes: viewTypeNames };
  const selected = columns.map(({ name }) => {
    if (name === 'surface') return nameSql(name, surfaceNames);
    return name === 'view_type' ? nameSql(name, viewTypeNames) : quoteIdentifier(name);
  });
  const aside = `${path}.${process.pid}.tmp`;
  // One thread: how rows fall into row groups must not depend on the machine.
  const database = await openDatabase({ threads: 1 });
  try {
    const writer = await database.tableWriter(TABLE, columns);
    writer.append(columns.map(({ values }) => values), 0, count);
    writer.close();
    await database.run(
      `COPY (SELECT ${selected.join(', ')} FROM ${TABLE}) TO ${quoteLiteral(aside)} ` +
        `(FORMAT parquet, COMPRESSION zstd, KV_METADATA {${quoteLiteral(METADATA_KEY)}: ${quoteLiteral(JSON.stringify(names))}})`,
    );
    await rename(aside, path);
  } catch (error) {
    await rm(aside, { force: true });
    throw explainDuckDbError(error, { where: path });
  } finally {
    database.close();
  }
};

const readNames = async (database: Database, source: string): Promise<Names> => {
  const [stored] = await database.rows<{ value: string }>(
    `SELECT decode(value) AS value FROM parquet_kv_metadata(${source}) WHERE decode(key) = ${quoteLiteral(METADATA_KEY)}`,
  );
  if (stored !== undefined) return JSON.parse(stored.value) as Names;
  const distinct = async (column: string): Promise<readonly string[]> =>
    (await database.rows<{ name: string }>(
      `SELECT DISTINCT CAST(${column} AS VARCHAR) AS name FROM read_parquet(${source}) WHERE ${column} IS NOT NULL ORDER BY name`,
    )).map(({ name }) => name);
  return { surfaces: await distinct('surface'), viewTypes: await distinct('view_type') };
};

/** Numbers keys from 0 by first appearance. */
class KeyNumbers {
  readonly #numbers = new Map<string | number, number>();

  fill(column: RawColumn, name: string, path: string, start: number, count: number, into: Int32Array): void {
    for (let row = 0; row < count; row++) {
      const key = column.type === 'list' || (column.type === 'number' && !column.valid(row)) ? null : column.values[row]!;
      if (key === null) throw new DataError(`row ${start + row} of ${path} has no ${name}`, { where: `${path}, column ${name}`, expected: 'a number or a text', fix: FIX });
      let number = this.#numbers.get(key);
      if (number === undefined) this.#numbers.set(key, (number = this.#numbers.size));
      into[start + row] = number;
    }
  }
}

const fillNumbers = (column: RawColumn, name: string, path: string, start: number, count: number, into: Float32Array | Float64Array): void => {
  if (column.type !== 'number') {
    throw new DataError(`column ${name} of ${path} holds ${column.type === 'list' ? 'lists' : 'text'}`, { where: `${path}, column ${name}`, expected: 'numbers', fix: FIX });
  }
  for (let row = 0; row < count; row++) into[start + row] = column.valid(row) ? column.values[row]! : NaN;
};

const fillIndices = (column: RawColumn, name: string, path: string, start: number, count: number, into: Int32Array): void => {
  for (let row = 0; row < count; row++) {
    if (column.type !== 'number' || !column.valid(row)) {
      throw new DataError(`row ${start + row} of ${path} has no ${name}`, { where: `${path}, column ${name}`, expected: `the name of a ${name.replace('_', ' ')}`, fix: FIX });
    }
    into[start + row] = column.values[row]!;
  }
};

/** @throws DataError when a request's rows do not follow each other. */
const checkContiguous = (requests: Int32Array, path: string): void => {
  let newest = -1;
  for (let row = 0; row < requests.length; row++) {
    const request = requests[row]!;
    // Numbers are given by first appearance, so a smaller one than the newest is a request met before.
    if (request < newest) {
      throw new DataError(`row ${row} of ${path} belongs to a request whose other rows end earlier`, {
        where: `${path}, column request`,
        expected: 'the rows of a request next to each other',
        fix: 'sort the file by request',
      });
    }
    newest = request;
  }
};

/**
 * Reads a file {@link writePredictions} wrote, or one with the same columns from elsewhere. `user` and `request` may be
 * text or numbers; they are numbered from 0 by first appearance.
 *
 * @throws DataError when a column is missing or of another type, a key is missing, or requests are torn apart.
 * @throws IoError when the file cannot be read.
 */
export const readPredictions = async (path: string): Promise<Predictions> => {
  const database = await openDatabase();
  try {
    return await readFrom(database, path);
  } catch (error) {
    throw explainDuckDbError(error, { where: path });
  } finally {
    database.close();
  }
};

const readFrom = async (database: Database, path: string): Promise<Predictions> => {
  const source = quoteLiteral(path);
  const found = (await database.rows<{ column_name: string }>(`DESCRIBE SELECT * FROM read_parquet(${source})`)).map((column) => column.column_name);
  const tasks = found.filter((name) => name.startsWith('label.')).map((name) => name.slice('label.'.length));
  const required = ['surface', 'view_type', 'user', 'request', ...tasks.map((task) => `probability.${task}`)];
  const missing = tasks.length === 0 ? ['label.<task>'] : required.filter((name) => !found.includes(name));
  if (missing.length > 0) {
    throw new DataError(`${path} lacks column ${missing.join(', ')}`, { where: path, expected: required.join(', '), fix: FIX });
  }
  const names = await readNames(database, source);
  const [size] = await database.rows<{ count: number }>(`SELECT count(*) AS count FROM read_parquet(${source})`);
  const count = size!.count;
  const result = {
    surfaces: new Int32Array(count),
    viewTypes: new Int32Array(count),
    users: new Int32Array(count),
    requests: new Int32Array(count),
    tasks: tasks.map((task) => ({
      task,
      labels: new Float32Array(count),
      probabilities: new Float32Array(count),
      ...(found.includes(`truth.${task}`) ? { truths: new Float64Array(count) } : {}),
    })),
  };
  const listSql = (list: readonly string[]): string => `[${list.map(quoteLiteral).join(', ')}]::VARCHAR[]`;
  const columns = result.tasks.flatMap(({ task, truths }) => [`label.${task}`, `probability.${task}`, ...(truths === undefined ? [] : [`truth.${task}`])]);
  const indexSql = (column: string, list: readonly string[]): string => `CAST(list_position(${listSql(list)}, CAST(${column} AS VARCHAR)) - 1 AS INTEGER) AS ${column}`;
  const sql =
    `SELECT ${indexSql('surface', names.surfaces)}, ${indexSql('view_type', names.viewTypes)}, "user", request, ` +
    `${columns.map(quoteIdentifier).join(', ')} FROM read_parquet(${source})`;
  const users = new KeyNumbers();
  const requests = new KeyNumbers();
  let start = 0;
  for await (const chunk of database.stream(sql)) {
    const rows = chunk.rowCount;
    fillIndices(chunk.column('surface'), 'surface', path, start, rows, result.surfaces);
    fillIndices(chunk.column('view_type'), 'view_type', path, start, rows, result.viewTypes);
    users.fill(chunk.column('user'), 'user', path, start, rows, result.users);
    requests.fill(chunk.column('request'), 'request', path, start, rows, result.requests);
    for (const { task, labels, probabilities, truths } of result.tasks) {
      fillNumbers(chunk.column(`label.${task}`), `label.${task}`, path, start, rows, labels);
      fillNumbers(chunk.column(`probability.${task}`), `probability.${task}`, path, start, rows, probabilities);
      if (truths !== undefined) fillNumbers(chunk.column(`truth.${task}`), `truth.${task}`, path, start, rows, truths);
    }
    start += rows;
  }
  checkContiguous(result.requests, path);
  return { count, surfaceNames: names.surfaces, viewTypeNames: names.viewTypes, ...result };
};
