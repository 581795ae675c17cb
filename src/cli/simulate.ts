import { Command, InvalidArgumentError } from 'commander';
import { resolve } from 'node:path';
import { simulateMarketplace } from '../simulate/marketplace.js';
import type { SimulationSummary } from '../simulate/marketplace.js';
import { DESCRIPTIONS } from './descriptions.js';
import { withInterrupt } from './interrupt.js';
import { compactNumber, createOutput, duration } from './output.js';

interface SimulateCommandOptions {
  readonly candidates: number;
  readonly seed: number;
  readonly days: number;
  readonly force?: boolean;
  readonly json?: boolean;
}

const wholeNumber = (text: string): number => {
  const value = Number(text.replaceAll('_', ''));
  if (!Number.isInteger(value)) throw new InvalidArgumentError('expected a whole number, such as 300000.');
  return value;
};

const describe = (summary: SimulationSummary, directory: string): string => {
  const lines = Object.entries(summary.surfaces).map(([name, { requests, candidates, tasks }]) => {
    const click = tasks.click!;
    const rate = (100 * click.rate).toFixed(2);
    return `  ${name}: ${compactNumber(requests)} requests, ${compactNumber(candidates)} candidates, ${rate} % clicked, best possible log loss ${click.logLoss.toFixed(4)}`;
  });
  return [`${directory}: ${compactNumber(summary.candidates)} candidates, ${compactNumber(summary.events)} events, seed ${summary.seed}`, ...lines].join('\n');
};

const EXAMPLES = `
Examples:
  onefold simulate data                                        about 300 000 candidates, 14 days
  onefold simulate data --candidates 3000000 --seed 11         ten times as many, another marketplace
  onefold simulate data --force --json                         replace it; print one JSON object

The folder gets logs/<surface>/*.parquet (layout: 'request'), events/*.parquet and marketplace.json with the log loss that
no model can beat. The same seed, candidates and days give the same bytes.
`;

/** `onefold simulate`: writes the logs of a simulated marketplace. */
export const simulateCommand = (): Command =>
  new Command('simulate')
    .description(DESCRIPTIONS.simulate)
    .argument('<folder>', 'new folder to write')
    .option('--candidates <count>', 'candidates over all surfaces, about', wholeNumber, 300_000)
    .option('--seed <number>', 'seed of everything drawn', wholeNumber, 7)
    .option('--days <count>', 'days of the log', wholeNumber, 14)
    .option('--force', 'replace a marketplace simulated earlier')
    .option('--json', 'print one JSON object on standard output')
    .addHelpText('after', EXAMPLES)
    .action(async (folder: string, options: SimulateCommandOptions) => {
      const directory = resolve(folder);
      const output = createOutput(options);
      const progress = output.progress('simulate');
      const started = performance.now();
      const seconds = (): number => Math.max((performance.now() - started) / 1000, 1e-3);
      const summary = await withInterrupt((signal) =>
        simulateMarketplace({
          directory,
          candidates: options.candidates,
          seed: options.seed,
          days: options.days,
          force: options.force === true,
          signal,
          onProgress: (done) => {
            const rate = done / seconds();
            const left = Math.max(0, options.candidates - done) / Math.max(rate, 1);
            progress.update(done / options.candidates, `${compactNumber(done)} candidates, ${compactNumber(rate)}/s, ${duration(left)} left`);
          },
        }),
      );
      progress.done(`${compactNumber(summary.candidates)} candidates in ${duration(seconds())}`);
      output.text(describe(summary, directory));
      output.result({ directory, ...summary });
    });
