import { chmodSync, mkdtempSync, readdirSync, readFileSync, renameSync, rmSync, statSync, truncateSync, unlinkSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { writeSmallExport } from '../../../test/support/small-export.js';
import { EXPORT_FILES } from '../../export/manifest.js';
import { verifyOnce } from './verify-once.js';

let folder: string;
let directory: string;
const file = (name: string): string => join(directory, name);

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'onefold-verify-'));
  vi.stubEnv('XDG_CACHE_HOME', join(folder, 'cache'));
  directory = await writeSmallExport(join(folder, 'export'), 'search', 'tables of search');
});
afterEach(() => {
  vi.unstubAllEnvs();
  rmSync(folder, { recursive: true });
});

/** Whether every byte was read; it is remembered. */
const wasFull = async (): Promise<boolean> => {
  const { remember } = await verifyOnce(directory);
  await remember?.();
  return remember !== undefined;
};

it('reads everything until it is told to remember, and when told to', async () => {
  const { remember, ...first } = await verifyOnce(directory);
  expect(first).toMatchObject({ manifest: { surface: 'search' }, encoders: { surfaces: ['search'] } });
  expect((await verifyOnce(directory)).remember).toBeDefined();
  await remember!();
  expect(await verifyOnce(directory)).toEqual(first);
  expect(await verifyOnce(directory, { full: true })).toEqual({ ...first, remember: expect.any(Function) as unknown });
});

it('reads no file again that did not change', async () => {
  await writeSmallExport(directory, 'search', Buffer.alloc(64 * 1024 * 1024));
  const timed = async (): Promise<{ readonly isFull: boolean; readonly milliseconds: number }> => {
    const started = performance.now();
    return { isFull: await wasFull(), milliseconds: performance.now() - started };
  };
  const first = await timed();
  const later = [await timed(), await timed(), await timed()];
  expect([first, ...later].map(({ isFull }) => isFull)).toEqual([true, false, false, false]);
  expect(Math.min(...later.map(({ milliseconds }) => milliseconds))).toBeLessThan(first.milliseconds / 3);
});

it('reads everything again after a change of anything about a file', async () => {
  await wasFull();
  chmodSync(file(EXPORT_FILES.tables), 0o600);
  expect(await wasFull()).toBe(true);
  expect(await wasFull()).toBe(false);
});

it.each<[string, string, (path: string) => void]>([
  ['truncated', EXPORT_FILES.tables, (path) => { truncateSync(path, 5); }],
  ['altered in place', EXPORT_FILES.tables, (path) => { writeFileSync(path, 'tables of sEarch'); }],
  ['altered, with its old times', EXPORT_FILES.tables, (path) => {
    const { atime, mtime } = statSync(path);
    writeFileSync(path, 'tables of sEarch');
    utimesSync(path, atime, mtime);
  }],
  ['replaced by another file', EXPORT_FILES.encoders, (path) => {
    writeFileSync(`${path}.new`, readFileSync(path, 'utf8').replace('search', 'sEarch'));
    renameSync(`${path}.new`, path);
  }],
  ['removed', EXPORT_FILES.graph, unlinkSync],
  ['altered, and it is the manifest', EXPORT_FILES.manifest, (path) => { writeFileSync(path, readFileSync(path, 'utf8').replace('"small"', '"smull"')); }],
])('finds a file that was %s, and goes on finding it', async (_, name, harm) => {
  await wasFull();
  harm(file(name));
  for (let times = 0; times < 2; times += 1) await expect(verifyOnce(directory)).rejects.toMatchObject({ code: 'artifact', where: file(name) });
});

it('reads everything again after another export took the place', async () => {
  await wasFull();
  renameSync(directory, `${directory}-old`);
  await writeSmallExport(directory, 'search', 'other tables');
  expect(await wasFull()).toBe(true);
});

it('reads everything each time where it cannot keep records, or finds a damaged one', async () => {
  await wasFull();
  const records = join(folder, 'cache/onefold/verified');
  writeFileSync(join(records, readdirSync(records)[0]!), '{"version"');
  expect(await wasFull()).toBe(true);
  writeFileSync(join(folder, 'file'), '');
  vi.stubEnv('XDG_CACHE_HOME', join(folder, 'file'));
  expect([await wasFull(), await wasFull()]).toEqual([true, true]);
});
