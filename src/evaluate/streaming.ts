import { concatPredictions } from './concat-predictions.js';
import { evaluatePredictions, metricSettings, type EvaluateOptions } from './evaluate.js';
import type { Evaluation } from './evaluation.js';
import type { Predictions } from './predictions.js';
import { labelledRows, Sample } from './sample.js';
import { SliceTotals } from './slice-totals.js';
import { bySlice, slicesOf, type Slice } from './slices.js';

export interface AccumulatorOptions extends EvaluateOptions {
  /**
   * Up to this many rows are kept and evaluated exactly, intervals included; beyond it, rows are folded into totals of
   * bounded memory. 0 streams from the first row. Default 5,000,000.
   */
  readonly exactRows?: number;
}

/**
 * Metrics of predictions that arrive in chunks. Log loss, NE, calibration, MRR and nDCG are exact either way; once
 * streamed, AUC comes with an error bound, ECE has nearly equal-mass bins, and GAUC and intervals are null.
 *
 * A chunk holds whole requests; user and request numbers mean the same in all chunks. The accumulator keeps the arrays
 * of a chunk: do not write to them afterwards.
 */
export interface Accumulator {
  readonly rows: number;
  readonly method: Evaluation['method'];
  /** @throws DataError for a label outside {0, 1, NaN}, or a labelled row whose probability is not in [0, 1]. */
  add(chunk: Predictions): void;
  /** Takes over another accumulator's rows, e.g. of another worker; leave that one alone afterwards. */
  merge(other: Accumulator): void;
  evaluate(): Evaluation;
}

class PredictionAccumulator implements Accumulator {
  readonly #options: AccumulatorOptions;
  readonly #exactRows: number;
  /** By task, then by scope and name. */
  readonly #totals = new Map<string, Map<string, SliceTotals>>();
  #chunks: Predictions[] = [];
  #streaming = false;
  #rows = 0;

  constructor(options: AccumulatorOptions) {
    this.#options = options;
    this.#exactRows = options.exactRows ?? 5_000_000;
  }

  get rows(): number {
    return this.#rows;
  }

  get method(): Evaluation['method'] {
    return this.#streaming ? 'streaming' : 'exact';
  }

  add(chunk: Predictions): void {
    for (const task of chunk.tasks) labelledRows(chunk, task);
    this.#rows += chunk.count;
    this.#chunks.push(chunk);
    if (this.#streaming || this.#rows > this.#exactRows) this.#fold();
  }

  merge(other: Accumulator): void {
    if (!(other instanceof PredictionAccumulator)) throw new TypeError('merge() takes an accumulator made by createAccumulator()');
    this.#rows += other.#rows;
    this.#chunks.push(...other.#chunks);
    if (this.#streaming || other.#streaming || this.#rows > this.#exactRows) this.#fold();
    for (const [task, slices] of other.#totals) {
      const own = this.#slicesOf(task);
      for (const [key, totals] of slices) {
        const mine = own.get(key);
        if (mine === undefined) own.set(key, totals);
        else mine.merge(totals);
      }
    }
  }

  evaluate(): Evaluation {
    if (!this.#streaming && this.#chunks.length > 0) {
      this.#chunks = [concatPredictions(this.#chunks)];
      return evaluatePredictions(this.#chunks[0]!, this.#options);
    }
    const { gaucBy, eceBins } = metricSettings(this.#options);
    const tasks = [...this.#totals].map(([task, slices]) =>
      bySlice(
        task,
        [...slices.values()].map((totals) => totals.evaluate(eceBins)),
      ),
    );
    return { method: this.method, gaucBy, bootstrap: null, tasks };
  }

  #fold(): void {
    this.#streaming = true;
    for (const chunk of this.#chunks) {
      for (const task of chunk.tasks) {
        for (const slice of slicesOf(chunk, labelledRows(chunk, task))) {
          this.#totalsOf(task.task, slice).add(new Sample(chunk, task, slice.rows));
        }
      }
    }
    this.#chunks = [];
  }

  #slicesOf(task: string): Map<string, SliceTotals> {
    let slices = this.#totals.get(task);
    if (slices === undefined) this.#totals.set(task, (slices = new Map()));
    return slices;
  }

  #totalsOf(task: string, slice: Slice): SliceTotals {
    const slices = this.#slicesOf(task);
    const key = `${slice.scope} ${slice.name}`;
    let totals = slices.get(key);
    if (totals === undefined) slices.set(key, (totals = new SliceTotals(slice)));
    return totals;
  }
}

/** An accumulator that is exact while the rows fit and streams beyond. */
export const createAccumulator = (options: AccumulatorOptions = {}): Accumulator => new PredictionAccumulator(options);
