#!/usr/bin/env node
import { readFileSync } from 'node:fs';
import { Command, type CommanderError } from 'commander';
import { DESCRIPTIONS, type CommandName } from './descriptions.js';
import { stopProgress } from './output.js';
import { reportError } from './report-error.js';

const { version } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as { version: string };

/** A command's module brings its rooms with it, DuckDB and ONNX Runtime among them: only the one that was asked for is loaded. */
const LOAD: Readonly<Record<CommandName, () => Promise<Command>>> = {
  init: async () => (await import('./init.js')).initCommand(),
  simulate: async () => (await import('./simulate.js')).simulateCommand(),
  unify: async () => (await import('./unify.js')).unifyCommand(),
  prepare: async () => (await import('./prepare.js')).prepareCommand(),
  inspect: async () => (await import('./inspect.js')).inspectCommand(),
  train: async () => (await import('./train.js')).trainCommand(),
  evaluate: async () => (await import('./evaluate.js')).evaluateCommand(),
  compare: async () => (await import('./compare.js')).compareCommand(),
  export: async () => (await import('./export.js')).exportCommand(),
  diff: async () => (await import('./diff.js')).diffCommand(),
  calibrate: async () => (await import('./calibrate.js')).calibrateCommand(),
  predict: async () => (await import('./predict.js')).predictCommand(),
  publish: async () => (await import('./publish.js')).publishCommand(),
  versions: async () => (await import('./versions.js')).versionsCommand(),
  promote: async () => (await import('./promote.js')).promoteCommand(),
  rollback: async () => (await import('./rollback.js')).rollbackCommand(),
  features: async () => (await import('./features.js')).featuresCommand(),
  client: async () => (await import('./client.js')).clientCommand(),
  serve: async () => (await import('./serve.js')).serveCommand(),
  top: async () => (await import('./top.js')).topCommand(),
};

const program = new Command('onefold')
  .description('One engagement model for every ad surface: merge, train, compare and export.')
  .version(version)
  .option('--verbose', 'print stack traces with errors')
  .configureHelp({ subcommandTerm: (command) => command.name() });

/** `onefold NAME …`, or `onefold help NAME`. */
const [first, second] = process.argv.slice(2).filter((argument) => !argument.startsWith('-'));
const asked = first === 'help' ? second : first;
for (const [name, description] of Object.entries(DESCRIPTIONS)) {
  program.addCommand(name === asked ? await LOAD[name as CommandName]() : new Command(name).description(description));
}

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
// Whoever misses the command sees them all.
program.showHelpAfterError();

try {
  await program.parseAsync();
} catch (error) {
  stopProgress();
  process.exitCode = reportError(error, { json, verbose: process.argv.includes('--verbose') });
}
