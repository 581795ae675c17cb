import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { UsageError } from '../config/errors.js';
import type { Model, Project } from '../config/project.js';
import { closest, listNames } from '../config/suggest.js';
import type { PreparedManifest, Split } from '../data/prepared.js';
import { surfaceGroups } from '../model/build-model.js';

/** One training run of a model: all surfaces for a unified one, a surface each for separate ones. */
export interface GroupRun {
  /** `all`, or the surface's name. */
  readonly name: string;
  readonly surfaces: readonly string[];
  /** Absolute folder of its checkpoint and metrics. */
  readonly directory: string;
}

/** Folder of everything a model's training writes. */
export const runDirectory = (project: Project, model: Model): string => join(project.workspace, 'runs', model.name);

/** The runs that make up a model, in surface order. */
export const groupRuns = (project: Project, model: Model): readonly GroupRun[] =>
  surfaceGroups(project, model).map((surfaces) => {
    const name = model.preset === 'unified' ? 'all' : surfaces[0]!;
    return { name, surfaces, directory: join(runDirectory(project, model), name) };
  });

/** Folder of a run's checkpoint. */
export const checkpointOf = (run: GroupRun): string => join(run.directory, 'checkpoint');

/** @throws UsageError when the config has no such model */
export const modelNamed = (project: Project, name: string): Model => {
  const model = project.models[name];
  if (model !== undefined) return model;
  const names = Object.keys(project.models);
  const near = closest(name, names);
  throw new UsageError(`there is no model "${name}"${near === undefined ? '' : `; did you mean "${near}"?`}`, {
    where: 'models',
    expected: `one of ${listNames(names)}`,
    fix: `name one of them, or declare models.${name} in ${project.file}`,
  });
};

/** What a checkpoint was trained with: model settings, surfaces, and the prepared dataset's key. */
export const configHash = (model: Model, run: GroupRun, manifest: PreparedManifest): string =>
  createHash('sha256')
    .update(JSON.stringify({ model: { ...model, training: { ...model.training, threads: 0 } }, surfaces: run.surfaces, data: manifest.key }))
    .digest('hex');

/** File of a model's last evaluation on a split. */
export const evaluationFile = (project: Project, model: Model, split: Split): string => join(runDirectory(project, model), `evaluation-${split}.json`);
