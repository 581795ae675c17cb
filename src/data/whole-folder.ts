import { existsSync } from 'node:fs';
import { mkdir, rename, rm } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { explainIoFailure } from './io-failure.js';

/**
 * Lets `fill` write a folder beside `directory` and renames it into place once it is whole: a reader sees the old folder
 * or the new one, and a failure leaves nothing behind.
 *
 * @throws IoError when the file system refuses
 */
export const writeWholeFolder = async <T>(directory: string, fill: (folder: string) => Promise<T>): Promise<T> => {
  const target = resolve(directory);
  const beside = (suffix: string): string => join(dirname(target), `.${basename(target)}.${suffix}-${process.pid}`);
  const [partial, replaced] = [beside('partial'), beside('replaced')];
  try {
    await rm(partial, { recursive: true, force: true });
    await mkdir(partial, { recursive: true });
    const result = await fill(partial);
    const exists = existsSync(target);
    if (exists) await rename(target, replaced);
    await rename(partial, target);
    if (exists) await rm(replaced, { recursive: true, force: true });
    return result;
  } catch (error) {
    await rm(partial, { recursive: true, force: true }).catch(() => undefined);
    if (!existsSync(target) && existsSync(replaced)) await rename(replaced, target);
    throw explainIoFailure(error, target);
  }
};
