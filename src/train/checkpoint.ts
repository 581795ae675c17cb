import { createHash } from 'node:crypto';
import {
  closeSync, copyFileSync, existsSync, fsyncSync, linkSync, mkdirSync, openSync, readFileSync, readSync, renameSync, rmSync, statSync, writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { ArtifactError } from '../config/errors.js';
import { explainIoFailure } from '../data/io-failure.js';
import { CHECKPOINT_FILES, CHECKPOINT_VERSION, VOCABULARY_FILE, type CheckpointManifest, type FileDigest } from './checkpoint-manifest.js';
import type { CheckpointContents } from './checkpoint-snapshot.js';
import { writeSafetensors } from './safetensors.js';

const MANIFEST_FILE = 'checkpoint.json';

/** Where a checkpoint is written before it takes its place. */
const asideOf = (directory: string): string => `${directory}.writing`;

/** Where the checkpoint it replaces waits until then. */
const previousOf = (directory: string): string => `${directory}.previous`;

/** Makes a rename or a new file survive a power cut; some file systems cannot sync folders, which is no error. */
const syncFolder = (directory: string): void => {
  try {
    const folder = openSync(directory, 'r');
    try {
      fsyncSync(folder);
    } finally {
      closeSync(folder);
    }
  } catch (error) {
    if (!['EISDIR', 'EPERM', 'EINVAL'].includes((error as NodeJS.ErrnoException).code ?? '')) throw error;
  }
};

/** Hash of the manifest itself, which no other file can vouch for. */
const digestOf = (manifest: CheckpointManifest): string => createHash('sha256').update(JSON.stringify(manifest)).digest('hex');

const writeManifest = (path: string, manifest: CheckpointManifest): void => {
  const file = openSync(path, 'w');
  try {
    writeFileSync(file, `${JSON.stringify({ ...manifest, digest: digestOf(manifest) }, undefined, 2)}\n`);
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
};

/**
 * A folder cannot be replaced in one step: a kill between the two renames leaves the old checkpoint beside its place.
 * This puts it back.
 */
const recover = (directory: string): void => {
  if (!existsSync(directory) && existsSync(previousOf(directory))) renameSync(previousOf(directory), directory);
};

/** Where a checkpoint goes, and what it says about itself. */
export interface CheckpointTarget {
  readonly directory: string;
  readonly manifest: Omit<CheckpointManifest, 'version' | 'files'>;
  /** The run's vocabulary file, which the checkpoint gets a link to. */
  readonly vocabulary?: string | undefined;
}

/** Another name of a file that is never changed in place; a copy where the file system has no links. */
const linkFile = (from: string, to: string): void => {
  try {
    linkSync(from, to);
  } catch {
    copyFileSync(from, to);
  }
};

const digestsOf = (path: string): FileDigest => ({ bytes: statSync(path).size, sha256: hashFile(path) });

/** Fills a folder with a checkpoint's files, those of `written` linked, and its manifest last. */
const fillFolder = (folder: string, target: CheckpointTarget, contents: CheckpointContents, written?: { readonly directory: string; readonly files: CheckpointManifest['files'] }): CheckpointManifest => {
  const files = {} as Record<keyof CheckpointManifest['files'], FileDigest>;
  for (const name of CHECKPOINT_FILES) {
    if (written === undefined) files[name] = writeSafetensors(join(folder, name), contents[name]);
    else {
      linkFile(join(written.directory, name), join(folder, name));
      files[name] = written.files[name];
    }
  }
  if (target.vocabulary !== undefined) {
    const path = join(folder, VOCABULARY_FILE);
    linkFile(target.vocabulary, path);
    files[VOCABULARY_FILE] = digestsOf(path);
  }
  const manifest: CheckpointManifest = { version: CHECKPOINT_VERSION, ...target.manifest, files };
  writeManifest(join(folder, MANIFEST_FILE), manifest);
  syncFolder(folder);
  return manifest;
};

const putInPlace = (directory: string, fill: (folder: string) => CheckpointManifest): CheckpointManifest => {
  const aside = asideOf(directory);
  try {
    recover(directory);
    rmSync(aside, { recursive: true, force: true });
    mkdirSync(aside, { recursive: true });
    const manifest = fill(aside);
    rmSync(previousOf(directory), { recursive: true, force: true });
    if (existsSync(directory)) renameSync(directory, previousOf(directory));
    renameSync(aside, directory);
    syncFolder(dirname(directory));
    rmSync(previousOf(directory), { recursive: true, force: true });
    return manifest;
  } catch (error) {
    try {
      rmSync(aside, { recursive: true, force: true });
      recover(directory);
    } catch {
      // The first failure is the one to report.
    }
    throw explainIoFailure(error, directory);
  }
};

/**
 * Writes one state as checkpoints in several folders, in their order, each aside and renamed into place: whenever the
 * process dies, a folder holds the old checkpoint or the new one, whole, and none is newer than those before it.
 *
 * @returns the first one's manifest
 * @throws IoError when the file system refuses; the folder is as before, and nothing half-written stays.
 */
export const writeCheckpoints = (targets: readonly CheckpointTarget[], contents: CheckpointContents): CheckpointManifest => {
  let first: { readonly directory: string; readonly files: CheckpointManifest['files']; readonly manifest: CheckpointManifest } | undefined;
  for (const target of targets) {
    const manifest = putInPlace(target.directory, (folder) => fillFolder(folder, target, contents, first));
    first ??= { directory: target.directory, files: manifest.files, manifest };
  }
  return first!.manifest;
};

/** Writes one checkpoint; see {@link writeCheckpoints}. */
export const writeCheckpoint = (directory: string, manifest: CheckpointTarget['manifest'], contents: CheckpointContents): CheckpointManifest =>
  writeCheckpoints([{ directory, manifest }], contents);

/**
 * Removes a checkpoint, and what a killed process left of one: its manifest first, so that half of it is none.
 *
 * @throws IoError when the file system refuses
 */
export const removeCheckpoint = (directory: string): void => {
  try {
    for (const folder of [previousOf(directory), directory]) {
      rmSync(join(folder, MANIFEST_FILE), { force: true });
      rmSync(folder, { recursive: true, force: true });
    }
    rmSync(asideOf(directory), { recursive: true, force: true });
  } catch (error) {
    throw explainIoFailure(error, directory);
  }
};

const hashFile = (path: string): string => {
  const hash = createHash('sha256');
  const piece = Buffer.allocUnsafe(4 * 2 ** 20);
  try {
    const file = openSync(path, 'r');
    try {
      for (let read = readSync(file, piece); read > 0; read = readSync(file, piece)) hash.update(piece.subarray(0, read));
    } finally {
      closeSync(file);
    }
  } catch (cause) {
    throw explainIoFailure(cause, path);
  }
  return hash.digest('hex');
};

const torn = (path: string, message: string, expected: string, cause?: unknown): ArtifactError =>
  new ArtifactError(`torn checkpoint: ${path} ${message}; expected ${expected}`, {
    where: path,
    expected,
    fix: 'Restore the whole checkpoint folder from a copy, or train again.',
    cause,
  });

const readManifest = (path: string): CheckpointManifest => {
  let stored: CheckpointManifest & { readonly digest?: string };
  try {
    stored = JSON.parse(readFileSync(path, 'utf8')) as CheckpointManifest & { readonly digest?: string };
  } catch (cause) {
    if (cause instanceof SyntaxError) throw torn(path, 'is not whole JSON', 'the file that training wrote', cause);
    throw explainIoFailure(cause, path);
  }
  const { digest, ...manifest } = stored;
  if ((manifest.version as number) !== CHECKPOINT_VERSION) {
    throw new ArtifactError(`${path}: checkpoint format ${String(manifest.version)} is not known`, {
      where: path,
      expected: `format ${CHECKPOINT_VERSION}`,
      fix: 'Use the version of onefold that wrote it, or train again.',
    });
  }
  const actual = digestOf(manifest);
  if (digest !== actual) throw torn(path, `has digest ${String(digest)}`, `digest ${actual}, that of its contents`);
  return manifest;
};

/** True when there is a checkpoint to read, whole or not. */
export const checkpointExists = (directory: string): boolean =>
  existsSync(join(directory, MANIFEST_FILE)) || existsSync(join(previousOf(directory), MANIFEST_FILE));

/**
 * Reads what a checkpoint says about itself, after checking the size and SHA-256 of each of its files.
 *
 * @throws ArtifactError naming the file that is missing, short or altered; a torn checkpoint is never read.
 */
export const openCheckpoint = (directory: string): CheckpointManifest => {
  recover(directory);
  const path = join(directory, MANIFEST_FILE);
  if (!existsSync(path)) {
    throw new ArtifactError(`${directory} holds no checkpoint: ${MANIFEST_FILE} is missing`, {
      where: path,
      expected: 'a folder written by training',
      fix: 'Check the path, or train the model first.',
    });
  }
  const manifest = readManifest(path);
  for (const [name, { bytes, sha256 }] of Object.entries(manifest.files)) {
    const file = join(directory, name);
    if (!existsSync(file)) throw torn(file, 'is missing', `a file of ${bytes} bytes`);
    const actualBytes = statSync(file).size;
    if (actualBytes !== bytes) throw torn(file, `has ${actualBytes} bytes`, `${bytes} bytes`);
    const actual = hashFile(file);
    if (actual !== sha256) throw torn(file, `has SHA-256 ${actual}`, `SHA-256 ${sha256}`);
  }
  return manifest;
};
