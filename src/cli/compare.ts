import { join, relative } from 'node:path';
import type { Command } from 'commander';
import { InvalidArgumentError } from 'commander';
import type { Split } from '../data/prepared.js';
import { comparePredictions } from '../evaluate/compare.js';
import { evaluatePredictions } from '../evaluate/evaluate.js';
import type { Predictions } from '../evaluate/predictions.js';
import { renderComparison } from '../evaluate/render.js';
import { evaluationFile, modelNamed } from '../unify/model-run.js';
import { openPrepared } from '../unify/open-prepared.js';
import { scoreModel } from '../unify/score-model.js';
import { splitOption, trainingOnlyOption } from './evaluate.js';
import { compactNumber } from './output.js';
import { openProject, projectCommand, type ProjectOptions } from './project-command.js';
import { writeReport } from './write-report.js';

interface CompareCommandOptions extends ProjectOptions {
  readonly split: Split;
  readonly trainingOnly: 'logged' | 'serving';
  readonly replicates: number;
  readonly viewTypes?: boolean;
}

const EXAMPLES = `
  onefold compare separate unified                     differences with intervals, per task and surface
  onefold compare separate unified --view-types        per view type too
  onefold compare separate unified --replicates 1000 --json
`;

const replicateCount = (text: string): number => {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 50) throw new InvalidArgumentError('expected a whole number of at least 50.');
  return value;
};

/** `onefold compare A B`: two trained models on the same held-out rows. */
export const compareCommand = (): Command =>
  projectCommand('compare', EXAMPLES)
    .argument('<champion>', 'the model that is there')
    .argument('<challenger>', 'the model that wants to take its place')
    .addOption(splitOption())
    .addOption(trainingOnlyOption())
    .option('--replicates <count>', 'bootstrap replicates behind the intervals', replicateCount, 300)
    .option('--view-types', 'a row per view type as well')
    .action(async (champion: string, challenger: string, options: CompareCommandOptions) => {
      const { project, output } = await openProject(options);
      const models = [modelNamed(project, champion), modelNamed(project, challenger)] as const;
      const { directory, manifest } = await openPrepared(project);
      const score = async (model: (typeof models)[number]): Promise<Predictions> => {
        const progress = output.progress(`score ${model.name}`);
        const predictions = await scoreModel({
          project,
          model,
          manifest,
          directory,
          split: options.split,
          trainingOnly: options.trainingOnly,
          onNotice: (line) => {
            output.step(line);
          },
          onProgress: (scored, total) => progress.update(scored / total, `${compactNumber(scored)} candidates`),
        });
        progress.done(`${compactNumber(predictions.count)} candidates`);
        return predictions;
      };
      const [a, b] = [await score(models[0]), await score(models[1])];
      const comparison = comparePredictions(a, b, { names: [champion, challenger], bootstrap: { replicates: options.replicates } });
      for (const [model, predictions] of [[models[0], a], [models[1], b]] as const) {
        await writeReport(evaluationFile(project, model, options.split, options.trainingOnly), evaluatePredictions(predictions));
      }
      const file = join(project.workspace, 'comparisons', `${champion}-${challenger}-${options.split}${options.trainingOnly === 'serving' ? '-serving' : ''}.json`);
      await writeReport(file, comparison);
      output.text(renderComparison(comparison, { viewTypes: options.viewTypes === true }));
      output.text(`written: ${relative(process.cwd(), file)}`);
      output.result({ split: options.split, file, ...comparison });
    });
