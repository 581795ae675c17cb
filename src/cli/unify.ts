import { mkdir } from 'node:fs/promises';
import { join, relative } from 'node:path';
import { Option, type Command } from 'commander';
import { GateError } from '../config/errors.js';
import type { Project } from '../config/project.js';
import { STAGES, type StageName } from '../config/unify-plan.js';
import { explainIoFailure } from '../data/io-failure.js';
import { prepare } from '../data/prepare.js';
import { replaceFile } from '../train/replace-file.js';
import { explainPlan } from '../unify/path/explain-plan.js';
import { openPath, unifyDirectory, type PathEvents } from '../unify/path/context.js';
import { runPath } from '../unify/path/run-path.js';
import type { UnifyReport } from '../unify/report.js';
import { renderReport } from '../unify/report/render-report.js';
import { summaryTable } from '../unify/report/summary-table.js';
import { withInterrupt } from './interrupt.js';
import { compactNumber, duration, type Output } from './output.js';
import { openProject, projectCommand, type ProjectOptions } from './project-command.js';
import { trainingProgress } from './training-progress.js';

interface UnifyCommandOptions extends ProjectOptions {
  readonly continue?: boolean;
  readonly from?: StageName;
  readonly ablate?: boolean;
  readonly explain?: boolean;
}

const EXAMPLES = `
  onefold unify                              from separate models to one, a stage at a time; run it again to go on after a kill
  onefold unify --explain                    what would be done, and the limits of each stage; nothing is run
  onefold unify --from efficiency            leave out stages before it whose gates failed, and go on
  onefold unify --continue                   take every stage in spite of failed gates
  onefold unify --ablate                     shared learning's modules each alone, too
`;

/** The dataset, prepared where it is not or where sources or config have changed. */
const prepareFirst = async (project: Project, output: Output, signal: AbortSignal): Promise<void> => {
  const progress = output.progress('prepare');
  const started = performance.now();
  const { reused } = await prepare(project, {
    signal,
    onProgress: ({ step, detail, fraction, rows }) => progress.update(fraction, `${step} ${detail}${rows === undefined ? '' : `, ${compactNumber(rows)} candidates`}`),
  });
  progress.done(reused ? 'nothing had changed' : `in ${duration((performance.now() - started) / 1000)}`);
};

/** Training as progress lines; what is shorter only where a terminal can overwrite it. */
const eventsOf = (output: Output): { readonly events: PathEvents; close(): void } => {
  const training = trainingProgress(output);
  const said = new Set<string>();
  return {
    events: {
      onStage: (label) => {
        training.close();
        output.step(label);
      },
      onLine: (line) => {
        // Every run of a plan says the same of the kernel.
        if (said.has(line)) return;
        said.add(line);
        training.close();
        output.step(`  ${line}`);
      },
      onTraining: (name, progress) => {
        training.report(`  train ${name}`, progress);
      },
      onWork: () => {
        training.close();
      },
    },
    close: () => {
      training.close();
    },
  };
};

const writeReports = async (directory: string, report: UnifyReport): Promise<{ readonly html: string; readonly json: string }> => {
  const [html, json] = [join(directory, 'report.html'), join(directory, 'report.json')];
  try {
    await mkdir(directory, { recursive: true });
    replaceFile(json, `${JSON.stringify(report, undefined, 1)}\n`);
    replaceFile(html, renderReport(report));
  } catch (cause) {
    throw explainIoFailure(cause, directory);
  }
  return { html, json };
};

/** `onefold unify`: the staged path from separate models to one. */
export const unifyCommand = (): Command =>
  projectCommand('unify', EXAMPLES)
    .option('--continue', 'go on in spite of failed gates, with what failed them')
    .addOption(new Option('--from <stage>', 'go on from this stage: gates that fail before it keep the champion and stop nothing').choices([...STAGES]))
    .option('--ablate', 'train the Transformer and the experts each alone as well')
    .option('--explain', 'print the plan and its limits, and run nothing')
    .action(async (options: UnifyCommandOptions) => {
      const { project, output } = await openProject(options);
      if (options.explain === true) {
        output.text(explainPlan(project));
        output.result({ plan: project.unify });
        return;
      }
      const started = performance.now();
      const { events, close } = eventsOf(output);
      const report = await withInterrupt(async (signal) => {
        await prepareFirst(project, output, signal);
        return runPath(await openPath(project, events, signal), {
          ...(options.continue === undefined ? {} : { continue: options.continue }),
          ...(options.from === undefined ? {} : { from: options.from }),
          ...(options.ablate === undefined ? {} : { ablate: options.ablate }),
        });
      }).finally(close);
      const files = await writeReports(unifyDirectory(project), report);
      const path = relative(process.cwd(), files.html);
      output.text(summaryTable(report));
      output.text(`\nreport: ${path} (in ${duration((performance.now() - started) / 1000)})`);
      output.result({ ...report, files });
      if (report.outcome.status === 'stopped') {
        throw new GateError(`the gate of stage ${report.outcome.stage ?? ''} failed: ${report.outcome.failures.join('; ')}`, {
          where: path,
          expected: 'every limit of the stage kept; the last good stage is the result',
          fix: `change the stage or its limits (unify.gates in ${project.file}), leave it out with --from and the stage after it, or take it with --continue`,
        });
      }
    });
