import { readFile } from 'node:fs/promises';
import { join, relative } from 'node:path';
import type { Command } from 'commander';
import { MERGE_REPORT_FILE } from '../data/load-prepared.js';
import type { MergeReport } from '../data/merge-report.js';
import { renderMergeReport } from '../data/merge-report-table.js';
import { prepare, type PreparedDataset } from '../data/prepare.js';
import { SPLITS } from '../data/prepared.js';
import { withInterrupt } from './interrupt.js';
import { compactNumber, duration } from './output.js';
import { openProject, projectCommand, type ProjectOptions } from './project-command.js';

interface PrepareCommandOptions extends ProjectOptions {
  readonly force?: boolean;
}

const EXAMPLES = `
  onefold prepare                                   the project in this folder
  onefold prepare --config shop --data /logs        another project; its config asks for a data folder
  onefold prepare --force --json                    even if nothing changed; one JSON object
`;

const candidatesOf = (dataset: PreparedDataset, split: (typeof SPLITS)[number]): number =>
  dataset.splits[split].shards.reduce((sum, shard) => sum + shard.candidateCount, 0);

const describeSplits = (dataset: PreparedDataset): string => SPLITS.map((split) => `${split} ${compactNumber(candidatesOf(dataset, split))}`).join(', ');

/** `onefold prepare`: logs of all surfaces → one merged, encoded, request-grouped dataset. */
export const prepareCommand = (): Command =>
  projectCommand('prepare', EXAMPLES)
    .option('--force', 'prepare again even when nothing has changed')
    .action(async (options: PrepareCommandOptions) => {
      const { project, output } = await openProject(options);
      const started = performance.now();
      const progress = output.progress('prepare');
      const dataset = await withInterrupt((signal) =>
        prepare(project, {
          force: options.force === true,
          signal,
          onProgress: ({ step, detail, fraction, rows }) => progress.update(fraction, `${step} ${detail}${rows === undefined ? '' : `, ${compactNumber(rows)} candidates`}`),
        }),
      );
      const report = JSON.parse(await readFile(join(dataset.directory, MERGE_REPORT_FILE), 'utf8')) as MergeReport;
      progress.done(dataset.reused ? 'nothing had changed' : `in ${duration((performance.now() - started) / 1000)}`);
      output.text(renderMergeReport(report));
      output.text(`${relative(process.cwd(), dataset.directory)}: candidates: ${describeSplits(dataset)}`);
      if (dataset.quarantined > 0) output.text(`${dataset.quarantined} bad rows are in ${join(dataset.directory, 'quarantine.parquet')}, each with its reason`);
      output.result({ directory: dataset.directory, reused: dataset.reused, quarantined: dataset.quarantined, splits: dataset.splits, mergeReport: report });
    });
