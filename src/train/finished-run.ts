/** `result.json` of a run: that it got to its end, and with what. */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { ArtifactError } from '../config/errors.js';
import { explainIoFailure } from '../data/io-failure.js';
import { checkpointExists, openCheckpoint } from './checkpoint.js';
import type { CheckpointManifest } from './checkpoint-manifest.js';
import { replaceFile } from './replace-file.js';
import { RESULT_FOLDER, RESUME_FOLDER } from './run-checkpoints.js';
import type { TrainResult } from './train-options.js';

const RESULT_FILE = 'result.json';

/** The checkpoint is named by its files' hashes: one that a later run left unfinished in its place is another. */
interface StoredResult extends Omit<TrainResult, 'checkpoint'> {
  readonly files: CheckpointManifest['files'];
}

/**
 * Writes down a run that got to its end.
 *
 * @throws IoError when the run folder cannot be written
 */
export const writeFinishedRun = (runDirectory: string, { checkpoint, ...result }: TrainResult): void => {
  const path = join(runDirectory, RESULT_FILE);
  try {
    const stored: StoredResult = { ...result, files: openCheckpoint(checkpoint).files };
    replaceFile(path, `${JSON.stringify(stored)}\n`);
  } catch (error) {
    throw explainIoFailure(error, path);
  }
};

/**
 * What a run gave that got to its end with this config and data, and whose checkpoint is whole.
 *
 * @returns undefined when there is no such run, or one is to be gone on with
 */
export const finishedRun = (runDirectory: string, configHash: string): TrainResult | undefined => {
  const path = join(runDirectory, RESULT_FILE);
  const checkpoint = join(runDirectory, RESULT_FOLDER);
  if (!existsSync(path) || !checkpointExists(checkpoint) || checkpointExists(join(runDirectory, RESUME_FOLDER))) return undefined;
  try {
    const manifest = openCheckpoint(checkpoint);
    const { files, ...result } = JSON.parse(readFileSync(path, 'utf8')) as StoredResult;
    const isOfCheckpoint = Object.entries(manifest.files).every(([name, file]) => files[name as keyof typeof files]?.sha256 === file.sha256);
    return manifest.configHash === configHash && isOfCheckpoint ? { ...result, best: result.best, checkpoint } : undefined;
  } catch (error) {
    // What is torn is trained again.
    if (error instanceof ArtifactError || error instanceof SyntaxError) return undefined;
    throw explainIoFailure(error, path);
  }
};
