import { Command } from 'commander';
import { predict } from '../export/predict.js';
import { withInterrupt } from './interrupt.js';
import { compactNumber, createOutput, type CommonOptions } from './output.js';

interface PredictCommandOptions extends CommonOptions {
  readonly output: string;
}

const EXAMPLES = `
Examples:
  onefold predict .onefold/exports/unified/search rows.parquet --output scored.parquet
  onefold predict search-export rows.csv --output scored.csv --json

ROWS holds the columns of the surface's own logs, one row per candidate; rows of one request that follow each other are
scored as one. Histories that training joined from events are lists here: <sequence>.<field>, and <sequence>.@time in
epoch ms. golden.parquet in the export shows such rows. Training-only features need no column: the value they are
served with is used.
`;

/** `onefold predict EXPORT ROWS`: scores raw rows with an export alone. */
export const predictCommand = (): Command =>
  new Command('predict')
    .description('score raw rows of a surface with its export alone')
    .argument('<export>', 'folder of the export')
    .argument('<rows>', 'raw rows: Parquet, CSV or JSONL')
    .requiredOption('-o, --output <file>', 'file to write: .parquet, .csv or .jsonl')
    .option('--json', 'print one JSON object on standard output')
    .addHelpText('after', EXAMPLES)
    .action(async (exported: string, rows: string, options: PredictCommandOptions) => {
      const output = createOutput(options);
      const progress = output.progress('predict');
      const result = await withInterrupt((signal) =>
        predict({ exported, input: rows, output: options.output, signal, onProgress: (count) => progress.update(0, `${compactNumber(count)} rows`) }),
      );
      progress.done(`${compactNumber(result.rows)} rows of ${compactNumber(result.requests)} requests`);
      output.text(`${options.output}: ${result.tasks.map((task) => `probability.${task}`).join(', ')} of ${result.rows} rows`);
      output.result({ output: options.output, ...result });
    });
