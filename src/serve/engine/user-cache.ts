/**
 * Request sides that were encoded lately. The key is what was encoded, word for word, beside the version that did it: the same
 * user with the same features. A feature that changes is another key, so nothing stale is ever read.
 */
export class UserCache {
  readonly #limit: number;
  readonly #entries = new Map<string, readonly Float32Array[]>();
  #bytes = 0;

  /** @param limit bytes of values and keys */
  constructor(limit: number) {
    this.#limit = limit;
  }

  static key(version: string, words: Int32Array): string {
    return `${version}\n${Buffer.from(words.buffer, words.byteOffset, words.byteLength).toString('latin1')}`;
  }

  get(key: string): readonly Float32Array[] | undefined {
    const found = this.#entries.get(key);
    if (found === undefined) return undefined;
    // Last in the order of a Map: used last.
    this.#entries.delete(key);
    this.#entries.set(key, found);
    return found;
  }

  set(key: string, values: readonly Float32Array[]): void {
    this.#remove(key);
    this.#bytes += sizeOf(key, values);
    this.#entries.set(key, values);
    for (const oldest of this.#entries.keys()) {
      if (this.#bytes <= this.#limit) break;
      this.#remove(oldest);
    }
  }

  get bytes(): number {
    return this.#bytes;
  }

  #remove(key: string): void {
    const found = this.#entries.get(key);
    if (found === undefined) return;
    this.#bytes -= sizeOf(key, found);
    this.#entries.delete(key);
  }
}

/** What an entry takes besides its numbers and its key: objects of the engine's. */
const ENTRY_BYTES = 200;

const sizeOf = (key: string, values: readonly Float32Array[]): number => values.reduce((sum, { byteLength }) => sum + byteLength + ENTRY_BYTES, ENTRY_BYTES + key.length);
