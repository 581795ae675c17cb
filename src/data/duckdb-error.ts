import { isAbsolute } from 'node:path';
import { DataError, IoError, OnefoldError } from '../config/errors.js';
import { explainIoFailure } from './io-failure.js';

/** What was being read or written when DuckDB failed. */
export interface DuckDbErrorContext {
  /** The place to name: a surface, a config path, a file. */
  readonly where: string;
  /** The fix to suggest where the error itself does not tell a better one. */
  readonly fix?: string;
}

// An `Invalid Error` without a type of its own is what the Parquet reader throws on bytes that make no sense.
const DAMAGED =
  /too small to be a Parquet file|No magic bytes found|TProtocolException|don't know what type|Out of buffer|(?:snappy|zstd|gzip|brotli|lz4|decompress)[^\n]*(?:fail|error|corrupt|invalid)|(?:fail|error|corrupt|invalid)[^\n]*(?:snappy|zstd|gzip|brotli|lz4|decompress)|ZSTD Decompression failure|Invalid compressed data|Failed to read Parquet file|corrupt|^Invalid Error:/iu;
const MISSING_COLUMN = /Referenced column "([^"]+)" not found|does not have a column named "([^"]+)"|column named "([^"]+)" (?:not found|does not exist)/iu;
const NO_FILES = /No files found that match the pattern "([^"]+)"/u;
const STORAGE = /No space left|Permission denied|Read-only file system|Cannot open file|Could not (?:write|create|remove|read)|failed to offload|max_temp_directory_size|Failed to create directory|^IO Error/iu;
const VALUE = /^(?:Conversion|Out of Range|Mismatch Type|Invalid Input) Error/iu;
const EXPRESSION = /^(?:Binder|Parser|Catalog) Error/iu;

/** First paragraph of DuckDB's message: what follows are reader settings and the query's text. */
const summary = (message: string): string => (message.split(/\n\s*\n|\nLINE \d/u)[0] ?? message).trim();

const quotedFile = (message: string): string | undefined => /(?:file|pattern|path)s?\s*[:=]?\s*["']?((?:\/|\.|\w)[^"'\n]*\.[\w.]+)["']?/iu.exec(message)?.[1];

const storageFix = (message: string): string => {
  if (/No space left|max_temp_directory_size/iu.test(message)) return 'free space on that disk, or point the workspace at another one';
  if (/Permission denied|Read-only/iu.test(message)) return 'grant this user access to it, or use another folder';
  return 'check that the path exists and that this user may access it';
};

/**
 * Turns what DuckDB throws into an error a user can act on. Errors that are already ours pass through;
 * the file system's own are explained, too.
 *
 * @returns a `DataError` for missing columns, values that do not convert, expressions DuckDB refuses and damaged files;
 *   an `IoError` for missing files, permissions and full disks; otherwise an `internal` error with DuckDB's message
 */
export const explainDuckDbError = (error: unknown, context: DuckDbErrorContext): OnefoldError => {
  const io = explainIoFailure(error, context.where);
  if (io instanceof OnefoldError) return io;
  const message = error instanceof Error ? error.message : String(error);
  const { where } = context;
  const details = (expected: string, fix: string) => ({ where, expected, fix: context.fix ?? fix, cause: error });

  const column = MISSING_COLUMN.exec(message);
  if (column !== null) {
    const name = column[1] ?? column[2] ?? column[3];
    const candidates = /Candidate bindings:[\s:]*([^\n]+)/u.exec(message)?.[1];
    return new DataError(
      `${where}: there is no column "${name}"${candidates === undefined ? '' : `; did you mean one of ${candidates}?`}`,
      details(`a column named "${name}"`, 'name an existing column in the config, or add the column to the source'),
    );
  }
  const pattern = NO_FILES.exec(message)?.[1];
  if (pattern !== undefined) {
    return new IoError(`${where}: no file matches ${pattern}`, details('at least one file', 'correct the path; it starts from the config file’s folder'));
  }
  if (DAMAGED.test(message)) {
    const file = quotedFile(message);
    return new DataError(`${where}: ${file === undefined ? 'a file' : `the file ${file}`} is truncated or damaged (${summary(message)})`, {
      ...details('a complete file', 'write or copy the file again, then repeat the command'),
      where: file ?? where,
    });
  }
  if (STORAGE.test(message)) {
    // A caller that names a file knows it better: DuckDB may have written it aside under another name.
    const place = isAbsolute(where) ? where : (quotedFile(message) ?? where);
    return new IoError(`${where}: ${summary(message)}`, { ...details('a file system that allows it', storageFix(message)), where: place });
  }
  if (/^Out of Memory Error/iu.test(message)) {
    return new IoError(`${where}: ${summary(message)}`, details('enough memory', 'raise data.memoryLimit in the config, or free memory on the machine'));
  }
  if (VALUE.test(message)) {
    return new DataError(`${where}: ${summary(message)}`, details('values of the declared type', 'correct the value, or map the column with an expression such as try_cast(…)'));
  }
  if (EXPRESSION.test(message)) {
    return new DataError(`${where}: DuckDB refuses the expression: ${summary(message)}`, details('a DuckDB expression over the source’s columns', 'correct the expression in the config'));
  }
  return new OnefoldError('internal', `${where}: ${message}`, { where, cause: error });
};
