import { existsSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { UsageError } from '../config/errors.js';
import { explainIoFailure } from '../data/io-failure.js';

/** The file by which a folder is known to be a simulated marketplace. */
export const MARKETPLACE_FILE = 'marketplace.json';

const isEmpty = async (directory: string): Promise<boolean> => {
  try {
    return !existsSync(directory) || (await readdir(directory)).length === 0;
  } catch (error) {
    throw explainIoFailure(error, directory);
  }
};

/**
 * Checks that a simulation may be written to `directory`: it is new or empty, or `force` replaces an earlier simulation.
 *
 * @throws UsageError otherwise; IoError when the folder cannot be read
 */
export const checkOutputFolder = async (directory: string, force: boolean): Promise<void> => {
  const target = resolve(directory);
  if (await isEmpty(target)) return;
  if (!force) {
    throw new UsageError(`${target} is not empty`, {
      where: target,
      expected: 'a new or empty folder',
      fix: 'name another folder, or add --force to replace a marketplace simulated earlier',
    });
  }
  if (!existsSync(join(target, MARKETPLACE_FILE))) {
    throw new UsageError(`${target} holds files that no simulation wrote, and --force replaces only a simulated marketplace`, {
      where: target,
      expected: `a folder with ${MARKETPLACE_FILE}`,
      fix: 'name another folder, or remove this one yourself',
    });
  }
};
