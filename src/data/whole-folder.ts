import { existsSync } from 'node:fs';
import { mkdir, rename, rm } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { explainIoFailure } from './io-failure.js';

/**
 * Lets `fill` write a folder beside `directory` and renames it into place once it is whole: a reader sees the old folder
 * or the new one, and a failure leaves nothing behind. What a killed process left is cleaned up by the next call.
 *
 * @throws IoError when the file system refuses
 */
export const writeWholeFolder = async <T>(directory: string, fill: (folder: string) => Promise<T>): Promise<T> => {
  const target = resolve(directory);
  const beside = (suffix: string): string => join(dirname(target), `.${basename(target)}.${suffix}`);
  const [partial, replaced] = [beside('partial'), beside('replaced')];
  try {
    // A folder cannot be replaced in one step: a kill between the two renames leaves the old one beside its place.
    if (!existsSync(target) && existsSync(replaced)) await rename(replaced, target);
    for (const leftover of [partial, replaced]) await rm(leftover, { recursive: true, force: true });
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
