import pc from 'picocolors';
import { CommanderError } from 'commander';
import { ConfigError, EXIT_CODES, MergeError, OnefoldError, type Issue } from '../config/errors.js';
import { explainIoFailure } from '../data/io-failure.js';

/** An error as `--json` prints it. */
export interface ReportedError {
  readonly code: string;
  readonly message: string;
  readonly where?: string;
  readonly expected?: string;
  readonly fix?: string;
  /** Of a config or a merge: every problem found. */
  readonly issues?: readonly Issue[];
  /** With `--verbose`: stack traces of the error and its causes. */
  readonly stack?: string;
}

const describe = (error: unknown): ReportedError => {
  if (error instanceof OnefoldError) {
    return {
      code: error.code,
      message: error.message,
      ...(error.where === undefined ? {} : { where: error.where }),
      ...(error.expected === undefined ? {} : { expected: error.expected }),
      ...(error.fix === undefined ? {} : { fix: error.fix }),
      ...(error instanceof ConfigError || error instanceof MergeError ? { issues: error.issues } : {}),
    };
  }
  return {
    code: 'internal',
    message: error instanceof Error ? error.message : String(error),
    fix: 'this is a defect of onefold: run again with --verbose and report what it prints',
  };
};

const stackOf = (error: unknown): string => {
  const stacks: string[] = [];
  for (let cause = error; cause instanceof Error; cause = cause.cause) stacks.push(cause.stack ?? cause.message);
  return stacks.join('\n');
};

const describeUsage = (error: CommanderError): ReportedError => ({
  code: 'usage',
  message: error.code === 'commander.help' ? 'no command was given' : error.message.replace(/^error: /, ''),
  fix: 'see `onefold COMMAND --help`',
});

/**
 * Prints an error for people or, with `json`, as one JSON object, both on standard error.
 *
 * @returns the process exit code (docs/errors.md)
 */
export const reportError = (raised: unknown, options: { readonly json: boolean; readonly verbose: boolean }): number => {
  if (raised instanceof CommanderError) {
    // Help and version are no failures; for people, Commander has printed its own message by then.
    if (raised.exitCode === 0) return 0;
    if (options.json) process.stderr.write(`${JSON.stringify({ error: describeUsage(raised) })}\n`);
    return EXIT_CODES.usage;
  }
  const error = explainIoFailure(raised, (raised as NodeJS.ErrnoException | undefined)?.path ?? 'the file system');
  const reported = describe(error);
  const stack = stackOf(error);
  if (options.json) {
    process.stderr.write(`${JSON.stringify({ error: options.verbose ? { ...reported, stack } : reported })}\n`);
  } else {
    process.stderr.write(`${pc.red('error')} ${pc.dim(`[${reported.code}]`)} ${reported.message}\n`);
    for (const key of ['where', 'expected', 'fix'] as const) {
      if (reported[key] !== undefined) process.stderr.write(`  ${pc.bold(`${key}:`)} ${reported[key]}\n`);
    }
    if (options.verbose) process.stderr.write(`${stack}\n`);
  }
  return error instanceof OnefoldError ? EXIT_CODES[error.code] : EXIT_CODES.internal;
};
