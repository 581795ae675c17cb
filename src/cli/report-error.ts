import pc from 'picocolors';
import { CommanderError } from 'commander';
import { EXIT_CODES, OnefoldError } from '../config/errors.js';

/** An error as `--json` prints it. */
export interface ReportedError {
  readonly code: string;
  readonly message: string;
  readonly where?: string;
  readonly expected?: string;
  readonly fix?: string;
}

const describe = (error: unknown): ReportedError => {
  if (error instanceof OnefoldError) {
    return {
      code: error.code,
      message: error.message,
      ...(error.where === undefined ? {} : { where: error.where }),
      ...(error.expected === undefined ? {} : { expected: error.expected }),
      ...(error.fix === undefined ? {} : { fix: error.fix }),
    };
  }
  return {
    code: 'internal',
    message: error instanceof Error ? error.message : String(error),
    fix: 'this is a defect of onefold: run again with --verbose and report what it prints',
  };
};

/**
 * Prints an error for people or, with `json`, as one JSON object, both on standard error.
 *
 * @returns the process exit code (docs/errors.md)
 */
export const reportError = (error: unknown, options: { readonly json: boolean; readonly verbose: boolean }): number => {
  // Commander has printed its own message by then; help and version end with exit code 0.
  if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : EXIT_CODES.usage;
  const reported = describe(error);
  if (options.json) {
    process.stderr.write(`${JSON.stringify({ error: reported })}\n`);
  } else {
    process.stderr.write(`${pc.red('error')} ${pc.dim(`[${reported.code}]`)} ${reported.message}\n`);
    for (const key of ['where', 'expected', 'fix'] as const) {
      if (reported[key] !== undefined) process.stderr.write(`  ${pc.bold(`${key}:`)} ${reported[key]}\n`);
    }
  }
  if (options.verbose) {
    for (let cause: unknown = error; cause instanceof Error; cause = cause.cause) process.stderr.write(`${cause.stack ?? cause.message}\n`);
  }
  return error instanceof OnefoldError ? EXIT_CODES[error.code] : EXIT_CODES.internal;
};
