/** Work that must be over after a while. */

import { timerMs } from '../timer-ms.js';

/**
 * Does work with a signal that is aborted after a while, or when `given` is. `AbortSignal.timeout` keeps no process alive: one that
 * waits for a `fetch` whose connection was closed at once would end without a word.
 *
 * @param milliseconds beyond what a timer has, 24 days, are that
 * @returns what the work gives
 * @throws DOMException `TimeoutError` when the time is over; the reason of `given` when that is aborted
 */
export const withinTime = <T>(milliseconds: number, work: (signal: AbortSignal) => Promise<T>, given?: AbortSignal): Promise<T> =>
  new Promise((resolve, reject) => {
    const controller = new AbortController();
    const stop = (reason: Error): void => {
      controller.abort(reason);
      // Whether or not the work heeds the signal.
      reject(reason);
    };
    const onAbort = (): void => {
      stop(given!.reason as Error);
    };
    if (given?.aborted === true) {
      onAbort();
      return;
    }
    const timer = setTimeout(() => {
      stop(new DOMException(`not within ${milliseconds} ms`, 'TimeoutError'));
    }, timerMs(milliseconds));
    given?.addEventListener('abort', onAbort, { once: true });
    void work(controller.signal)
      .then(resolve, reject)
      .finally(() => {
        clearTimeout(timer);
        given?.removeEventListener('abort', onAbort);
      });
  });
