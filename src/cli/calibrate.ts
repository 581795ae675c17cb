import { Command, InvalidArgumentError, Option } from 'commander';
import { CALIBRATION_METHODS, type CalibrationMethod } from '../config/unify-plan.js';
import { recalibrate } from '../export/recalibrate.js';
import { DESCRIPTIONS } from './descriptions.js';
import { addEvents } from './events-option.js';
import { withInterrupt } from './interrupt.js';
import { compactNumber, createOutput, type CommonOptions } from './output.js';

interface CalibrateCommandOptions extends CommonOptions {
  readonly output: string;
  readonly events: Readonly<Record<string, string>>;
  readonly methods?: readonly CalibrationMethod[];
  readonly folds: number;
}

const EXAMPLES = `
Examples:
  onefold calibrate .onefold/unify/exports/search logs/search/today.parquet --output search-v2
  onefold calibrate search-export fresh.parquet --events history='events/*.parquet' --output search-v2
  onefold calibrate search-export fresh.csv --methods shift affine --output search-v2

ROWS are the surface's own logs with the labels of its tasks, in the layout and with the columns that training read,
training-only features among them. The layers are fitted anew from those that the export has: where the rows tell little they
stay. Tables and weights are the old export's; golden rows and the manifest are new.
`;

const ratio = (value: number | null): string => (value === null ? 'no positives' : value.toFixed(3));

const parseFolds = (value: string): number => {
  const folds = Number(value);
  if (!Number.isInteger(folds) || folds < 2) throw new InvalidArgumentError('It must be a whole number of at least 2.');
  return folds;
};

/** `onefold calibrate EXPORT ROWS`: fits an export's calibration to fresh labelled rows. */
export const calibrateCommand = (): Command =>
  new Command('calibrate')
    .description(DESCRIPTIONS.calibrate)
    .argument('<export>', 'folder of the export')
    .argument('<rows>', 'raw rows with labels: Parquet, CSV or JSONL')
    .requiredOption('-o, --output <folder>', 'folder of the new export')
    .option('--events <SEQUENCE=FILE>', 'events to join to the rows as training joined them; repeat it for each sequence', addEvents, {})
    .addOption(new Option('--methods <names...>', 'methods to choose from (default: all)').choices([...CALIBRATION_METHODS]))
    .option('--folds <count>', 'parts of the users that the choice is cross-validated over', parseFolds, 5)
    .option('--json', 'print one JSON object on standard output')
    .addHelpText('after', EXAMPLES)
    .action(async (exported: string, rows: string, options: CalibrateCommandOptions) => {
      const output = createOutput(options);
      const progress = output.progress('calibrate');
      const { output: folder, events, methods, folds } = options;
      const result = await withInterrupt((signal) =>
        recalibrate({
          exported,
          input: rows,
          output: folder,
          events,
          folds,
          signal,
          onProgress: (count) => progress.update(0, `${compactNumber(count)} candidates`),
          ...(methods === undefined ? {} : { methods }),
        }),
      );
      progress.done(`${compactNumber(result.rows)} labelled candidates`);
      for (const { task, method, positives, ratio: of } of result.tasks) {
        output.text(`${task}: ${method}, ${compactNumber(positives)} positives; predicted over observed ${ratio(of.before)} before, ${ratio(of.after)} after`);
      }
      output.text(`written: ${folder}`);
      output.result({ output: folder, ...result });
    });
