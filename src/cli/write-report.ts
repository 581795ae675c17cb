import { mkdir, rename, rm, writeFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { explainIoFailure } from '../data/io-failure.js';

/**
 * Writes a value as a file of JSON, aside first: whatever happens, the file is the old one or the new one, whole.
 *
 * @throws IoError when the file system refuses
 */
export const writeReport = async (file: string, value: unknown): Promise<void> => {
  const partial = join(dirname(file), `.${basename(file)}.partial-${process.pid}`);
  try {
    await mkdir(dirname(file), { recursive: true });
    await writeFile(partial, `${JSON.stringify(value)}\n`);
    await rename(partial, file);
  } catch (error) {
    await rm(partial, { force: true }).catch(() => undefined);
    throw explainIoFailure(error, file);
  }
};
