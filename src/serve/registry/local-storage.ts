/** A registry in a folder, which may be on a network file system. */
import { createHash, randomUUID } from 'node:crypto';
import { existsSync, watch } from 'node:fs';
import { constants, copyFile, mkdir, open, readdir, readFile, rename, rm } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { ArtifactError } from '../../config/errors.js';
import { explainIoFailure } from '../../data/io-failure.js';
import { EXPORT_FILES } from '../../export/manifest.js';
import { FileLock } from './file-lock.js';
import { createPartial, removeAbandoned } from './partial-folders.js';
import { historyPath, REGISTRY_PATHS, versionPath, type RegistryStorage, type StoredPointer } from './registry-storage.js';
import type { PublishedVersion } from './registry.js';
import { otherContents, readVersionFiles } from './version-files.js';

/** Changes that a folder's own events do not tell of (on network file systems) are seen after this. */
const POLL_MS = 200;

const codeOf = (error: unknown): string | undefined => (error as NodeJS.ErrnoException).code;

/** What `read` gives; undefined where nothing is there. */
const ifThere = async <T>(path: string, read: (path: string) => Promise<T>): Promise<T | undefined> => {
  try {
    return await read(path);
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return undefined;
    throw explainIoFailure(error, path);
  }
};

const readText = (path: string): Promise<string> => readFile(path, 'utf8');

/** Whoever is told that something was written finds it after a power failure. */
const sync = async (path: string): Promise<void> => {
  const file = await open(path, 'r');
  try {
    await file.sync();
  } finally {
    await file.close();
  }
};

/** Names of a folder's files; not every file system has, or needs, this. */
const syncFolder = (path: string): Promise<void> => sync(path).catch(() => undefined);

/** Writes aside, to the disk, then renames: a reader has the old file or the new one. False when `mayReplace` says no. */
const replaceFile = async (path: string, text: string, mayReplace: () => Promise<boolean> = () => Promise.resolve(true)): Promise<boolean> => {
  const aside = `${path}.${randomUUID()}`;
  try {
    const file = await open(aside, 'w');
    try {
      await file.writeFile(text);
      await file.sync();
    } finally {
      await file.close();
    }
    if (!(await mayReplace())) return false;
    await rename(aside, path);
    await syncFolder(dirname(path));
    return true;
  } finally {
    await rm(aside, { force: true });
  }
};

/** Loaded here alone: it brings ONNX Runtime with it, which a rollback need not wait for. */
const check = async (directory: string): Promise<void> => {
  const { readExport } = await import('../../export/open-export.js');
  await readExport(directory);
};

/** Whether every byte of a version is as its manifest says. */
const isWhole = async (directory: string): Promise<boolean> => {
  try {
    await check(directory);
    return true;
  } catch (error) {
    if (error instanceof ArtifactError) return false;
    throw error;
  }
};

class LocalStorage implements RegistryStorage {
  readonly pollMs = POLL_MS;
  readonly #root: string;
  readonly #lock: FileLock;

  constructor(location: string) {
    this.#root = resolve(location);
    this.#lock = new FileLock(this.#path('current.lock'));
  }

  async readPointer(): Promise<StoredPointer | undefined> {
    const text = await ifThere(this.#path(REGISTRY_PATHS.pointer), readText);
    return text === undefined ? undefined : { text, tag: createHash('sha256').update(text).digest('hex') };
  }

  async writePointer(text: string, tag: string | undefined): Promise<boolean> {
    try {
      await mkdir(this.#root, { recursive: true });
      return await this.#lock.tryRun(async (isHeld) => {
        if ((await this.readPointer())?.tag !== tag) return false;
        await this.#removeLeftovers();
        return replaceFile(this.#path(REGISTRY_PATHS.pointer), text, isHeld);
      });
    } catch (error) {
      throw explainIoFailure(error, this.#path(REGISTRY_PATHS.pointer));
    }
  }

  async remember(revision: number, text: string): Promise<void> {
    const path = this.#path(historyPath(revision));
    try {
      await mkdir(dirname(path), { recursive: true });
      await replaceFile(path, text);
    } catch (error) {
      throw explainIoFailure(error, path);
    }
  }

  recall(revision: number): Promise<string | undefined> {
    return ifThere(this.#path(historyPath(revision)), readText);
  }

  async forget(revision: number): Promise<void> {
    await rm(this.#path(historyPath(revision)), { force: true });
  }

  async versions(): Promise<readonly PublishedVersion[]> {
    const names = async (path: string): Promise<readonly string[]> =>
      ((await ifThere(path, (folder) => readdir(folder, { withFileTypes: true }))) ?? []).filter((entry) => entry.isDirectory() && !entry.name.startsWith('.')).map(({ name }) => name);
    const surfaces = await names(this.#path(REGISTRY_PATHS.versions));
    const found = await Promise.all(
      surfaces.map(async (surface) => (await names(this.#path(REGISTRY_PATHS.versions, surface))).map((version) => ({ surface, version }))),
    );
    return found.flat().filter(({ surface, version }) => existsSync(this.#path(versionPath(surface, version), EXPORT_FILES.manifest)));
  }

  async add(surface: string, version: string, directory: string): Promise<void> {
    const target = this.#path(versionPath(surface, version));
    const { manifest, files } = await readVersionFiles(directory);
    try {
      const there = await ifThere(join(target, EXPORT_FILES.manifest), readText);
      if (there !== undefined && there !== manifest) throw otherContents(target);
      const isDamaged = there !== undefined && !(await isWhole(target));
      if (there !== undefined && !isDamaged) return;
      await removeAbandoned(dirname(target));
      const aside = await createPartial(dirname(target));
      try {
        for (const name of [...files.map(({ path }) => path), EXPORT_FILES.manifest]) {
          await copyFile(join(directory, name), join(aside, name), constants.COPYFILE_FICLONE);
          await sync(join(aside, name));
        }
        await syncFolder(aside);
        // What was copied may have changed after it was checked.
        await check(aside);
        if (isDamaged) await this.#remove(target);
        await rename(aside, target);
        await syncFolder(dirname(target));
      } finally {
        await rm(aside, { recursive: true, force: true });
      }
    } catch (error) {
      if (!['EEXIST', 'ENOTEMPTY'].includes(codeOf(error) ?? '')) throw explainIoFailure(error, target);
      // Somebody else published it meanwhile.
      if ((await readVersionFiles(target)).manifest !== manifest) throw otherContents(target);
    }
  }

  readManifest(surface: string, version: string): Promise<string | undefined> {
    return ifThere(this.#path(versionPath(surface, version), EXPORT_FILES.manifest), readText);
  }

  directory(surface: string, version: string): Promise<string> {
    return Promise.resolve(this.#path(versionPath(surface, version)));
  }

  onEvent(callback: () => void): { close(): void } {
    try {
      const watcher = watch(this.#root, { persistent: false }, callback);
      // The poll goes on where the folder's events end.
      watcher.on('error', () => undefined);
      return watcher;
    } catch {
      return { close: () => undefined };
    }
  }

  /** Takes a version away as a whole. Whoever has its files open keeps them. */
  async #remove(version: string): Promise<void> {
    const aside = await createPartial(dirname(version));
    try {
      // Somebody else may repair it too.
      await rename(version, join(aside, basename(version))).catch((error: unknown) => {
        if (codeOf(error) !== 'ENOENT') throw error;
      });
    } finally {
      await rm(aside, { recursive: true, force: true });
    }
  }

  /** Pointers that killed processes wrote aside: nobody else writes one while the lock is held. */
  async #removeLeftovers(): Promise<void> {
    const start = `${basename(REGISTRY_PATHS.pointer)}.`;
    for (const name of await readdir(this.#root)) if (name.startsWith(start)) await rm(this.#path(name), { force: true });
  }

  #path(...parts: readonly string[]): string {
    return join(this.#root, ...parts);
  }
}

/** A registry's files in a folder. */
export const localStorage = (location: string): RegistryStorage => new LocalStorage(location);
