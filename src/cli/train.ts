import { relative } from 'node:path';
import type { Command } from 'commander';
import type { TrainProgress } from '../train/progress.js';
import { modelNamed, type GroupRun } from '../unify/model-run.js';
import { openPrepared } from '../unify/open-prepared.js';
import { trainRuns, type TrainedRun } from '../unify/train-model.js';
import { compactNumber, duration, type Output, type ProgressLine } from './output.js';
import { openProject, projectCommand, type ProjectOptions } from './project-command.js';
import { withInterrupt } from './interrupt.js';

interface TrainCommandOptions extends ProjectOptions {
  readonly resume?: boolean;
}

const EXAMPLES = `
  onefold train unified                      one model for all surfaces
  onefold train separate                     a model per surface: what the unified one has to beat
  onefold train separate --resume            go on where training was interrupted; runs that had ended are kept
`;

const describeProgress = ({ epoch, epochs, rowsPerSecond, etaSeconds, surfaceLosses }: TrainProgress): string => {
  const losses = Object.entries(surfaceLosses).map(([surface, loss]) => `${surface} ${loss.toFixed(4)}`);
  return `epoch ${epoch + 1}/${epochs}, ${compactNumber(rowsPerSecond)} rows/s, ${duration(etaSeconds)} left, loss ${losses.join(', ')}`;
};

/** One progress line per run, opened when the run first reports. */
const progressOf = (output: Output, model: string): ((run: GroupRun, progress: TrainProgress) => void) & { close(): void } => {
  let current: { readonly run: string; readonly line: ProgressLine; last: string } | undefined;
  const close = (): void => current?.line.done(current.last);
  const report = (run: GroupRun, progress: TrainProgress): void => {
    if (current?.run !== run.name) {
      close();
      current = { run: run.name, line: output.progress(`train ${model} ${run.name}`), last: '' };
    }
    current.last = describeProgress(progress);
    current.line.update(progress.candidates / progress.totalCandidates, current.last);
  };
  return Object.assign(report, { close });
};

const describeRun = ({ run, result, kept: isKept, seconds }: TrainedRun): string => {
  if (isKept) return `${run.name}: kept, it had ended after ${compactNumber(result.steps)} steps → ${relative(process.cwd(), result.checkpoint)}`;
  const kept = result.best === undefined ? '' : `, kept step ${result.best.step}${result.stoppedEarly ? ' (stopped early)' : ''}`;
  return `${run.name}: ${compactNumber(result.steps)} steps, ${compactNumber(result.candidates)} candidates in ${duration(seconds)}${kept} → ${relative(process.cwd(), result.checkpoint)}`;
};

/** `onefold train NAME`: trains a model of the config on the prepared dataset. */
export const trainCommand = (): Command =>
  projectCommand('train', EXAMPLES)
    .argument('<model>', 'name of the model: unified, separate, linear, or one of the config')
    .option('--resume', 'go on from an interrupted run of the same config and data; keep runs that have ended')
    .action(async (name: string, options: TrainCommandOptions) => {
      const { project, output } = await openProject(options);
      const model = modelNamed(project, name);
      const { directory, manifest } = await openPrepared(project);
      const onProgress = progressOf(output, name);
      const runs = await withInterrupt((signal) => trainRuns({ project, model, manifest, directory, signal, onProgress, resume: options.resume === true }));
      onProgress.close();
      for (const run of runs) output.text(describeRun(run));
      output.result({ model: name, runs: runs.map(({ run, result, kept, seconds }) => ({ ...run, ...result, kept, seconds })) });
    });
