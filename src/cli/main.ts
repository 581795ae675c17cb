#!/usr/bin/env node
import { readFileSync } from 'node:fs';
import { Command, type CommanderError } from 'commander';
import { compareCommand } from './compare.js';
import { evaluateCommand } from './evaluate.js';
import { exportCommand } from './export.js';
import { initCommand } from './init.js';
import { stopProgress } from './output.js';
import { predictCommand } from './predict.js';
import { prepareCommand } from './prepare.js';
import { reportError } from './report-error.js';
import { simulateCommand } from './simulate.js';
import { trainCommand } from './train.js';

const { version } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as { version: string };

const program = new Command('onefold')
  .description('One engagement model for every ad surface: merge, train, compare and export.')
  .version(version)
  .option('--verbose', 'print stack traces with errors');

for (const command of [initCommand(), simulateCommand(), prepareCommand(), trainCommand(), evaluateCommand(), compareCommand(), exportCommand(), predictCommand()]) program.addCommand(command);

const json = process.argv.includes('--json');

/** Failures end in `reportError`, so that exit codes stay those of docs/errors.md and `--json` prints one object alone. */
const throwInstead = (command: Command): void => {
  command.showHelpAfterError('(add --help for options and examples)').exitOverride((error: CommanderError) => {
    throw error;
  });
  if (json) command.configureOutput({ writeErr: () => undefined });
  command.commands.forEach(throwInstead);
};
throwInstead(program);

try {
  await program.parseAsync();
} catch (error) {
  stopProgress();
  process.exitCode = reportError(error, { json, verbose: process.argv.includes('--verbose') });
}
