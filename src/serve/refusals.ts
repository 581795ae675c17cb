/** Versions that did not pass. */
import type { Target } from './version-source.js';

/** They are not tried again while their surface is to have what it was to have. */
export class Refusals {
  readonly #errors = new Map<string, { readonly surface: string; readonly error: unknown }>();

  add(surface: string, version: string, error: unknown): void {
    this.#errors.set(`${surface}/${version}`, { surface, error });
  }

  has(surface: string, version: string): boolean {
    return this.#errors.has(`${surface}/${version}`);
  }

  /** What is wrong with it. */
  errorOf(surface: string, version: string): unknown {
    return this.#errors.get(`${surface}/${version}`)?.error;
  }

  /** Forgets those of surfaces that are to have something else, or whose version was promoted again, as after a repair. */
  change(from: Target, to: Target): void {
    for (const [key, { surface }] of this.#errors) if (!isSame(from.surfaces[surface], to.surfaces[surface])) this.#errors.delete(key);
  }

  forgetAll(): void {
    this.#errors.clear();
  }
}

const isSame = (one: unknown, other: unknown): boolean => JSON.stringify(one) === JSON.stringify(other);
