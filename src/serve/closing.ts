/** Everything that must end with a server. */

import { timerMs } from './timer-ms.js';

/** What a step may take when no time is left: files are written to their end, and no client waits any more. */
const SPARE_MS = 2000;

interface Step {
  readonly what: string;
  readonly end: () => Promise<void>;
}

/** Ends the last opened first. One that does not end keeps none of the others from it. */
export class Closing {
  readonly #steps: Step[] = [];

  /** @param what it is called when it does not end */
  add(what: string, end: () => Promise<void>): void {
    this.#steps.unshift({ what, end });
  }

  /** @param leftMs milliseconds that are left for all of it */
  async close(leftMs: () => number, onError: (error: unknown) => void): Promise<void> {
    for (const { what, end } of this.#steps) {
      let timer: NodeJS.Timeout | undefined;
      const late = new Promise<void>((_, reject) => {
        timer = setTimeout(() => {
          reject(new Error(`${what} did not end in time`));
        }, timerMs(leftMs() + SPARE_MS));
      });
      await Promise.race([end(), late]).catch(onError);
      clearTimeout(timer);
    }
  }
}
