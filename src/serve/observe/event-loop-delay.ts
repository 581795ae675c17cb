/** How late the event loop is: what every request waits for beside the work that is done for it. */
import { monitorEventLoopDelay, type IntervalHistogram } from 'node:perf_hooks';
import type { Instruments } from './instruments.js';

/** Milliseconds between two looks. */
const RESOLUTION_MS = 5;

/** The monitor records the time from look to look: what is above the resolution is delay. */
const delaySeconds = (nanoseconds: number): number => (Number.isFinite(nanoseconds) ? Math.max(0, nanoseconds / 1e6 - RESOLUTION_MS) / 1000 : 0);

/** Median, 99th percentile and maximum of the delay since it was last collected, as gauges. */
export class EventLoopDelay {
  readonly #histogram: IntervalHistogram = monitorEventLoopDelay({ resolution: RESOLUTION_MS });

  constructor(instruments: Instruments) {
    const help = 'Delay of the event loop since the last collection';
    const median = instruments.gauge('event_loop_delay_p50_seconds', `${help}: median.`);
    const high = instruments.gauge('event_loop_delay_p99_seconds', `${help}: 99th percentile.`);
    const highest = instruments.gauge('event_loop_delay_max_seconds', `${help}: maximum.`);
    this.#histogram.enable();
    this.collect = () => {
      // Nothing was recorded yet, if it is collected twice at once.
      const isEmpty = this.#histogram.count === 0;
      median.set(isEmpty ? 0 : delaySeconds(this.#histogram.percentile(50)));
      high.set(isEmpty ? 0 : delaySeconds(this.#histogram.percentile(99)));
      highest.set(isEmpty ? 0 : delaySeconds(this.#histogram.max));
      this.#histogram.reset();
    };
  }

  /** Sets the gauges and starts anew. */
  readonly collect: () => void;

  close(): void {
    this.#histogram.disable();
  }
}
