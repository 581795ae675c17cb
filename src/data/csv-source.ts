/**
 * CSV as people write it: a header, a delimiter read off that header, quotes doubled. The dialect is fixed before DuckDB
 * looks for types, because its own search answers a broken row by choosing another dialect.
 */
import { DataError } from '../config/errors.js';
import { explainCsvError } from './csv-error.js';
import { explainDuckDbError, quoteLiteral, type Database } from './duckdb.js';
import { queryStep } from './sql-step.js';

const DELIMITERS = [',', '\t', ';', '|'] as const;

const splitHeader = (line: string, delimiter: string): string[] => {
  const names: string[] = [];
  let name = '';
  let quoted = false;
  for (const character of line) {
    if (character === '"') quoted = !quoted;
    else if (character === delimiter && !quoted) {
      names.push(name);
      name = '';
    } else name += character;
  }
  return [...names, name];
};

const headerLine = async (database: Database, file: string): Promise<string | undefined> => {
  // One column split on a character no header has gives raw lines, whatever the file's compression.
  const sql = `SELECT line FROM read_csv(${quoteLiteral(file)}, delim = chr(1), header = false, quote = '', escape = '', auto_detect = false, columns = {'line': 'VARCHAR'}, ignore_errors = true) LIMIT 1`;
  const [row] = await queryStep<{ line: string | null }>(database, file, sql);
  return row?.line ?? undefined;
};

const dialect = (delimiter: string): string => `delim = ${quoteLiteral(delimiter)}, header = true, quote = '"', escape = '"', comment = '', skip = 0`;

const readAll = (files: readonly string[], delimiter: string): string =>
  `read_csv([${files.map(quoteLiteral).join(', ')}], ${dialect(delimiter)}, sample_size = -1, union_by_name = true, filename = '@file')`;

/** Reads every row as text, which fails on the first malformed one with its line. */
const firstMalformedRow = async (database: Database, owner: string, file: string, header: string, delimiter: string): Promise<DataError | undefined> => {
  const columns = splitHeader(header, delimiter).map((_, index) => `'c${index}': 'VARCHAR'`);
  try {
    await database.run(`SELECT count(*) FROM read_csv(${quoteLiteral(file)}, ${dialect(delimiter)}, auto_detect = false, columns = {${columns.join(', ')}})`);
    return undefined;
  } catch (error) {
    return explainCsvError(error, owner, file);
  }
};

/**
 * Table function call that reads CSV files; types are told from every row of every file.
 *
 * @throws DataError that names the file and line of a malformed row, or an empty file
 */
export const csvScan = async (database: Database, owner: string, files: readonly string[]): Promise<string> => {
  const headers = new Map<string, string>();
  for (const file of files) {
    const header = await headerLine(database, file);
    if (header === undefined) {
      throw new DataError(`${owner}: ${file} is empty`, { where: file, expected: 'a header line and rows', fix: 'write the file again, or take it out of the source' });
    }
    headers.set(file, header);
  }
  const first = headers.get(files[0]!)!;
  const delimiter = [...DELIMITERS].sort((a, b) => splitHeader(first, b).length - splitHeader(first, a).length)[0]!;
  const scan = readAll(files, delimiter);
  try {
    await database.run(`DESCRIBE SELECT * FROM ${scan}`);
  } catch (error) {
    for (const file of files) {
      const malformed = await firstMalformedRow(database, owner, file, headers.get(file)!, delimiter);
      if (malformed !== undefined) throw malformed;
    }
    throw explainDuckDbError(error, { where: owner });
  }
  return scan;
};

