/** 2026-01-05T00:00Z, a Monday: the first moment of every simulated log. */
export const LOG_START_MS = Date.UTC(2026, 0, 5);
export const HOUR_MS = 3_600_000;
export const DAY_MS = 86_400_000;

/** Relative traffic of the hours of a day: quiet nights, a lunch bump, busy evenings. */
const HOURLY_TRAFFIC = [
  0.5, 0.35, 0.25, 0.2, 0.2, 0.3, 0.5, 0.75, 0.9, 0.95, 1, 1.1, 1.25, 1.15, 1.05, 1.05, 1.1, 1.25, 1.45, 1.65, 1.8, 1.75, 1.4, 0.9,
] as const;

const SATURDAY = 5;
const WEEKEND_TRAFFIC = 1.25;

/**
 * Spreads arrivals over whole days by the hours' traffic. Fractions that rise give moments that rise, so a log is
 * generated in time order without sorting.
 */
export class SimulatedClock {
  readonly #startMs: number;
  /** Share of the traffic before each hour; one more entry than hours. */
  readonly #before: Float64Array;
  #hour = 0;

  /** @param startMs midnight of the first day, in epoch milliseconds */
  constructor(startMs: number, days: number) {
    this.#startMs = startMs;
    const firstWeekday = Math.floor((startMs - LOG_START_MS) / DAY_MS);
    const before = new Float64Array(days * 24 + 1);
    for (let hour = 0; hour < days * 24; hour++) {
      const weekday = (((firstWeekday + Math.floor(hour / 24)) % 7) + 7) % 7;
      before[hour + 1] = before[hour]! + HOURLY_TRAFFIC[hour % 24]! * (weekday >= SATURDAY ? WEEKEND_TRAFFIC : 1);
    }
    const total = before[days * 24]!;
    this.#before = before.map((value) => value / total);
  }

  /**
   * @param fraction of all traffic, in [0, 1); must not fall from call to call
   * @returns epoch milliseconds
   */
  momentAt(fraction: number): number {
    while (this.#hour < this.#before.length - 2 && this.#before[this.#hour + 1]! <= fraction) this.#hour++;
    const from = this.#before[this.#hour]!;
    const within = (fraction - from) / (this.#before[this.#hour + 1]! - from);
    return this.#startMs + this.#hour * HOUR_MS + Math.min(HOUR_MS - 1, Math.floor(within * HOUR_MS));
  }
}
