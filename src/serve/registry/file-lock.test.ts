import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { FileLock } from './file-lock.js';

const STALE_MS = 100;

let folder: string;
let path: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'onefold-lock-'));
  path = join(folder, 'lock');
});
afterEach(() => {
  rmSync(folder, { recursive: true });
});

const pause = (milliseconds: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, milliseconds));

const untilRun = async (lock: FileLock, work: (isHeld: () => Promise<boolean>) => Promise<boolean>): Promise<void> => {
  while (!(await lock.tryRun(work))) await pause(1);
};

it('lets one run at a time', async () => {
  let running = 0;
  let most = 0;
  let ended = 0;
  await Promise.all(
    Array.from({ length: 12 }, () =>
      untilRun(new FileLock(path), async () => {
        running += 1;
        most = Math.max(most, running);
        await pause(2);
        running -= 1;
        ended += 1;
        return true;
      }),
    ),
  );
  expect({ most, ended }).toEqual({ most: 1, ended: 12 });
  expect(existsSync(path)).toBe(false);
});

it('gives way after a failure', async () => {
  const lock = new FileLock(path);
  await expect(lock.tryRun(() => Promise.reject(new Error('no')))).rejects.toThrow('no');
  expect(await lock.tryRun(() => Promise.resolve(true))).toBe(true);
});

it('takes over from a process that was killed, not sooner than it must, and one at a time', async () => {
  writeFileSync(path, '');
  const started = performance.now();
  let running = 0;
  await Promise.all(
    Array.from({ length: 6 }, () =>
      untilRun(new FileLock(path, STALE_MS), async (isHeld) => {
        running += 1;
        expect(running).toBe(1);
        expect(await isHeld()).toBe(true);
        running -= 1;
        return true;
      }),
    ),
  );
  expect(performance.now() - started).toBeGreaterThanOrEqual(STALE_MS);
});

it('tells who was stopped for too long, and leaves the lock of the next alone', async () => {
  const other = new FileLock(path, STALE_MS);
  const done = await new FileLock(path).tryRun(async (isHeld) => {
    expect(await isHeld()).toBe(true);
    const taken = untilRun(other, async () => {
      expect(await isHeld()).toBe(false);
      return true;
    });
    await taken;
    writeFileSync(path, 'of a third');
    return isHeld();
  });
  expect(done).toBe(false);
  expect(existsSync(path)).toBe(true);
});
