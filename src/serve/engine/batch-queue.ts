/** Requests that wait for a thread: by priority, then as they came; those of one version that come together are run together. */

/** What a queue must know of a request. */
export interface Queued {
  /** Requests of one key can share a run. */
  readonly key: string;
  /** Higher goes first. */
  readonly priority: number;
  readonly candidates: number;
  /** Events of its longest sequence. */
  readonly events: number;
  /** `performance.now()` when it came. */
  readonly since: number;
}

export interface BatchLimits {
  /** Requests and candidates of a run, at most; a single request may have more candidates. */
  readonly maxRequests: number;
  readonly maxCandidates: number;
}

/** Rectangles may be this much larger than what they hold. */
const MOST_PADDING = 1.5;

/** Small rectangles cost the same whatever their size. */
const FREE_PLACES = 4096;

/** How large the rectangles of a run are: its requests are padded to the longest history and the most candidates among them. */
class Shape {
  requests = 0;
  candidates = 0;
  #mostCandidates = 0;
  #mostEvents = 0;
  #used = 0;

  /** Adds the request if little is padded with it. */
  add({ candidates, events }: Queued): boolean {
    const mostCandidates = Math.max(this.#mostCandidates, candidates);
    const mostEvents = Math.max(this.#mostEvents, events);
    const used = this.#used + events * (events + candidates);
    const places = (this.requests + 1) * mostEvents * (mostEvents + mostCandidates);
    if (this.requests > 0 && places > FREE_PLACES && places > MOST_PADDING * used) return false;
    this.requests += 1;
    this.candidates += candidates;
    this.#mostCandidates = mostCandidates;
    this.#mostEvents = mostEvents;
    this.#used = used;
    return true;
  }
}

/** Waiting requests; entries leave it in batches. */
export class BatchQueue<T extends Queued> {
  readonly #limits: BatchLimits;
  /** By falling priority; each in the order of arrival. */
  #levels: { readonly priority: number; readonly entries: T[] }[] = [];
  #size = 0;
  #candidates = 0;

  constructor(limits: BatchLimits) {
    this.#limits = limits;
  }

  get size(): number {
    return this.#size;
  }

  /** Candidates of all that wait. */
  get candidates(): number {
    return this.#candidates;
  }

  /** @param first before all others of its priority: it has waited before */
  push(entry: T, first = false): void {
    let level = this.#levels.find(({ priority }) => priority === entry.priority);
    if (level === undefined) {
      level = { priority: entry.priority, entries: [] };
      this.#levels = [...this.#levels, level].sort((a, b) => b.priority - a.priority);
    }
    if (first) level.entries.unshift(entry);
    else level.entries.push(entry);
    this.#size += 1;
    this.#candidates += entry.candidates;
  }

  /** The request that goes next. */
  #head(): T | undefined {
    return this.#levels.find(({ entries }) => entries.length > 0)?.entries[0];
  }

  /** The least of what `of` gives for the requests that wait; Infinity where none does. */
  least(of: (entry: T) => number): number {
    let least = Infinity;
    for (const { entries } of this.#levels) for (const entry of entries) least = Math.min(least, of(entry));
    return least;
  }

  /** The next request with those of its version that can share its run; empty when nothing waits. */
  take(): T[] {
    const head = this.#head();
    if (head === undefined) return [];
    const batch: T[] = [];
    const shape = new Shape();
    for (const level of this.#levels) {
      const left: T[] = [];
      for (const entry of level.entries) {
        const fits = entry.key === head.key && shape.requests < this.#limits.maxRequests && (shape.requests === 0 || shape.candidates + entry.candidates <= this.#limits.maxCandidates);
        if (fits && shape.add(entry)) batch.push(entry);
        else left.push(entry);
      }
      level.entries.splice(0, level.entries.length, ...left);
    }
    this.#size -= batch.length;
    for (const { candidates } of batch) this.#candidates -= candidates;
    return batch;
  }

  /** Takes out everything that waits and is no longer wanted. */
  remove(isUnwanted: (entry: T) => boolean): T[] {
    const removed: T[] = [];
    for (const { entries } of this.#levels) {
      const left = entries.filter((entry) => {
        if (!isUnwanted(entry)) return true;
        removed.push(entry);
        return false;
      });
      entries.splice(0, entries.length, ...left);
    }
    this.#size -= removed.length;
    for (const { candidates } of removed) this.#candidates -= candidates;
    return removed;
  }
}
