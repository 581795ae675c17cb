/** Whether a server takes requests on: one answer for every protocol. */
export class Readiness {
  readonly #canScore: () => boolean;
  readonly #listeners = new Set<() => void>();
  #isDraining = false;

  /** @param canScore whether requests would be scored; once they are, they are until the server ends */
  constructor(canScore: () => boolean) {
    this.#canScore = canScore;
  }

  /** The server is going down: what came before is answered still. */
  get isDraining(): boolean {
    return this.#isDraining;
  }

  get isReady(): boolean {
    return !this.#isDraining && this.#canScore();
  }

  drain(): void {
    this.#isDraining = true;
    for (const listener of this.#listeners) listener();
  }

  /**
   * Calls back when the server is ready no more.
   *
   * @returns what ends that
   */
  onChange(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }
}
