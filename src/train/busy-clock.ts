/**
 * The share of training's wall time in which the engine's thread computed steps: what is left was waiting for batches. It
 * runs from the first batch on and stands still while held-out rows are evaluated.
 */
export class BusyClock {
  #since: number | undefined;
  #wall = 0;
  #busy = 0;

  run(): void {
    this.#since ??= performance.now();
  }

  pause(): void {
    if (this.#since !== undefined) this.#wall += performance.now() - this.#since;
    this.#since = undefined;
  }

  /** @param milliseconds that the engine's thread took for a step */
  add(milliseconds: number): void {
    this.#busy += milliseconds;
  }

  /** From 0 to 1; 0 before the first step. */
  get share(): number {
    const wall = this.#wall + (this.#since === undefined ? 0 : performance.now() - this.#since);
    return wall === 0 ? 0 : Math.min(1, this.#busy / wall);
  }
}
