/** What happened between two looks at the same metrics. */
import type { Sample } from './parse-metrics.js';

/** Everything that was printed at one moment. */
export interface Scrape {
  /** Milliseconds, of any clock that goes on evenly. */
  readonly at: number;
  readonly samples: readonly Sample[];
}

/** Labels that a series must have, with these values. */
export type Selector = Readonly<Record<string, string>>;

const keyOf = ({ name, labels }: Sample): string => JSON.stringify([name, Object.entries(labels).sort(([a], [b]) => (a < b ? -1 : 1))]);

const fits = ({ labels }: Sample, selector: Selector): boolean => Object.entries(selector).every(([name, value]) => labels[name] === value);

/** Increases and present values of series. */
export class MetricWindow {
  readonly seconds: number;
  readonly #now = new Map<string, Sample[]>();
  readonly #before: ReadonlyMap<string, number>;

  constructor(from: Scrape, to: Scrape) {
    this.seconds = (to.at - from.at) / 1000;
    this.#before = new Map(from.samples.map((sample) => [keyOf(sample), sample.value]));
    for (const sample of to.samples) {
      const known = this.#now.get(sample.name);
      if (known === undefined) this.#now.set(sample.name, [sample]);
      else known.push(sample);
    }
  }

  /** Series of a metric. */
  series(name: string, selector: Selector = {}): readonly Sample[] {
    return (this.#now.get(name) ?? []).filter((sample) => fits(sample, selector));
  }

  /** Present value of the first such series; null where there is none, or it is no number. */
  value(name: string, selector: Selector = {}): number | null {
    const value = this.series(name, selector)[0]?.value;
    return value === undefined || !Number.isFinite(value) ? null : value;
  }

  /** Increase of one series. One that has fallen started again from zero, as a server does that was started again. */
  increaseOf(sample: Sample): number {
    const before = this.#before.get(keyOf(sample)) ?? 0;
    return sample.value >= before ? sample.value - before : sample.value;
  }

  /** Increase of all such series together. */
  increase(name: string, selector: Selector = {}): number {
    return this.series(name, selector).reduce((sum, sample) => sum + this.increaseOf(sample), 0);
  }

  rate(name: string, selector: Selector = {}): number {
    return this.seconds > 0 ? this.increase(name, selector) / this.seconds : 0;
  }

  /** Increase of one total per increase of another; null where the other did not increase. */
  ratio(above: string, below: string, selector: Selector = {}): number | null {
    const by = this.increase(below, selector);
    return by > 0 ? this.increase(above, selector) / by : null;
  }

  /** Mean of what a histogram observed; null where it observed nothing. */
  mean(histogram: string, selector: Selector = {}): number | null {
    return this.ratio(`${histogram}_sum`, `${histogram}_count`, selector);
  }

  /**
   * Quantile of what a histogram observed: linear within a bucket, and the highest bound beyond it, as Prometheus'
   * `histogram_quantile`; null where it observed nothing.
   */
  quantile(share: number, histogram: string, selector: Selector = {}): number | null {
    const byBound = new Map<number, number>();
    for (const sample of this.series(`${histogram}_bucket`, selector)) {
      const bound = sample.labels['le'] === '+Inf' ? Infinity : Number(sample.labels['le']);
      byBound.set(bound, (byBound.get(bound) ?? 0) + this.increaseOf(sample));
    }
    const buckets = [...byBound].sort(([a], [b]) => a - b);
    const total = buckets.at(-1)?.[1] ?? 0;
    if (total <= 0) return null;
    const wanted = share * total;
    const index = buckets.findIndex(([, count]) => count >= wanted);
    const [bound, count] = buckets[index]!;
    const [lower, below] = index === 0 ? [0, 0] : buckets[index - 1]!;
    if (bound === Infinity) return index === 0 ? null : lower;
    return count === below ? bound : lower + (bound - lower) * ((wanted - below) / (count - below));
  }
}
