/** Counters, gauges and histograms of one registry, all named `onefold_…`. */
import { Counter, Gauge, Histogram, type Registry } from 'prom-client';
import { LabelledTotals } from './labelled-totals.js';

/** From half a millisecond to two seconds. */
export const SECONDS_BUCKETS: readonly number[] = [0.0005, 0.001, 0.002, 0.003, 0.005, 0.0075, 0.01, 0.015, 0.02, 0.03, 0.05, 0.075, 0.1, 0.2, 0.5, 1, 2];

interface Removable {
  get(): Promise<{ readonly values: readonly { readonly labels: Partial<Record<string, string | number>> }[] }>;
  remove(labels: Record<string, string | number>): void;
}

/** Makes metrics and removes the series of versions that are gone. */
export class Instruments {
  readonly registry: Registry;
  readonly #versioned: Removable[] = [];
  readonly #totals: LabelledTotals<string>[] = [];

  constructor(registry: Registry) {
    this.registry = registry;
  }

  counter<L extends string>(name: string, help: string, labelNames: readonly L[] = []): Counter<L> {
    return this.#keep(labelNames, new Counter({ name: `onefold_${name}`, help, labelNames: [...labelNames], registers: [this.registry] }));
  }

  gauge<L extends string>(name: string, help: string, labelNames: readonly L[] = []): Gauge<L> {
    return this.#keep(labelNames, new Gauge({ name: `onefold_${name}`, help, labelNames: [...labelNames], registers: [this.registry] }));
  }

  histogram<L extends string>(name: string, help: string, labelNames: readonly L[], buckets: readonly number[] = SECONDS_BUCKETS): Histogram<L> {
    return this.#keep(labelNames, new Histogram({ name: `onefold_${name}`, help, labelNames: [...labelNames], buckets: [...buckets], registers: [this.registry] }));
  }

  /** A counter for what is added to many times a request. */
  totals<L extends string>(name: string, help: string, labelNames: readonly L[]): LabelledTotals<L> {
    const totals = new LabelledTotals({ registry: this.registry, name: `onefold_${name}`, help, labelNames });
    this.#totals.push(totals);
    return totals;
  }

  /** Removes every series of a version; they would stay for as long as the server runs. */
  async forget(surface: string, version: string): Promise<void> {
    for (const totals of this.#totals) totals.remove({ surface, version });
    for (const metric of this.#versioned) {
      for (const { labels } of (await metric.get()).values) {
        if (labels['surface'] !== surface || labels['version'] !== version) continue;
        // A histogram's buckets are removed with their series.
        metric.remove(Object.fromEntries(Object.entries(labels).filter((entry): entry is [string, string | number] => entry[0] !== 'le')));
      }
    }
  }

  #keep<M extends Counter | Gauge | Histogram>(labelNames: readonly string[], metric: M): M {
    if (labelNames.includes('version')) this.#versioned.push(metric as unknown as Removable);
    return metric;
  }
}

/** The names of a version's labels. */
export const VERSION_LABELS = ['surface', 'version'] as const;
