/** Totals by labels that are added to on every request and handed to Prometheus only when it asks. */
import { Counter, type Registry } from 'prom-client';

interface Total {
  readonly labels: Readonly<Record<string, string>>;
  value: number;
}

export interface TotalsOptions<L extends string> {
  readonly registry: Registry;
  readonly name: string;
  readonly help: string;
  readonly labelNames: readonly L[];
}

/** A counter whose `add` costs one look into a map: prom-client's sorts and joins label names each time. */
export class LabelledTotals<L extends string> {
  readonly #labelNames: readonly L[];
  readonly #totals = new Map<string, Total>();

  constructor({ registry, name, help, labelNames }: TotalsOptions<L>) {
    this.#labelNames = labelNames;
    const totals = this.#totals;
    new Counter({
      name,
      help,
      labelNames: [...labelNames],
      registers: [registry],
      collect() {
        this.reset();
        for (const { labels, value } of totals.values()) this.inc(labels as Record<L, string>, value);
      },
    });
  }

  /** @param values of the labels, in the order of their names */
  add(values: readonly string[], amount: number): void {
    const key = values.join('\u0000');
    const total = this.#totals.get(key);
    if (total !== undefined) total.value += amount;
    else this.#totals.set(key, { labels: Object.fromEntries(this.#labelNames.map((name, index) => [name, values[index]!])), value: amount });
  }

  /** Forgets the totals whose labels have all of these values. */
  remove(labels: Readonly<Record<string, string>>): void {
    for (const [key, total] of this.#totals) {
      if (Object.entries(labels).every(([name, value]) => total.labels[name] === value)) this.#totals.delete(key);
    }
  }
}
