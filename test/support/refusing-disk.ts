/** File systems that say no: another user's folders, and a disk that is full. */
import { execFileSync } from 'node:child_process';
import { appendFileSync, chmodSync, cpSync, lchownSync, mkdirSync, readdirSync, rmSync, statfsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { TestContext } from 'vitest';
import { runCli } from './run-cli.js';

/** Skips a test, and says so. */
export const skipLoudly = (context: TestContext, reason: string): never => {
  console.warn(`NOT TESTED: ${context.task.name}: ${reason}`);
  return context.skip(reason);
};

/** `nobody`, on whatever system. */
const NOBODY = 65534;

/**
 * A user whom permissions bind: this one, or where this one is root, whom they do not, `nobody`.
 *
 * @returns how to run as that user, or why that is not possible
 */
export const boundUser = async (cwd: string): Promise<{ readonly uid?: number } | string> => {
  if (process.getuid?.() !== 0) return {};
  const { exit, stderr } = await runCli(['--version'], { cwd, uid: NOBODY }).catch((error: unknown) => ({ exit: null, stderr: String(error) }));
  return exit === 0 ? { uid: NOBODY } : `this user is root, and another one cannot run the command: ${stderr.trim()}`;
};

/** Gives a folder with all that is in it to a user. */
export const giveTo = (uid: number | undefined, folder: string): void => {
  if (uid === undefined) return;
  for (const entry of readdirSync(folder, { recursive: true, withFileTypes: true })) lchownSync(join(entry.parentPath, entry.name), uid, uid);
  lchownSync(folder, uid, uid);
};

/** Takes the right to write into folders, or to read files, for the time of `work`. */
export const locked = async <T>(paths: readonly string[], mode: number, work: () => Promise<T>): Promise<T> => {
  for (const path of paths) chmodSync(path, mode);
  try {
    return await work();
  } finally {
    // A folder that may not be written cannot be removed either.
    for (const path of paths) chmodSync(path, 0o755);
  }
};

/** A folder on a file system of its own that is small enough to fill. */
export interface SmallDisk {
  /** Leaves this many bytes free. */
  fill(free: number): void;
  unmount(): void;
}

const MEGABYTE = 1 << 20;

/**
 * Moves a folder's contents onto a memory disk of one megabyte that is mounted in its place; where none can be mounted, the test is
 * skipped.
 */
export const onSmallDisk = (context: TestContext, folder: string): SmallDisk => {
  const aside = `${folder}.aside`;
  cpSync(folder, aside, { recursive: true });
  rmSync(folder, { recursive: true });
  mkdirSync(folder);
  let refused: string | undefined;
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=1m', 'tmpfs', folder], { stdio: 'pipe' });
  } catch (error) {
    refused = error instanceof Error ? error.message.trim() : String(error);
  }
  cpSync(aside, folder, { recursive: true });
  rmSync(aside, { recursive: true });
  if (refused !== undefined) return skipLoudly(context, `no file system can be mounted here: ${refused}`);
  const ballast = join(folder, 'ballast');
  return {
    fill: (free) => {
      writeFileSync(ballast, '');
      const { bavail, bsize } = statfsSync(folder);
      const bytes = bavail * bsize - free;
      if (bytes < 0 || bytes > MEGABYTE) throw new Error(`${folder} has ${bavail * bsize} bytes free`);
      appendFileSync(ballast, Buffer.alloc(bytes));
    },
    unmount: () => {
      execFileSync('umount', [folder]);
    },
  };
};
