/** What the sources were: every local file with its size and checksum, so that a changed one is noticed. */
import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { relative } from 'node:path';
import { Writable, type Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import * as zlib from 'node:zlib';
import { DataError } from '../config/errors.js';
import type { Project } from '../config/project.js';
import type { Database } from './duckdb.js';
import { checksumFile } from './file-checksum.js';
import { explainIoFailure } from './io-failure.js';
import type { FileEntry, PreparedManifest } from './prepared.js';
import { sourceUses, type SourceUse } from './relations.js';
import { expandPattern, isRemote, sourceFiles } from './source-files.js';

export type SourceFingerprint = PreparedManifest['sources'][number];

/** Files that string literals of a query name, such as `read_csv('logs/*.csv')` or `FROM 'users.parquet'`. */
const queryFiles = async (database: Database, project: Project, sql: string): Promise<readonly string[]> => {
  const files = new Set<string>();
  for (const [literal] of sql.matchAll(/'(?:[^']|'')*'/g)) {
    const text = literal.slice(1, -1).replaceAll("''", "'");
    if (!/\.\w+$/.test(text) || isRemote(text)) continue;
    for (const file of await expandPattern(database, project.directory, text)) files.add(file);
  }
  const existing: string[] = [];
  for (const file of files) if (await stat(file).then((found) => found.isFile(), () => false)) existing.push(file);
  return existing.sort();
};

const filesOf = async (database: Database, project: Project, use: SourceUse): Promise<readonly string[]> =>
  'sql' in use.source ? queryFiles(database, project, use.source.sql) : (await sourceFiles(database, project, use.owner, use.source))!.files;

const describeSource = ({ source }: SourceUse): string => ('sql' in source ? source.sql : typeof source.files === 'string' ? source.files : source.files.join(', '));

/**
 * Fingerprints every source. Remote files are named but not read.
 *
 * @throws DataError for files that are not there, IoError for files that cannot be read
 */
export const fingerprintSources = async (database: Database, project: Project): Promise<readonly SourceFingerprint[]> => {
  const entries = new Map<string, FileEntry>();
  const fingerprint = async (file: string): Promise<FileEntry> => {
    const known = entries.get(file);
    if (known !== undefined) return known;
    try {
      const entry = { path: relative(project.directory, file), bytes: (await stat(file)).size, sha256: await checksumFile(file) };
      entries.set(file, entry);
      return entry;
    } catch (error) {
      throw explainIoFailure(error, file);
    }
  };
  const fingerprints: SourceFingerprint[] = [];
  for (const use of sourceUses(project)) {
    const files: FileEntry[] = [];
    for (const file of await filesOf(database, project, use)) if (!isRemote(file)) files.push(await fingerprint(file));
    fingerprints.push({ surface: use.owner, description: describeSource(use), files });
  }
  return fingerprints;
};

const decompressor = (file: string): Transform | undefined => {
  if (file.endsWith('.gz')) return zlib.createGunzip();
  // Node gained zstd in 22.15; before that DuckDB notices all but a cut between two rows.
  const { createZstdDecompress } = zlib as { createZstdDecompress?: () => Transform };
  return file.endsWith('.zst') ? createZstdDecompress?.() : undefined;
};

/**
 * Reads compressed text files to their end: DuckDB takes a cut-off gzip file for a shorter one.
 *
 * @throws DataError that names the file
 */
export const verifyCompressed = async (owner: string, files: readonly string[]): Promise<void> => {
  for (const file of files) {
    const stream = isRemote(file) ? undefined : decompressor(file);
    if (stream === undefined) continue;
    const discard = new Writable({ write: (_chunk, _encoding, done) => done() });
    try {
      await pipeline(createReadStream(file, { highWaterMark: 1 << 20 }), stream, discard);
    } catch (error) {
      throw new DataError(`${owner}: ${file} is truncated or damaged (${error instanceof Error ? error.message : String(error)})`, {
        where: file,
        expected: 'a complete compressed file',
        fix: 'write or copy the file again, then repeat the command',
        cause: error,
      });
    }
  }
};

