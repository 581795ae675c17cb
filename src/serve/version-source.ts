/** Where versions come from: folders of exports, or a registry whose pointer changes. */
import { existsSync } from 'node:fs';
import { readdir, readFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { ArtifactError, UsageError } from '../config/errors.js';
import { EXPORT_FILES } from '../export/manifest.js';

/** The versions that are to serve. */
export interface Target {
  readonly surfaces: Readonly<Record<string, { readonly version: string; readonly previous?: string | undefined }>>;
}

/** Tells which versions serve, and where they are. */
export interface VersionSource {
  target(): Promise<Target>;
  /** Which export a version's name means now, by its manifest's digest; undefined where nobody can tell, or it never changes. */
  digest(surface: string, version: string): Promise<string | undefined>;
  /** Folder with the files of a version. */
  directory(surface: string, version: string): Promise<string>;
  /** Folder with a new copy of a version whose files are damaged; undefined where there is no other copy. */
  renew(surface: string, version: string): Promise<string | undefined>;
  /** Calls back when the target changed; `onError` when that cannot be told for now. */
  watch(onChange: () => void, onError: (error: unknown) => void): { close(): void };
}

const isExport = (directory: string): boolean => existsSync(join(directory, EXPORT_FILES.manifest));

/** A folder is an export, or holds one per surface. */
const exportsIn = async (directory: string): Promise<readonly string[]> => {
  if (isExport(directory)) return [directory];
  const entries = await readdir(directory, { withFileTypes: true }).catch(() => []);
  const found = entries.filter((entry) => entry.isDirectory() && isExport(join(directory, entry.name))).map((entry) => join(directory, entry.name));
  if (found.length > 0) return found.sort();
  throw new ArtifactError(`${directory} holds no export`, {
    where: directory,
    expected: `a folder with ${EXPORT_FILES.manifest}, or with such folders, e.g. .onefold/unify/exports`,
    fix: 'check the path, or export a model first',
  });
};

/**
 * Every export in these folders.
 *
 * @throws ArtifactError when a folder holds none; UsageError when two are of one surface
 */
export const exportFolders = async (folders: readonly string[]): Promise<readonly string[]> => [...(await identified(folders)).values()].map(({ directory }) => directory);

/** Surface and digest of an export, before it is checked. */
const identify = async (directory: string): Promise<{ readonly surface: string; readonly version: string }> => {
  const path = join(directory, EXPORT_FILES.manifest);
  try {
    const { surface, digest } = JSON.parse(await readFile(path, 'utf8')) as { readonly surface: string; readonly digest: string };
    return { surface, version: digest.slice(0, 12) };
  } catch (cause) {
    throw new ArtifactError(`${path} is damaged`, { where: path, expected: 'whole JSON', fix: 'export the model again', cause });
  }
};

const identified = async (folders: readonly string[]): Promise<ReadonlyMap<string, { readonly version: string; readonly directory: string }>> => {
  const found = new Map<string, { readonly version: string; readonly directory: string }>();
  for (const folder of folders) {
    for (const directory of await exportsIn(resolve(folder))) {
      const { surface, version } = await identify(directory);
      const other = found.get(surface);
      if (other !== undefined) {
        throw new UsageError(`${other.directory} and ${directory} are both of surface "${surface}"`, { where: 'EXPORT', expected: 'one export a surface', fix: 'leave one out, or publish them one after the other' });
      }
      found.set(surface, { version, directory });
    }
  }
  return found;
};

/**
 * Exports in folders, which serve as they are until the server ends. Their versions are named by their digests.
 *
 * @throws ArtifactError when a folder holds none; UsageError when two are of one surface
 */
export const folderSource = async (folders: readonly string[]): Promise<VersionSource> => {
  const found = await identified(folders);
  return {
    target: () => Promise.resolve({ surfaces: Object.fromEntries([...found].map(([surface, { version }]) => [surface, { version }])) }),
    digest: () => Promise.resolve(undefined),
    directory: (surface) => Promise.resolve(found.get(surface)!.directory),
    renew: () => Promise.resolve(undefined),
    watch: () => ({ close: () => undefined }),
  };
};
