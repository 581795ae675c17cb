/** Opens a prepared dataset, after making sure that it is whole. */
import { readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { ArtifactError } from '../config/errors.js';
import { checksumFile } from './file-checksum.js';
import { explainIoFailure } from './io-failure.js';
import { SPLITS, type FileEntry, type PreparedManifest } from './prepared.js';

export const MANIFEST_FILE = 'manifest.json';
export const MERGE_REPORT_FILE = 'merge-report.json';
export const QUARANTINE_FILE = 'quarantine.parquet';

const AGAIN = 'run `onefold prepare` again';

const readManifest = async (directory: string): Promise<PreparedManifest> => {
  const path = join(directory, MANIFEST_FILE);
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT' && (error as NodeJS.ErrnoException).code !== 'ENOTDIR') throw explainIoFailure(error, path);
    throw new ArtifactError(`there is no prepared dataset at ${directory}`, { where: path, expected: 'a folder written by `onefold prepare`', fix: 'run `onefold prepare` first', cause: error });
  }
  let manifest: Partial<PreparedManifest> | null;
  try {
    manifest = JSON.parse(text) as Partial<PreparedManifest> | null;
  } catch (error) {
    throw new ArtifactError(`${path} is torn: it is no JSON`, { where: path, expected: 'a whole manifest', fix: AGAIN, cause: error });
  }
  if (manifest?.version !== 1) {
    throw new ArtifactError(`${path} is of version ${String(manifest?.version)}`, { where: path, expected: 'version 1', fix: AGAIN });
  }
  return manifest as PreparedManifest;
};

const filesOf = (manifest: PreparedManifest): readonly FileEntry[] => [
  ...SPLITS.flatMap((split) => manifest.splits[split].shards.flatMap((shard) => [shard.requests, shard.candidates])),
  ...Object.values(manifest.rawRows),
];

/**
 * Reads the manifest of a prepared dataset and checks that every file it names is there in its size.
 *
 * @param options.verify also compare checksums, which reads all files
 * @throws ArtifactError when there is none, or when it is torn, altered or of another version
 */
export const loadPrepared = async (directory: string, { verify = false }: { readonly verify?: boolean } = {}): Promise<PreparedManifest> => {
  const manifest = await readManifest(directory);
  for (const file of filesOf(manifest)) {
    const path = join(directory, file.path);
    let bytes: number;
    try {
      bytes = (await stat(path)).size;
    } catch (error) {
      throw new ArtifactError(`${path} is missing from the prepared dataset`, { where: path, expected: `a file of ${file.bytes} bytes`, fix: AGAIN, cause: error });
    }
    if (bytes !== file.bytes) {
      throw new ArtifactError(`${path} is torn: it has ${bytes} bytes`, { where: path, expected: `${file.bytes} bytes, as the manifest says`, fix: AGAIN });
    }
    if (verify && (await checksumFile(path)) !== file.sha256) {
      throw new ArtifactError(`${path} was altered: its checksum is not the manifest's`, { where: path, expected: `SHA-256 ${file.sha256}`, fix: AGAIN });
    }
  }
  return manifest;
};
