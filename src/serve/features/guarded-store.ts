/** A store that a request does not wait for longer than it can: slow or dead ones are left alone for a while. */
import type { FeatureStore, StoreAnswer, StoreQuery } from './feature-store.js';

/** How long a store that failed is not asked. */
const REST_MS = 500;

/** Failures in a row after which it is left alone. */
const MOST_FAILURES = 3;

const guards = new WeakMap<FeatureStore, StoreGuard>();

/** Counts failures of one store. */
class StoreGuard {
  #failures = 0;
  #restsUntil = 0;

  /** Undefined: it did not answer in time, or is resting. */
  async lookup(store: FeatureStore, query: StoreQuery, timeoutMs: number): Promise<StoreAnswer | undefined> {
    const now = performance.now();
    if (now < this.#restsUntil) return undefined;
    // After a rest one request finds out whether it answers again; the others do not wait for that.
    if (this.#failures >= MOST_FAILURES) this.#restsUntil = now + timeoutMs;
    let timer: NodeJS.Timeout | undefined;
    try {
      const answer = await Promise.race([
        store.lookup(query),
        new Promise<undefined>((resolve) => {
          timer = setTimeout(() => {
            resolve(undefined);
          }, timeoutMs);
        }),
      ]);
      if (answer === undefined) this.#failed();
      else this.#answered();
      return answer;
    } catch {
      this.#failed();
      return undefined;
    } finally {
      clearTimeout(timer);
    }
  }

  #answered(): void {
    this.#failures = 0;
    this.#restsUntil = 0;
  }

  #failed(): void {
    this.#failures += 1;
    if (this.#failures >= MOST_FAILURES) this.#restsUntil = performance.now() + REST_MS;
  }
}

/** Asks a store, for a bounded time; undefined when it did not answer. */
export const lookupInTime = (store: FeatureStore, query: StoreQuery, timeoutMs: number): Promise<StoreAnswer | undefined> => {
  let guard = guards.get(store);
  if (guard === undefined) {
    guard = new StoreGuard();
    guards.set(store, guard);
  }
  return guard.lookup(store, query, timeoutMs);
};
