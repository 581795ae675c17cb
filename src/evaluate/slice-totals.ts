import { calibrationErrorOfCurve } from './calibration.js';
import type { SliceEvaluation } from './evaluation.js';
import { LogitHistogram } from './logit-histogram.js';
import { forEachMetric, METRIC_NAMES, METRICS, orNull, type MetricName } from './metrics.js';
import { requestValues } from './ranking.js';
import type { Sample, Sums } from './sample.js';
import type { Slice } from './slices.js';

const NO_SUMS: Sums = { rows: 0, positives: 0, predicted: 0, loss: 0, truthLoss: 0, truth: 0 };

const addSums = (a: Sums, b: Sums): Sums => ({
  rows: a.rows + b.rows,
  positives: a.positives + b.positives,
  predicted: a.predicted + b.predicted,
  loss: a.loss + b.loss,
  truthLoss: a.truthLoss + b.truthLoss,
  truth: a.truth + b.truth,
});

interface RequestMean {
  sum: number;
  requests: number;
}

/** What one slice's rows leave behind when they are streamed: memory does not grow with rows. */
export class SliceTotals {
  readonly #slice: Omit<Slice, 'rows'>;
  readonly #histogram = new LogitHistogram();
  readonly #means = new Map<MetricName, RequestMean>();
  #sums = NO_SUMS;
  #requests = 0;

  constructor({ scope, name, surface }: Omit<Slice, 'rows'>) {
    this.#slice = { scope, name, surface };
  }

  add(sample: Sample): void {
    this.#sums = addSums(this.#sums, sample.sums(null));
    this.#requests += sample.requestCount;
    for (let i = 0; i < sample.count; i++) this.#histogram.add(sample.labels[i]!, sample.probabilities[i]!);
    for (const name of METRIC_NAMES) {
      const { ofRequest } = METRICS[name];
      if (ofRequest === undefined) continue;
      const mean = this.#meanOf(name);
      for (const value of requestValues(sample.labels, sample.probabilities, sample.requestOffsets, ofRequest)) {
        if (Number.isNaN(value)) continue;
        mean.sum += value;
        mean.requests++;
      }
    }
  }

  merge(other: SliceTotals): void {
    this.#sums = addSums(this.#sums, other.#sums);
    this.#requests += other.#requests;
    this.#histogram.merge(other.#histogram);
    for (const [name, { sum, requests }] of other.#means) {
      const mean = this.#meanOf(name);
      mean.sum += sum;
      mean.requests += requests;
    }
  }

  evaluate(eceBins: number): SliceEvaluation {
    const sums = this.#sums;
    const { auc, errorBound } = this.#histogram.auc();
    const reliability = this.#histogram.reliability(eceBins);
    const valueOf = (name: MetricName): number => {
      const { ofSums, ofRequest } = METRICS[name];
      if (ofSums !== undefined) return ofSums(sums);
      if (ofRequest !== undefined) return this.#meanOf(name).sum / this.#meanOf(name).requests;
      if (name === 'auc') return auc;
      return name === 'ece' ? calibrationErrorOfCurve(reliability) : NaN;
    };
    return {
      ...this.#slice,
      rows: sums.rows,
      positives: sums.positives,
      baseRate: sums.rows === 0 ? 0 : sums.positives / sums.rows,
      users: null,
      requests: this.#requests,
      metrics: forEachMetric((name) => orNull(valueOf(name))),
      gaucGroups: null,
      aucErrorBound: orNull(errorBound) ?? 0,
      reliability,
    };
  }

  #meanOf(name: MetricName): RequestMean {
    let mean = this.#means.get(name);
    if (mean === undefined) this.#means.set(name, (mean = { sum: 0, requests: 0 }));
    return mean;
  }
}
