import { relative } from 'node:path';
import { Option, type Command } from 'commander';
import { SPLITS, type Split } from '../data/prepared.js';
import { renderEvaluation } from '../evaluate/render.js';
import { createAccumulator } from '../evaluate/streaming.js';
import { evaluationFile, modelNamed } from '../unify/model-run.js';
import { openPrepared } from '../unify/open-prepared.js';
import { streamPredictions } from '../unify/score-model.js';
import { compactNumber } from './output.js';
import { openProject, projectCommand, type ProjectOptions } from './project-command.js';
import { writeReport } from './write-report.js';

interface EvaluateCommandOptions extends ProjectOptions {
  readonly split: Split;
  readonly trainingOnly: 'logged' | 'serving';
  readonly intervals?: boolean;
}

const EXAMPLES = `
  onefold evaluate unified                              on the test split, per task, surface and view type
  onefold evaluate unified --split validation --intervals
  onefold evaluate unified --training-only serving      as if every ad stood at the position it is served with
`;

/** `--split` of the commands that score. */
export const splitOption = (): Option => new Option('--split <name>', 'split to score').choices([...SPLITS]).default('test');

/** `--training-only` of the commands that score. */
export const trainingOnlyOption = (): Option =>
  new Option('--training-only <values>', 'training-only features as logged with the labels, or as served').choices(['logged', 'serving']).default('logged');

/** `onefold evaluate NAME`: metrics of a trained model on held-out rows. */
export const evaluateCommand = (): Command =>
  projectCommand('evaluate', EXAMPLES)
    .argument('<model>', 'name of a trained model')
    .addOption(splitOption())
    .addOption(trainingOnlyOption())
    .option('--intervals', 'bootstrap intervals, clustered by user')
    .action(async (name: string, options: EvaluateCommandOptions) => {
      const { project, output } = await openProject(options);
      const model = modelNamed(project, name);
      const { directory, manifest } = await openPrepared(project);
      const progress = output.progress(`score ${name}`);
      const accumulator = createAccumulator({ bootstrap: options.intervals === true });
      const predictions = streamPredictions({
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
      for await (const chunk of predictions) accumulator.add(chunk);
      progress.done(`${compactNumber(accumulator.rows)} candidates`);
      const evaluation = accumulator.evaluate();
      const file = evaluationFile(project, model, options.split, options.trainingOnly);
      await writeReport(file, evaluation);
      output.text(renderEvaluation(evaluation));
      output.text(`written: ${relative(process.cwd(), file)}`);
      output.result({ model: name, split: options.split, file, ...evaluation });
    });
