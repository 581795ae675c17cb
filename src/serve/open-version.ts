/** A version out of its folder, and the proof that it predicts what it should. */
import type { TrialScore } from './engine/engine.js';
import { LoadedVersion } from './engine/loaded-version.js';
import { verifyOnce } from './registry/verify-once.js';

/**
 * Checks a version's files and reads it. Files of a version that was checked before on this machine, and did not change since, are
 * not read again: see {@link verifyOnce}.
 *
 * @returns `remember` where it was not: to be called once its predictions are proven as well
 * @throws ArtifactError naming the file that is missing, torn or altered
 */
export const openVersion = async (version: string, directory: string): Promise<{ readonly loaded: LoadedVersion; readonly remember?: () => Promise<void> }> => {
  const { manifest, encoders, remember } = await verifyOnce(directory);
  return { loaded: new LoadedVersion({ version, directory, manifest, encoders }), ...(remember === undefined ? {} : { remember }) };
};

/**
 * Holds a version's predictions for its golden rows against those it was exported with.
 *
 * @throws ParityError naming the row
 */
export const proveVersion = async ({ directory, manifest, encoders }: LoadedVersion, score: TrialScore): Promise<void> => {
  // Reads Parquet: a start that need not prove anything does without.
  const { checkGolden } = await import('./registry/check-golden.js');
  await checkGolden(directory, manifest, encoders, score);
};
