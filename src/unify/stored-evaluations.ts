/** The evaluations that were left beside a model's runs: what they say must be of the model that is there. */
import { existsSync, readFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import type { Model, Project } from '../config/project.js';
import { explainIoFailure } from '../data/io-failure.js';
import { SPLITS } from '../data/prepared.js';
import type { Evaluation } from '../evaluate/evaluation.js';
import { replaceFile } from '../train/replace-file.js';
import { evaluationFile } from './model-run.js';

const filesOf = (project: Project, model: Model): readonly string[] =>
  SPLITS.flatMap((split) => (['logged', 'serving'] as const).map((trainingOnly) => evaluationFile(project, model, split, trainingOnly)));

/** Removes the evaluations of a model that is trained anew. */
export const forgetEvaluations = async (project: Project, model: Model): Promise<void> => {
  for (const file of filesOf(project, model)) await rm(file, { force: true });
};

/**
 * Takes one surface out of a model's evaluations, and all surfaces together with it; the others' metrics stay, and so do the
 * manifests of their exports.
 *
 * @throws IoError when the file system refuses
 */
export const forgetSurface = async (project: Project, model: Model, surface: string): Promise<void> => {
  for (const file of filesOf(project, model).filter((path) => existsSync(path))) {
    try {
      const evaluation = JSON.parse(readFileSync(file, 'utf8')) as Evaluation;
      const tasks = evaluation.tasks.map(({ task, surfaces, viewTypes }) => ({
        task,
        surfaces: surfaces.filter((slice) => slice.surface !== surface),
        viewTypes: viewTypes.filter((slice) => slice.surface !== surface),
      }));
      replaceFile(file, `${JSON.stringify({ ...evaluation, tasks })}\n`);
    } catch (cause) {
      // A damaged one says nothing of any surface.
      if (cause instanceof SyntaxError) await rm(file, { force: true });
      else throw explainIoFailure(cause, file);
    }
  }
};
