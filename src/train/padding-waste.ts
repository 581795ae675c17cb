import type { StepResult } from './engine-protocol.js';
import type { Scalars } from './run-metrics.js';

/** How much of attention's rectangles held no event, over all steps, by sequence. */
export class PaddingWaste {
  readonly #tokens = new Map<string, number>();
  readonly #places = new Map<string, number>();

  add({ padding }: Pick<StepResult, 'padding'>): void {
    for (const { sequence, tokens, places } of padding) {
      this.#tokens.set(sequence, (this.#tokens.get(sequence) ?? 0) + tokens);
      this.#places.set(sequence, (this.#places.get(sequence) ?? 0) + places);
    }
  }

  /** Shares from 0 to 1. Sequences without any event yet are left out. */
  bySequence(): Scalars {
    return Object.fromEntries([...this.#places].flatMap(([sequence, places]) => (places === 0 ? [] : [[sequence, 1 - this.#tokens.get(sequence)! / places]])));
  }
}
