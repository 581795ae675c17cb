/** Runs that train one surface's tower further, on the frozen rest of a trained unified model. */
import { join } from 'node:path';
import { UsageError } from '../config/errors.js';
import type { Model, Project } from '../config/project.js';
import { didYouMean, listNames } from '../config/suggest.js';
import type { PreparedManifest } from '../data/prepared.js';
import { checkpointExists, openCheckpoint } from '../train/checkpoint.js';
import { checkpointOf, configHash, groupRuns, runDirectory, type GroupRun } from './model-run.js';

const directoryOf = (project: Project, model: Model, surface: string): string => join(runDirectory(project, model), 'towers', surface);

/**
 * The run of a surface's tower, which starts from the checkpoint that the model has now.
 *
 * @param base the model's own run, trained
 */
export const towerRun = (project: Project, model: Model, base: GroupRun, surface: string): GroupRun => ({
  name: `towers/${surface}`,
  surfaces: base.surfaces,
  directory: directoryOf(project, model, surface),
  tower: { surface, from: Object.fromEntries(Object.entries(openCheckpoint(checkpointOf(base)).files).map(([name, file]) => [name, file.sha256])) },
});

/**
 * The run that a surface's tower is part of.
 *
 * @throws UsageError when the model's surfaces share nothing that could be frozen, or there is no such surface
 */
export const runWithTower = (project: Project, model: Model, surface: string): GroupRun => {
  const known = project.surfaces.map(({ name }) => name);
  if (!known.includes(surface)) throw new UsageError(`there is no surface "${surface}"`, { where: '--tower', expected: `one of ${listNames(known)}`, fix: didYouMean(surface, known) });
  const [run] = groupRuns(project, model);
  if (model.preset === 'unified') return run!;
  throw new UsageError(`model "${model.name}" has no towers on a shared trunk: with preset "${model.preset}" each surface has a model of its own`, {
    where: '--tower',
    expected: 'a model with preset "unified"',
    fix: `train it without --tower: no surface's training moves another's`,
  });
};

/**
 * The towers of a model that were trained further from the checkpoint that it has now. One whose model was trained again since is
 * none: its trunk is gone.
 *
 * @param onNotice gets a line for each of those
 * @throws ArtifactError when a checkpoint is torn
 */
export const currentTowers = (project: Project, model: Model, manifest: PreparedManifest, onNotice?: (line: string) => void): readonly GroupRun[] => {
  const [base] = groupRuns(project, model);
  if (model.preset !== 'unified' || !checkpointExists(checkpointOf(base!))) return [];
  const trained = project.surfaces.filter(({ name }) => checkpointExists(join(directoryOf(project, model, name), 'checkpoint')));
  return trained.flatMap(({ name }) => {
    const run = towerRun(project, model, base!, name);
    if (openCheckpoint(checkpointOf(run)).configHash === configHash(project, model, run, manifest)) return [run];
    onNotice?.(`the tower of ${name} in ${run.directory} is left out: model "${model.name}" was trained again since (onefold train ${model.name} --tower ${name} trains it on the new trunk)`);
    return [];
  });
};
