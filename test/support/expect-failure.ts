/** What every failed command owes its user, whatever went wrong. */
import { expect } from 'vitest';
import type { ErrorCode, Issue } from '../../src/config/errors.js';
import { runCli, type CliOptions } from './run-cli.js';
import type { TinyProject } from './tiny-project.js';

/** An error as `--json` prints it. */
export interface PrintedError {
  readonly code: ErrorCode;
  readonly message: string;
  readonly where?: string;
  readonly expected?: string;
  readonly fix?: string;
  readonly issues?: readonly Issue[];
  readonly stack?: string;
}

export interface ExpectedFailure {
  /** Exit code of docs/errors.md. */
  readonly exit: number;
  readonly code: ErrorCode;
  /** What the report says: the place, what was wrong, what was expected. */
  readonly says: readonly (string | RegExp)[];
  /** Of the fix, or of a config's or merge's first one. */
  readonly fix: string | RegExp;
  /** Files below the project that the command may change; everything else is byte for byte as before. */
  readonly mayChange?: RegExp;
  readonly uid?: CliOptions['uid'];
}

const STACK_FRAME = /^\s+at .+:\d+:\d+\)?$/m;

const unchanged = (contents: Readonly<Record<string, string>>, mayChange: RegExp | undefined): Readonly<Record<string, string>> =>
  Object.fromEntries(Object.entries(contents).filter(([name]) => mayChange?.test(name) !== true));

const optionsOf = (project: TinyProject, { uid }: ExpectedFailure): CliOptions => ({ cwd: project.directory, ...(uid === undefined ? {} : { uid }) });

/** Checks what people see of a command that must fail, and that the project's folder is as it was. */
export const expectReport = async (project: TinyProject, args: readonly string[], expected: ExpectedFailure): Promise<void> => {
  const before = unchanged(project.contents(), expected.mayChange);
  const { exit, stdout, stderr } = await runCli(args, optionsOf(project, expected));
  expect(stderr).toContain(`error [${expected.code}]`);
  expect({ exit, stdout }).toEqual({ exit: expected.exit, stdout: '' });
  expect(stderr).not.toMatch(STACK_FRAME);
  expect(stderr).toMatch(/expected: \S/);
  for (const text of [...expected.says, expected.fix]) expect(stderr).toMatch(text);
  expect(unchanged(project.contents(), expected.mayChange)).toEqual(before);
};

/**
 * Runs a command that must fail, for people and with `--json --verbose`: checks its exit code, its report on both
 * channels, and that the project's folder is as it was.
 *
 * @returns the error as `--json` printed it
 */
export const expectFailure = async (project: TinyProject, args: readonly string[], expected: ExpectedFailure): Promise<PrintedError> => {
  await expectReport(project, args, expected);
  const before = unchanged(project.contents(), expected.mayChange);
  const json = await runCli([...args, '--json', '--verbose'], optionsOf(project, expected));
  expect(json).toMatchObject({ exit: expected.exit, stdout: '' });
  const { error, ...others } = JSON.parse(json.stderr) as { readonly error: PrintedError };
  expect(others).toEqual({});
  expect(error.code).toBe(expected.code);
  expect(error.stack).toMatch(STACK_FRAME);
  expect(error.issues?.[0]?.fix ?? error.fix).toMatch(expected.fix);
  expect(error.issues?.[0]?.expected ?? error.expected).toMatch(/\S/);
  expect(error.issues?.[0]?.path ?? error.where).toMatch(/\S/);

  expect(unchanged(project.contents(), expected.mayChange)).toEqual(before);
  return error;
};
