import { summarizeBins, type ReliabilityBin } from './calibration.js';

/** Bins of equal width on the logit scale: 2⁻¹¹ wide, from −16 to 16; what lies beyond falls into the end bins. */
const BINS = 2 ** 16;
const LIMIT = 16;

/** AUC from a histogram, and how far the exact AUC can be from it. */
export interface BoundedAuc {
  readonly auc: number;
  readonly errorBound: number;
}

/** Counts of positives and negatives by predicted probability, in bounded memory (1 MiB). Mergeable. */
export class LogitHistogram {
  readonly #positives = new Uint32Array(BINS);
  readonly #negatives = new Uint32Array(BINS);
  readonly #predicted = new Float64Array(BINS);

  /** @param label 0 or 1. @param probability in [0, 1]. */
  add(label: number, probability: number): void {
    const logit = Math.log(probability / (1 - probability));
    const bin = Math.min(BINS - 1, Math.max(0, Math.floor(((logit + LIMIT) * BINS) / (2 * LIMIT))));
    if (label === 1) this.#positives[bin]!++;
    else this.#negatives[bin]!++;
    this.#predicted[bin]! += probability;
  }

  merge(other: LogitHistogram): void {
    for (let bin = 0; bin < BINS; bin++) {
      this.#positives[bin]! += other.#positives[bin]!;
      this.#negatives[bin]! += other.#negatives[bin]!;
      this.#predicted[bin]! += other.#predicted[bin]!;
    }
  }

  /**
   * A pair of a positive and a negative in different bins is ordered as in the exact AUC; a pair in the same bin counts
   * one half where the exact AUC counts 0, ½ or 1. The error is therefore at most half the share of such pairs.
   */
  auc(): BoundedAuc {
    let area = 0;
    let together = 0;
    let positives = 0;
    let negatives = 0;
    for (let bin = 0; bin < BINS; bin++) {
      const positive = this.#positives[bin]!;
      const negative = this.#negatives[bin]!;
      area += positive * (negatives + negative / 2);
      together += positive * negative;
      positives += positive;
      negatives += negative;
    }
    const pairs = positives * negatives;
    return { auc: area / pairs, errorBound: together / 2 / pairs };
  }

  /** Reliability curve in `bins` bins of nearly equal mass: their edges are edges of the histogram's bins. */
  reliability(bins: number): readonly ReliabilityBin[] {
    const rows = new Float64Array(bins);
    const predicted = new Float64Array(bins);
    const positives = new Float64Array(bins);
    let total = 0;
    for (let bin = 0; bin < BINS; bin++) total += this.#positives[bin]! + this.#negatives[bin]!;
    let below = 0;
    for (let bin = 0; bin < BINS; bin++) {
      const count = this.#positives[bin]! + this.#negatives[bin]!;
      if (count === 0) continue;
      const into = Math.min(bins - 1, Math.floor(((below + count / 2) * bins) / total));
      rows[into]! += count;
      predicted[into]! += this.#predicted[bin]!;
      positives[into]! += this.#positives[bin]!;
      below += count;
    }
    return summarizeBins(rows, predicted, positives);
  }
}
