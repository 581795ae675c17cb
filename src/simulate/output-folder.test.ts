import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { IoError, UsageError } from '../config/errors.js';
import { checkOutputFolder, MARKETPLACE_FILE } from './output-folder.js';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'onefold-output-'));
});
afterEach(async () => {
  await rm(folder, { recursive: true, force: true });
});

test('a new folder and an empty one are fine', async () => {
  await checkOutputFolder(join(folder, 'new'), false);
  await checkOutputFolder(folder, false);
});

test('a folder with files is refused without --force', async () => {
  await writeFile(join(folder, MARKETPLACE_FILE), '{}');
  const failure = checkOutputFolder(folder, false);
  await expect(failure).rejects.toBeInstanceOf(UsageError);
  await expect(failure).rejects.toMatchObject({ where: folder, fix: expect.stringContaining('--force') as string });
  await checkOutputFolder(folder, true);
});

test('--force never replaces what no simulation wrote', async () => {
  await writeFile(join(folder, 'thesis.txt'), 'irreplaceable');
  await expect(checkOutputFolder(folder, true)).rejects.toBeInstanceOf(UsageError);
});

test('a file in the way is an io error', async () => {
  await writeFile(join(folder, 'file'), '');
  await expect(checkOutputFolder(join(folder, 'file'), false)).rejects.toBeInstanceOf(IoError);
});
