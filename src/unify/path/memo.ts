import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { explainIoFailure } from '../../data/io-failure.js';
import { readPredictions, writePredictions } from '../../evaluate/prediction-file.js';
import type { Predictions } from '../../evaluate/predictions.js';
import { replaceFile } from '../../train/replace-file.js';

/** SHA-256 of a plain value. */
export const contentKey = (value: unknown): string => createHash('sha256').update(JSON.stringify(value)).digest('hex');

/**
 * Results by the content they were made from: a plan that runs again computes only what its config, data or code change. Files
 * are written aside and renamed, so a killed process leaves none half-written.
 */
export class Memo {
  readonly #directory: string;
  readonly #code: string;

  /** @param code version of the code that computes what is kept */
  constructor(directory: string, code: string) {
    this.#directory = directory;
    this.#code = code;
    try {
      mkdirSync(directory, { recursive: true });
    } catch (cause) {
      throw explainIoFailure(cause, directory);
    }
  }

  /** The value kept for these inputs, or `compute`'s, which is kept. Values are plain JSON. */
  async json<T>(kind: string, inputs: unknown, compute: () => Promise<T> | T): Promise<T> {
    const path = this.#path(kind, inputs, 'json');
    const found = this.#read(path);
    if (found !== undefined) return JSON.parse(found) as T;
    const text = JSON.stringify(await compute());
    try {
      replaceFile(path, text);
    } catch (cause) {
      throw explainIoFailure(cause, path);
    }
    // Parsed again, so that a value is the same the first time and every other.
    return JSON.parse(text) as T;
  }

  /** The same for predictions, as Parquet. */
  async predictions(kind: string, inputs: unknown, compute: () => Promise<Predictions>): Promise<Predictions> {
    const path = this.#path(kind, inputs, 'parquet');
    if (existsSync(path)) return readPredictions(path);
    const predictions = await compute();
    await writePredictions(path, predictions);
    return readPredictions(path);
  }

  #path(kind: string, inputs: unknown, extension: string): string {
    return join(this.#directory, `${kind}-${contentKey([this.#code, inputs]).slice(0, 24)}.${extension}`);
  }

  #read(path: string): string | undefined {
    try {
      return existsSync(path) ? readFileSync(path, 'utf8') : undefined;
    } catch (cause) {
      throw explainIoFailure(cause, path);
    }
  }
}
