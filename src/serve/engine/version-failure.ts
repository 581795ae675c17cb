import { OnefoldError } from '../../config/errors.js';

/** A thread could not open a version, or not run it. The version may be broken, or the machine may have been short of something. */
export class VersionFailedError extends OnefoldError {
  /** Of the version. */
  readonly key: string;

  constructor(key: string, cause: OnefoldError) {
    const { where, expected, fix } = cause;
    super(cause.code, cause.message, { ...(where === undefined ? {} : { where }), ...(expected === undefined ? {} : { expected }), ...(fix === undefined ? {} : { fix }), cause });
    this.key = key;
  }
}
