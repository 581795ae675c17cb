import { KEPT_EVENTS, type FeatureUpdate, type StoredEvents } from './feature-store.js';

type Scalar = string | number | boolean | null;

/** Events of one user and sequence while some are added: sorted by time, of one moment in the order they came, and none twice. */
export class EventList {
  readonly #times: number[];
  readonly #fields: Map<string, Scalar[]>;

  constructor({ times, fields }: StoredEvents) {
    this.#times = [...times];
    this.#fields = new Map(Object.entries(fields).map(([name, values]) => [name, [...values]]));
  }

  /** Puts an event where its time belongs; one that is there already is not added again. */
  add({ time, fields }: Extract<FeatureUpdate, { readonly event: unknown }>['event']): void {
    let place = this.#times.length;
    while (place > 0 && this.#times[place - 1]! > time) place -= 1;
    const added = new Map(Object.entries(fields));
    for (const name of added.keys()) {
      if (!this.#fields.has(name)) this.#fields.set(name, new Array<null>(this.#times.length).fill(null));
    }
    const columns = [...this.#fields].map(([name, values]) => ({ values, value: added.get(name) ?? null }));
    for (let at = place - 1; at >= 0 && this.#times[at] === time; at -= 1) {
      if (columns.every(({ values, value }) => values[at] === value)) return;
    }
    this.#times.splice(place, 0, time);
    for (const { values, value } of columns) values.splice(place, 0, value);
  }

  /** The newest of them, as many as are kept. */
  get newest(): StoredEvents {
    return { times: this.#times.slice(-KEPT_EVENTS), fields: Object.fromEntries([...this.#fields].map(([name, values]) => [name, values.slice(-KEPT_EVENTS)])) };
  }
}
