import { appendFileSync, existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { explainIoFailure } from '../data/io-failure.js';
import { replaceFile } from './replace-file.js';
import { EventFile, removeEventFiles } from './tensorboard/event-file.js';

/** Scalars of one moment of a run, by slash-separated name: `loss/home_feed/click`, `validation/auc`. */
export type Scalars = Readonly<Record<string, number>>;

const METRICS_FILE = 'metrics.jsonl';

/** A run's metrics: a line of JSON a moment in `metrics.jsonl`, and the same scalars in a TensorBoard event file. */
export class RunMetrics {
  readonly #path: string;
  readonly #events: EventFile;

  /**
   * Starts a run's metrics, or goes on from `resumeAt`: lines of later steps, which the resumed run writes again, are
   * dropped.
   *
   * @throws IoError when the folder cannot be written.
   */
  constructor(directory: string, resumeAt: number) {
    this.#path = join(directory, METRICS_FILE);
    try {
      const kept = existsSync(this.#path) ? keepUntil(readFileSync(this.#path, 'utf8'), resumeAt) : '';
      replaceFile(this.#path, kept);
      // TensorBoard shows all event files of a folder as one run; those of a run before this one are not.
      if (resumeAt === 0) removeEventFiles(directory);
    } catch (cause) {
      throw explainIoFailure(cause, this.#path);
    }
    this.#events = new EventFile(directory);
  }

  write(step: number, scalars: Scalars): void {
    try {
      appendFileSync(this.#path, `${JSON.stringify({ step, ...scalars })}\n`);
    } catch (cause) {
      throw explainIoFailure(cause, this.#path);
    }
    this.#events.write(step, scalars);
  }
}

/** The whole lines of steps up to `step`. A killed run may leave half a line, which is dropped too. */
const keepUntil = (text: string, step: number): string => {
  const isKept = (line: string): boolean => {
    try {
      return (JSON.parse(line) as { step: number }).step <= step;
    } catch {
      return false;
    }
  };
  const lines = text.split('\n').filter((line) => line !== '' && isKept(line));
  return lines.map((line) => `${line}\n`).join('');
};
