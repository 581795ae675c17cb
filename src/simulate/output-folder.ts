import { existsSync } from 'node:fs';
import { mkdir, readdir, rename, rm } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { IoError, UsageError } from '../config/errors.js';

/** The file by which a folder is known to be a simulated marketplace. */
export const MARKETPLACE_FILE = 'marketplace.json';

const entriesOf = async (directory: string): Promise<readonly string[]> => {
  try {
    return await readdir(directory);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw error;
  }
};

/** The file system's own errors as ours; anything else as it is. */
const explain = (error: unknown, directory: string): unknown =>
  error instanceof Error && 'syscall' in error
    ? new IoError(`cannot write ${directory}: ${error.message}`, {
        where: directory,
        expected: 'a folder that can be written',
        fix: 'check the path, its permissions and the free space, or choose another folder',
        cause: error,
      })
    : error;

const checkTarget = async (directory: string, force: boolean): Promise<void> => {
  const entries = await entriesOf(directory);
  if (entries.length === 0) return;
  if (!force) {
    throw new UsageError(`${directory} is not empty`, {
      where: directory,
      expected: 'a new or empty folder',
      fix: 'name another folder, or add --force to replace a marketplace simulated earlier',
    });
  }
  if (!entries.includes(MARKETPLACE_FILE)) {
    throw new UsageError(`${directory} holds files that no simulation wrote; --force replaces only a simulated marketplace`, {
      where: directory,
      expected: `a folder with ${MARKETPLACE_FILE}`,
      fix: 'name another folder, or remove this one yourself',
    });
  }
};

/**
 * Lets `fill` write a folder beside `directory` and renames it into place once it is whole. Nothing half-written stays,
 * and an earlier marketplace is replaced only by a finished one.
 *
 * @throws UsageError when `directory` is not empty and may not be replaced; IoError when it cannot be written
 */
export const writeFolder = async <T>(directory: string, force: boolean, fill: (folder: string) => Promise<T>): Promise<T> => {
  const target = resolve(directory);
  const beside = (suffix: string): string => join(dirname(target), `.${basename(target)}.${suffix}-${process.pid}`);
  const partial = beside('partial');
  try {
    await checkTarget(target, force);
    await rm(partial, { recursive: true, force: true });
    await mkdir(partial, { recursive: true });
    const result = await fill(partial);
    const replaced = beside('replaced');
    const exists = existsSync(target);
    if (exists) await rename(target, replaced);
    await rename(partial, target);
    if (exists) await rm(replaced, { recursive: true, force: true });
    return result;
  } catch (error) {
    await rm(partial, { recursive: true, force: true }).catch(() => undefined);
    throw explain(error, target);
  }
};
