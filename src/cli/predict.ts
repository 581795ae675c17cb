import { Command } from 'commander';
import { predict } from '../export/predict.js';
import { DESCRIPTIONS } from './descriptions.js';
import { addEvents } from './events-option.js';
import { withInterrupt } from './interrupt.js';
import { compactNumber, createOutput, type CommonOptions } from './output.js';

interface PredictCommandOptions extends CommonOptions {
  readonly output: string;
  readonly events: Readonly<Record<string, string>>;
}

const EXAMPLES = `
Examples:
  onefold predict .onefold/exports/unified/search rows.parquet --output scored.parquet
  onefold predict search-export rows.csv --output scored.csv --json
  onefold predict search-export logs/today.parquet --events history='events/*.parquet' --output scored.parquet

ROWS holds the columns of the surface's own logs: one row per candidate, or per request with lists of its candidates'
values, as the logs that training read; what is written has the same rows. Rows of one request that follow each other are
scored as one. Histories that training joined from events are joined with --events, point-in-time; else they are lists
here: <sequence>.<field>, and <sequence>.@time in epoch ms. golden.parquet in the export shows such rows, one per candidate.
Training-only features need no column: the value they are served with is used.
`;

/** `onefold predict EXPORT ROWS`: scores raw rows with an export alone. */
export const predictCommand = (): Command =>
  new Command('predict')
    .description(DESCRIPTIONS.predict)
    .argument('<export>', 'folder of the export')
    .argument('<rows>', 'raw rows: Parquet, CSV or JSONL')
    .requiredOption('-o, --output <file>', 'file to write: .parquet, .csv or .jsonl')
    .option('--events <SEQUENCE=FILE>', 'events to join to the rows as training joined them; repeat it for each sequence', addEvents, {})
    .option('--json', 'print one JSON object on standard output')
    .addHelpText('after', EXAMPLES)
    .action(async (exported: string, rows: string, options: PredictCommandOptions) => {
      const output = createOutput(options);
      const progress = output.progress('predict');
      const result = await withInterrupt((signal) =>
        predict({ exported, input: rows, output: options.output, events: options.events, signal, onProgress: (count) => progress.update(0, `${compactNumber(count)} candidates`) }),
      );
      progress.done(`${compactNumber(result.rows)} candidates of ${compactNumber(result.requests)} requests`);
      output.text(`${options.output}: ${result.tasks.map((task) => `probability.${task}`).join(', ')} of ${result.rows} candidates`);
      output.result({ output: options.output, ...result });
    });
