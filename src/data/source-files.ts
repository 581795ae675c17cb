/** Which files a source means, and how each is read. */
import { existsSync } from 'node:fs';
import { isAbsolute, resolve } from 'node:path';
import type { Project, Source } from '../config/project.js';
import { DataError } from '../config/errors.js';
import { quoteLiteral, type Database } from './duckdb.js';
import { queryStep } from './sql-step.js';

export type FileFormat = 'parquet' | 'csv' | 'jsonl';

export interface SourceFiles {
  /** Absolute paths in name order, or URLs as given. */
  readonly files: readonly string[];
  readonly format: FileFormat;
}

const EXTENSIONS: readonly (readonly [RegExp, FileFormat])[] = [
  [/\.(?:parquet|pq)$/i, 'parquet'],
  [/\.(?:csv|tsv)(?:\.(?:gz|zst))?$/i, 'csv'],
  [/\.(?:jsonl|ndjson|json)(?:\.(?:gz|zst))?$/i, 'jsonl'],
];

/** A file DuckDB fetches itself (`s3://`, `https://`): not globbed and not fingerprinted here. */
export const isRemote = (file: string): boolean => /^[a-z][a-z0-9+.-]+:\/\//i.test(file);

const absolute = (directory: string, file: string): string => (isAbsolute(file) || isRemote(file) ? file : resolve(directory, file));

/** Files a pattern matches, in name order; a path that exists is taken as it is, whatever characters it has. */
export const expandPattern = async (database: Database, directory: string, pattern: string): Promise<readonly string[]> => {
  const path = absolute(directory, pattern);
  if (isRemote(path) || existsSync(path)) return [path];
  const rows = await queryStep<{ file: string }>(database, pattern, `SELECT file FROM glob(${quoteLiteral(path)}) ORDER BY file`);
  return rows.map((row) => row.file);
};

const formatOf = (owner: string, file: string): FileFormat => {
  const format = EXTENSIONS.find(([extension]) => extension.test(file))?.[1];
  if (format !== undefined) return format;
  throw new DataError(`${owner}: the format of ${file} cannot be told from its name`, {
    where: file,
    expected: '.parquet, .csv, .tsv, .jsonl or .ndjson, also with .gz or .zst',
    fix: "add format: 'parquet', 'csv' or 'jsonl' to the source",
  });
};

/**
 * Files of a file source; `undefined` for a query.
 *
 * @throws DataError when a pattern matches nothing or formats are mixed
 */
export const sourceFiles = async (database: Database, project: Pick<Project, 'directory'>, owner: string, source: Source): Promise<SourceFiles | undefined> => {
  if ('sql' in source) return undefined;
  const patterns = typeof source.files === 'string' ? [source.files] : source.files;
  const files: string[] = [];
  for (const pattern of patterns) {
    const matched = await expandPattern(database, project.directory, pattern);
    if (matched.length === 0) {
      throw new DataError(`${owner}: no file matches ${absolute(project.directory, pattern)}`, {
        where: pattern,
        expected: 'at least one file',
        fix: `correct the path in the config; relative ones start from ${project.directory}`,
      });
    }
    for (const file of matched) if (!files.includes(file)) files.push(file);
  }
  const formats = new Set(files.map((file) => source.format ?? formatOf(owner, file)));
  if (formats.size > 1) {
    throw new DataError(`${owner}: its files have several formats (${[...formats].join(', ')})`, {
      where: patterns.join(', '),
      expected: 'files of one format',
      fix: 'narrow the pattern, or read them in one query with sql',
    });
  }
  return { files, format: [...formats][0]! };
};
