/** Whether a request may wait: latency is kept by refusing early what could not be answered in time. */
import { RequestError } from '../request-error.js';

export interface AdmissionLimits {
  /** Requests that wait, at most. */
  readonly maxQueue: number;
  /** Milliseconds a request may have to wait, as far as can be foreseen. */
  readonly maxWaitMs: number;
}

/** What waits now. */
export interface Load {
  readonly waiting: number;
  readonly workers: number;
}

/** Weight of the newest run in the mean. */
const NEWEST = 0.1;

/** Foresees waiting times from what runs took lately. */
export class Admission {
  readonly #limits: AdmissionLimits;
  /** By priority, lowest first. */
  readonly #priorities: readonly number[];
  /** Mean milliseconds of a thread for a request that waits among others. */
  #requestMs = 0;

  /** @param priorities every priority that requests can have */
  constructor(limits: AdmissionLimits, priorities: readonly number[]) {
    this.#limits = limits;
    this.#priorities = [...new Set(priorities)].sort((a, b) => a - b);
  }

  /** A run took so long for so many requests. */
  ran(requests: number, milliseconds: number): void {
    const each = milliseconds / requests;
    this.#requestMs = this.#requestMs === 0 ? each : this.#requestMs + NEWEST * (each - this.#requestMs);
  }

  /** Milliseconds that a request which came now would wait. */
  waitMs({ waiting, workers }: Load): number {
    return (waiting * this.#requestMs) / Math.max(1, workers);
  }

  /** Whether even the most important request is refused: its body need not be read. */
  isFull(load: Load): boolean {
    return load.waiting >= this.#limits.maxQueue || this.waitMs(load) > this.#limits.maxWaitMs;
  }

  /**
   * @param left milliseconds until nobody waits for the answer
   * @param requests that are answered together: what they wait for each other is no reason to refuse them
   * @throws RequestError `overloaded` when it would wait too long; `too_large` when there are more than may wait at any time
   */
  admit(priority: number, left: number, load: Load, requests = 1): void {
    const share = this.#shareOf(priority);
    const wait = this.waitMs(load);
    const limits = { queue: this.#limits.maxQueue * share, wait: Math.min(this.#limits.maxWaitMs * share, left) };
    const others = requests - 1;
    // Trying again would not help.
    if (others > 0 && others >= limits.queue) throw new RequestError('too_large', `the call has ${requests} requests`, { expected: `at most ${Math.max(1, Math.ceil(limits.queue))} in one call` });
    if (load.waiting + others < limits.queue && wait <= limits.wait) return;
    throw this.refusal(load);
  }

  refusal(load: Load): RequestError {
    const retryAfter = Math.max(1, Math.ceil(this.waitMs(load) / 1000));
    return new RequestError('overloaded', `${load.waiting} requests wait already`, { expected: 'fewer requests at a time', retryAfter });
  }

  /** What is left for the less important goes to the more important: the lowest priority may use half of the limits. */
  #shareOf(priority: number): number {
    const rank = this.#priorities.indexOf(priority);
    return this.#priorities.length < 2 ? 1 : 0.5 + (0.5 * rank) / (this.#priorities.length - 1);
  }
}
