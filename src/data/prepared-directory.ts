/**
 * The folder of a prepared dataset, replaced as a whole: everything is written into `prepared.tmp-<pid>-…` beside it, then
 * renamed. A process that dies leaves the old dataset or the new one, and a folder that the next run removes.
 */
import { randomBytes } from 'node:crypto';
import { mkdir, open, readdir, rename, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { explainIoFailure } from './io-failure.js';

const PREPARED = 'prepared';
/** `prepared.tmp-<pid>-<suffix>`: being written. `prepared.old-<pid>-<suffix>`: being replaced. */
const LEFTOVER = /^prepared\.(tmp|old)-(\d+)-[0-9a-f]+$/;

/** Folder of a project's prepared dataset. */
export const preparedDirectory = (workspace: string): string => join(workspace, PREPARED);

const isRunning = (pid: number): boolean => {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
};

const exists = (path: string): Promise<boolean> =>
  stat(path).then(
    () => true,
    () => false,
  );

/** Removes what dead processes left, putting back a dataset that died between the two renames of its replacement. */
export const cleanLeftovers = async (workspace: string): Promise<void> => {
  const names = await readdir(workspace).catch(() => []);
  for (const name of names) {
    const match = LEFTOVER.exec(name);
    if (match === null || isRunning(Number(match[2]))) continue;
    const path = join(workspace, name);
    try {
      if (match[1] === 'old' && !(await exists(preparedDirectory(workspace)))) await rename(path, preparedDirectory(workspace));
      else await rm(path, { recursive: true, force: true });
    } catch (error) {
      throw explainIoFailure(error, path);
    }
  }
};

const suffix = (): string => `${process.pid}-${randomBytes(4).toString('hex')}`;

const syncTree = async (directory: string): Promise<void> => {
  for (const entry of await readdir(directory, { withFileTypes: true })) {
    const path = join(directory, entry.name);
    if (entry.isDirectory()) await syncTree(path);
    else {
      const file = await open(path, 'r+');
      try {
        await file.sync();
      } finally {
        await file.close();
      }
    }
  }
};

/**
 * Calls `write` with a fresh folder and puts that folder in place of the prepared dataset once `write` is through.
 * When it fails, the folder is removed and the old dataset stays.
 *
 * @throws IoError when the workspace cannot be written
 */
export const replacePrepared = async <T>(workspace: string, write: (directory: string) => Promise<T>): Promise<T> => {
  const temporary = join(workspace, `${PREPARED}.tmp-${suffix()}`);
  const target = preparedDirectory(workspace);
  try {
    await mkdir(temporary, { recursive: true });
  } catch (error) {
    throw explainIoFailure(error, workspace);
  }
  try {
    const result = await write(temporary);
    await syncTree(temporary);
    const old = join(workspace, `${PREPARED}.old-${suffix()}`);
    const replacing = await exists(target);
    if (replacing) await rename(target, old);
    try {
      await rename(temporary, target);
    } catch (error) {
      if (replacing) await rename(old, target);
      throw error;
    }
    if (replacing) await rm(old, { recursive: true, force: true });
    return result;
  } catch (error) {
    await rm(temporary, { recursive: true, force: true });
    throw explainIoFailure(error, workspace);
  }
};
