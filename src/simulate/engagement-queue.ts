/** Something a user did with a pin, as histories hold it. */
export interface Engagement {
  readonly timeMs: number;
  readonly user: number;
  /** Pin id as logged. */
  readonly pin: number;
  readonly topic: number;
  /** Index into `ACTIONS`. */
  readonly action: number;
  /** Index into `SURFACES`. */
  readonly surface: number;
}

/** Holds engagements that are still to come, so that they are written in time order; equal times keep their order. */
export class EngagementQueue {
  readonly #pending: Engagement[] = [];

  add(engagement: Engagement): void {
    let place = this.#pending.length;
    while (place > 0 && this.#pending[place - 1]!.timeMs > engagement.timeMs) place--;
    this.#pending.splice(place, 0, engagement);
  }

  /** Hands over, in time order, everything that happens before `timeMs`. */
  drain(timeMs: number, take: (engagement: Engagement) => void): void {
    let count = 0;
    while (count < this.#pending.length && this.#pending[count]!.timeMs < timeMs) take(this.#pending[count++]!);
    if (count > 0) this.#pending.splice(0, count);
  }
}
