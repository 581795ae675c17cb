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
  /** Where only one surface's tower is trained: the surface, and the SHA-256 of each file of the checkpoint that the rest is from. */
  readonly tower?: { readonly surface: string; readonly from: Readonly<Record<string, string>> };
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
  if (Object.hasOwn(project.models, name)) return project.models[name]!;
  const names = Object.keys(project.models);
  const near = closest(name, names);
  throw new UsageError(`there is no model "${name}"${near === undefined ? '' : `; did you mean "${near}"?`}`, {
    where: 'models',
    expected: `one of ${listNames(names)}`,
    fix: `name one of them, or declare models.${name} in ${project.file}`,
  });
};

/** Embedding widths that features declare: the one part of a feature that only models read, so the dataset's key is without them. */
const declaredWidths = (project: Project): unknown =>
  project.features.map((feature) => {
    if (feature.kind === 'vector') return [feature.name];
    return [feature.name, feature.kind === 'sequence' ? feature.fields.map((field) => field.width ?? null) : (feature.width ?? null)];
  });

/**
 * What a checkpoint was trained with: model settings, embedding widths, surfaces, the prepared dataset's key, and what a tower
 * was trained on. The
 * number of threads is left out, it is the machine's, and the time between checkpoints, which changes no result.
 */
export const configHash = (project: Project, model: Model, run: GroupRun, manifest: PreparedManifest): string => {
  const settings = { ...model, training: { ...model.training, threads: 0, checkpointMinutes: 0 } };
  const parts = { model: settings, widths: declaredWidths(project), surfaces: run.surfaces, data: manifest.key, tower: run.tower };
  return createHash('sha256').update(JSON.stringify(parts)).digest('hex');
};

/**
 * File of a model's last evaluation on a split. With training-only features as served it is a file of its own: an
 * export's metrics are those at logged values.
 */
export const evaluationFile = (project: Project, model: Model, split: Split, trainingOnly: 'logged' | 'serving' = 'logged'): string =>
  join(runDirectory(project, model), `evaluation-${split}${trainingOnly === 'serving' ? '-serving' : ''}.json`);
