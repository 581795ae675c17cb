import { relative, resolve } from 'node:path';
import type { Command } from 'commander';
import { UsageError } from '../config/errors.js';
import { modelNamed } from '../unify/model-run.js';
import { openPrepared } from '../unify/open-prepared.js';
import { trainRuns, trainTower, type TrainedRun, type TrainRunOptions } from '../unify/train-model.js';
import { compactNumber, duration } from './output.js';
import { openProject, projectCommand, type ProjectOptions } from './project-command.js';
import { withInterrupt } from './interrupt.js';
import { percent, trainingProgress } from './training-progress.js';

interface TrainCommandOptions extends ProjectOptions {
  readonly resume?: boolean;
  readonly from?: string;
  readonly tower?: string;
}

const EXAMPLES = `
  onefold train unified                      one model for all surfaces
  onefold train separate                     a model per surface: what the unified one has to beat
  onefold train separate --resume            go on where training was interrupted; runs that had ended are kept
  onefold train unified --from yesterday/    start from the checkpoint of an older run, on today's data
  onefold train unified --tower search       search's own tower further, on the frozen rest: nothing moves for the others
`;

const describeRun = ({ run, result, kept: isKept, seconds }: TrainedRun): string => {
  if (isKept) return `${run.name}: kept, it had ended after ${compactNumber(result.steps)} steps → ${relative(process.cwd(), result.checkpoint)}`;
  const kept = result.best === undefined ? '' : `, kept step ${result.best.step}${result.stoppedEarly ? ' (stopped early)' : ''}`;
  const waste = Object.entries(result.paddingWaste).map(([sequence, share]) => `, ${percent(share)} padding in ${sequence}`);
  const done = `${compactNumber(result.steps)} steps, ${compactNumber(result.candidates)} candidates in ${duration(seconds)}`;
  return `${run.name}: ${done}, engine ${percent(result.engineBusy)} busy${waste.join('')}${kept} → ${relative(process.cwd(), result.checkpoint)}`;
};

/** What a run took over from an older one, a line a table. */
const describeStart = ({ run, result: { start } }: TrainedRun): readonly string[] => {
  if (start === null) return [];
  const { kept, new: fresh } = start.parameters;
  if (run.tower !== undefined) return [`${run.name}: on ${start.model} after ${compactNumber(start.step)} steps, which stays as it is`];
  return [
    `${run.name}: started from ${start.model} after ${compactNumber(start.step)} steps; ${kept} dense parameters kept, ${fresh.length} new${fresh.length === 0 ? '' : `: ${fresh.join(', ')}`}`,
    ...start.tables.map((table) => `  table ${table.table} (width ${table.width}): ${table.kept} rows kept, ${table.new} new, ${table.expired} expired`),
  ];
};

/** Every run of a model would say the same. */
const oncePerLine = (write: (line: string) => void): ((line: string) => void) => {
  const written = new Set<string>();
  return (line) => {
    if (!written.has(line)) write(line);
    written.add(line);
  };
};

/** `onefold train NAME`: trains a model of the config on the prepared dataset. */
export const trainCommand = (): Command =>
  projectCommand('train', EXAMPLES)
    .argument('<model>', 'name of the model: unified, separate, linear, or one of the config')
    .option('--resume', 'go on from an interrupted run of the same config and data; keep runs that have ended')
    .option('--from <folder>', "start from an older run: dense parameters by name, embedding rows by value; a model's, a run's or a checkpoint's folder")
    .option('--tower <surface>', "train one surface's tower and heads further from the model's checkpoint; everything else stays as it is, bit for bit")
    .action(async (name: string, options: TrainCommandOptions) => {
      if (options.tower !== undefined && options.from !== undefined) {
        throw new UsageError('a tower is trained from the checkpoint of its own model', { where: '--from', expected: '--tower or --from, not both', fix: 'leave out --from' });
      }
      const { project, output } = await openProject(options);
      const model = modelNamed(project, name);
      const { directory, manifest } = await openPrepared(project);
      const progress = trainingProgress(output);
      const onNotice = oncePerLine((line) => {
        output.step(line);
      });
      const start = options.from === undefined ? {} : { from: resolve(options.from) };
      const train = (signal: AbortSignal): Promise<readonly TrainedRun[]> => {
        const common: TrainRunOptions = { project, model, manifest, directory, signal, onNotice, onProgress: (run, now) => progress.report(`train ${name} ${run.name}`, now), resume: options.resume === true };
        return options.tower === undefined ? trainRuns({ ...common, ...start }) : trainTower(common, options.tower).then((run) => [run]);
      };
      const runs = await withInterrupt(train);
      progress.close();
      for (const run of runs) for (const line of [...describeStart(run), describeRun(run)]) output.text(line);
      output.result({ model: name, runs: runs.map(({ run, result, kept, seconds }) => ({ ...run, ...result, kept, seconds })) });
    });
