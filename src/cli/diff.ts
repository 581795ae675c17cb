import { Command } from 'commander';
import { diffExports } from '../export/diff-exports.js';
import { renderDiff } from '../export/render-diff.js';
import { DESCRIPTIONS } from './descriptions.js';
import { addEvents } from './events-option.js';
import { withInterrupt } from './interrupt.js';
import { compactNumber, createOutput, type CommonOptions } from './output.js';

interface DiffCommandOptions extends CommonOptions {
  readonly events: Readonly<Record<string, string>>;
}

const EXAMPLES = `
Examples:
  onefold diff exports/yesterday/search exports/today/search              on the golden rows of the first
  onefold diff exports/yesterday/search exports/today/search rows.parquet
  onefold diff a/search b/search logs/today.parquet --events history='events/*.parquet' --json

ROWS are read as \`onefold predict\` reads them. The exit code is 0 whether the exports differ or not.
`;

/** `onefold diff EXPORT_A EXPORT_B [ROWS]`: what is different between two exports of a surface. */
export const diffCommand = (): Command =>
  new Command('diff')
    .description(DESCRIPTIONS.diff)
    .argument('<export-a>', 'folder of an export')
    .argument('<export-b>', 'folder of another export of the same surface')
    .argument('[rows]', 'raw rows to score with both: Parquet, CSV or JSONL (default: the golden rows of the first)')
    .option('--events <SEQUENCE=FILE>', 'events to join to the rows as training joined them; repeat it for each sequence', addEvents, {})
    .option('--json', 'print one JSON object on standard output')
    .addHelpText('after', EXAMPLES)
    .action(async (a: string, b: string, rows: string | undefined, options: DiffCommandOptions) => {
      const output = createOutput(options);
      const progress = output.progress('diff');
      const diff = await withInterrupt((signal) => diffExports({ a, b, rows, events: options.events, signal, onProgress: (count) => progress.update(0, `${compactNumber(count)} candidates`) }));
      progress.done(diff.predictions === null ? '' : `${compactNumber(diff.predictions.candidates)} candidates scored with both`);
      output.text(renderDiff(diff));
      output.result(diff);
    });
