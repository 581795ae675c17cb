import { OnefoldError } from './errors.js';

/**
 * Ends work between two steps of it when it is to stop.
 *
 * @param message what was interrupted, and what that leaves
 * @throws OnefoldError `interrupted` when the signal has aborted
 */
export const stopIfAborted = (signal: AbortSignal | undefined, message: string, where: string): void => {
  if (signal?.aborted === true) throw new OnefoldError('interrupted', message, { where, fix: 'run the command again', cause: signal.reason });
};
