/** Totals that others keep, as counters. */
import type { Counter } from 'prom-client';

/** Follows a total whose owner may start again from zero, as Prometheus follows a counter of a process that may restart. */
export class RunningTotal<L extends string> {
  readonly #counter: Counter<L>;
  readonly #labels: Partial<Record<L, string>>;
  #last = 0;

  constructor(counter: Counter<L>, labels: Partial<Record<L, string>>) {
    this.#counter = counter;
    this.#labels = labels;
    counter.inc(labels, 0);
  }

  set(total: number): void {
    this.#counter.inc(this.#labels, total >= this.#last ? total - this.#last : total);
    this.#last = total;
  }
}
