/**
 * The errors a user can meet. Each names the place (file, row, column or option), what was expected, and the fix.
 * Exit codes are documented in docs/errors.md.
 */

/** Closed union of error codes; `EXIT_CODES` gives the process exit code of each. */
export type ErrorCode =
  | 'usage'
  | 'config'
  | 'data'
  | 'merge'
  | 'training'
  | 'artifact'
  | 'parity'
  | 'gate'
  | 'io'
  | 'interrupted'
  | 'internal';

/** Process exit code of every error code. */
export const EXIT_CODES: Readonly<Record<ErrorCode, number>> = {
  internal: 1,
  usage: 2,
  config: 3,
  data: 4,
  merge: 5,
  training: 6,
  artifact: 7,
  parity: 8,
  io: 9,
  gate: 10,
  interrupted: 130,
};

/** What an error says beside its message. */
export interface ErrorDetails {
  /** Where: a file, `file:row`, a column, a config path such as `features.age.encoding`, or an option. */
  readonly where?: string;
  /** What was expected there. */
  readonly expected?: string;
  /** What the user can do about it. */
  readonly fix?: string;
  readonly cause?: unknown;
}

/** Base of every error Onefold throws on purpose; anything else that escapes is a defect (code `internal`). */
export class OnefoldError extends Error {
  readonly code: ErrorCode;
  readonly where: string | undefined;
  readonly expected: string | undefined;
  readonly fix: string | undefined;

  constructor(code: ErrorCode, message: string, details: ErrorDetails = {}) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause });
    this.name = new.target.name;
    this.code = code;
    this.where = details.where;
    this.expected = details.expected;
    this.fix = details.fix;
  }
}

/** A command was called with options that do not fit. */
export class UsageError extends OnefoldError {
  constructor(message: string, details?: ErrorDetails) {
    super('usage', message, details);
  }
}

/** Logs or prepared data do not hold what the config says. */
export class DataError extends OnefoldError {
  constructor(message: string, details?: ErrorDetails) {
    super('data', message, details);
  }
}

/** Training could not go on: a loss that is not finite, an id out of range. */
export class TrainingError extends OnefoldError {
  constructor(message: string, details?: ErrorDetails) {
    super('training', message, details);
  }
}

/** A checkpoint, export or prepared dataset is torn, altered or of another version. */
export class ArtifactError extends OnefoldError {
  constructor(message: string, details?: ErrorDetails) {
    super('artifact', message, details);
  }
}

/** Two computations that must agree do not. */
export class ParityError extends OnefoldError {
  constructor(message: string, details?: ErrorDetails) {
    super('parity', message, details);
  }
}

/** A stage of unification did not keep its limits. */
export class GateError extends OnefoldError {
  constructor(message: string, details?: ErrorDetails) {
    super('gate', message, details);
  }
}

/** The file system said no: permission, space, a missing folder. */
export class IoError extends OnefoldError {
  constructor(message: string, details?: ErrorDetails) {
    super('io', message, details);
  }
}

/** One finding of config validation or of the merge: a path, what was expected there, and the fix. */
export interface Issue {
  /** Path into the config, e.g. `features.age.on.search.unit`. */
  readonly path: string;
  readonly message: string;
  readonly expected: string;
  readonly fix: string;
}

const listIssues = (issues: readonly Issue[]): string =>
  issues.map((issue) => `  ${issue.path}: ${issue.message}\n    expected: ${issue.expected}\n    fix: ${issue.fix}`).join('\n');

/** The config does not validate; carries every issue found. */
export class ConfigError extends OnefoldError {
  readonly issues: readonly Issue[];

  constructor(file: string, issues: readonly Issue[]) {
    super('config', `${file} has ${issues.length} ${issues.length === 1 ? 'problem' : 'problems'}:\n${listIssues(issues)}`, {
      where: file,
    });
    this.issues = issues;
  }
}

/** Features of two surfaces cannot be merged without losing meaning; carries every conflict found. */
export class MergeError extends OnefoldError {
  readonly issues: readonly Issue[];

  constructor(issues: readonly Issue[]) {
    super('merge', `the surfaces' features do not merge (${issues.length}):\n${listIssues(issues)}`);
    this.issues = issues;
  }
}
