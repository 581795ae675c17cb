/** Checks an export's files once on a machine: the SHA-256 of gigabytes takes seconds that a start does not have. */
import { createHash } from 'node:crypto';
import { mkdir, readFile, rename, stat, writeFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join, resolve } from 'node:path';
import { ArtifactError } from '../../config/errors.js';
import type { EncoderSet } from '../../data/encoder-state.js';
import { digestOf, EXPORT_FILES, type ExportManifest } from '../../export/manifest.js';

/** What a checked file looked like: whoever writes to it changes this. */
interface FileStamp {
  readonly path: string;
  readonly bytes: number;
  readonly modified: string;
  /** When anything about it changed, its time of modification included: nobody can set this. */
  readonly changed: string;
  readonly inode: string;
  readonly device: string;
}

const RECORD_VERSION = 2;

interface VerifiedRecord {
  /** Those of version 1 were written before the export's predictions were checked. */
  readonly version: number;
  /** Of the manifest that vouched for the files. */
  readonly digest: string;
  readonly files: readonly FileStamp[];
}

export interface VerifiedExport {
  readonly manifest: ExportManifest;
  readonly encoders: EncoderSet;
  /**
   * Where every byte was read just now, because the export is new to this machine or changed: keeps in mind that it is whole, so that
   * it is not read in full again. For who has proven the rest of it too: a record stands for all that was checked.
   */
  readonly remember?: () => Promise<void>;
}

/** Records are beside no version: a registry may be read-only. */
const cacheDirectory = (): string => join(process.env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache'), 'onefold', 'verified');

const recordPath = (directory: string): string => join(cacheDirectory(), `${createHash('sha256').update(resolve(directory)).digest('hex').slice(0, 32)}.json`);

const stampOf = async (directory: string, path: string): Promise<FileStamp> => {
  const { size, mtimeNs, ctimeNs, ino, dev } = await stat(join(directory, path), { bigint: true });
  return { path, bytes: Number(size), modified: String(mtimeNs), changed: String(ctimeNs), inode: String(ino), device: String(dev) };
};

const stampsOf = (directory: string, { files }: Pick<ExportManifest, 'files'>): Promise<readonly FileStamp[]> =>
  Promise.all([EXPORT_FILES.manifest, ...files.map(({ path }) => path)].map((path) => stampOf(directory, path)));

const readJson = async <T>(path: string): Promise<T> => JSON.parse(await readFile(path, 'utf8')) as T;

/** The export as it is, where nothing about it changed since it was checked; undefined otherwise. */
const readUnchanged = async (directory: string): Promise<VerifiedExport | undefined> => {
  try {
    const record = await readJson<VerifiedRecord>(recordPath(directory));
    const { digest, ...manifest } = await readJson<ExportManifest & { readonly digest: string }>(join(directory, EXPORT_FILES.manifest));
    if (record.version !== RECORD_VERSION || digest !== record.digest || digestOf(manifest) !== digest) return undefined;
    if (JSON.stringify(await stampsOf(directory, manifest)) !== JSON.stringify(record.files)) return undefined;
    return { manifest, encoders: await readJson<EncoderSet>(join(directory, EXPORT_FILES.encoders)) };
  } catch {
    // Whatever is wrong is found, and named, by reading everything.
    return undefined;
  }
};

/** Without a place for records every start checks everything. */
const writeRecord = async (directory: string, record: VerifiedRecord): Promise<void> => {
  const path = recordPath(directory);
  try {
    await mkdir(cacheDirectory(), { recursive: true });
    await writeFile(`${path}.${process.pid}`, JSON.stringify(record));
    await rename(`${path}.${process.pid}`, path);
  } catch {
    return;
  }
};

/** Reads and checks everything. Stamps are from before, and the same after: a write meanwhile shows. */
const readStamped = async (directory: string): Promise<VerifiedExport & { readonly files: readonly FileStamp[] }> => {
  const before = await readJson<Pick<ExportManifest, 'files'>>(join(directory, EXPORT_FILES.manifest)).then((manifest) => stampsOf(directory, manifest)).catch(() => undefined);
  // Loaded here alone: it brings ONNX Runtime with it, which a start that has nothing to check need not wait for.
  const { readExport } = await import('../../export/open-export.js');
  // Whatever kept the stamps from being read is found, and named, here.
  const { manifest, encoders } = await readExport(directory);
  const files = await stampsOf(directory, manifest);
  const changed = files.find((stamp, index) => JSON.stringify(stamp) !== JSON.stringify(before?.[index]));
  if (changed === undefined) return { manifest, encoders, files };
  const path = join(directory, changed.path);
  throw new ArtifactError(`${path} changed while it was checked`, { where: path, expected: 'files that nobody writes to', fix: 'try again once the whole folder is there' });
};

/**
 * Reads an export whose files are whole. Until it is remembered, and whenever a file's size, times, inode or device differ from then,
 * every file is read and held against its SHA-256. What is not found otherwise: bits that a disk loses without a write, and
 * writes that leave no trace in the file system (to the device itself, or with the machine's clock set back); `full` finds
 * these too. Records are in `onefold/verified` of XDG_CACHE_HOME, or of ~/.cache: who can write there is trusted.
 *
 * @throws ArtifactError naming the file that is missing, torn or altered
 */
export const verifyOnce = async (directory: string, { full = false }: { readonly full?: boolean } = {}): Promise<VerifiedExport> => {
  const unchanged = full ? undefined : await readUnchanged(directory);
  if (unchanged !== undefined) return unchanged;
  const { manifest, encoders, files } = await readStamped(directory);
  return { manifest, encoders, remember: () => writeRecord(directory, { version: RECORD_VERSION, digest: digestOf(manifest), files }) };
};
