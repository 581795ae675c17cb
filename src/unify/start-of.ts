import { join } from 'node:path';
import { UsageError } from '../config/errors.js';
import { checkpointExists } from '../train/checkpoint.js';
import { RESULT_FOLDER } from '../train/run-checkpoints.js';
import type { GroupRun } from './model-run.js';

/**
 * The checkpoint that a run starts from: a model's folder has one per run; a run's folder, or a checkpoint's own, do for a
 * model of one run.
 *
 * @param runs how many runs the model has
 * @throws UsageError when there is none
 */
export const startOf = (from: string, run: Pick<GroupRun, 'name'>, runs: number): string => {
  const places = [join(from, run.name, RESULT_FOLDER), ...(runs === 1 ? [join(from, RESULT_FOLDER), from] : [])];
  const found = places.find(checkpointExists);
  if (found !== undefined) return found;
  throw new UsageError(`there is no checkpoint of ${run.name} to start from in ${from}`, {
    where: '--from',
    expected: `one of ${places.join(', ')}`,
    fix: 'name the folder of a trained model, such as .onefold/runs/unified, or a copy of it',
  });
};
