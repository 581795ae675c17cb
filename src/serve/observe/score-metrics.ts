/** What is predicted, what was predicted on held-out rows, and what came of it. */
import type { Gauge } from 'prom-client';
import type { ServedSurface } from '../raw-request.js';
import { VERSION_LABELS, type Instruments } from './instruments.js';
import type { LabelledTotals } from './labelled-totals.js';
import { ProbabilityBins, registerProbabilities } from './probability-histogram.js';

/** Probabilities that one request was answered with. */
export interface ScoresReport {
  readonly surface: string;
  readonly version: string;
  readonly viewType: string;
  /** Probability of each candidate, by task. */
  readonly scores: Readonly<Record<string, Float32Array>>;
}

/** What the held-out rows of a version's export say of a task. */
export interface HeldOut {
  readonly surface: string;
  readonly version: string;
  readonly task: string;
  /** Positives per row. */
  readonly rate: number;
  /** Mean prediction, where it is known. */
  readonly prediction?: number;
}

/** Labels that came in for rows served earlier. */
export interface OutcomesReport {
  readonly surface: string;
  readonly version: string;
  readonly viewType: string;
  readonly task: string;
  /** Sum of the labels. */
  readonly labels: number;
  /** Sum of the predictions that were served for these rows. */
  readonly predictions: number;
  readonly rows: number;
}

type TaskLabel = (typeof VERSION_LABELS)[number] | 'task';

const SLICE_LABELS = [...VERSION_LABELS, 'view_type', 'task'] as const;

type SliceLabel = (typeof SLICE_LABELS)[number];

interface TaskSeries {
  readonly labels: Readonly<Record<TaskLabel, string>>;
  readonly bins: ProbabilityBins;
}

export class ScoreMetrics {
  /** By surface, version and task. */
  readonly #series = new Map<string, TaskSeries>();
  readonly #sum: LabelledTotals<SliceLabel>;
  readonly #count: LabelledTotals<SliceLabel>;
  readonly #notFinite: LabelledTotals<TaskLabel>;
  readonly #heldOutRate: Gauge<TaskLabel>;
  readonly #heldOutPrediction: Gauge<TaskLabel>;
  readonly #outcomeLabels: LabelledTotals<SliceLabel>;
  readonly #outcomePredictions: LabelledTotals<SliceLabel>;
  readonly #outcomeRows: LabelledTotals<SliceLabel>;

  constructor(instruments: Instruments) {
    registerProbabilities({
      registry: instruments.registry,
      name: 'onefold_score',
      help: 'Probabilities served, by task.',
      series: () => [...this.#series.values()],
    });
    const taskLabels = [...VERSION_LABELS, 'task'] as const;
    this.#sum = instruments.totals('prediction_sum_total', 'Sum of the probabilities served.', SLICE_LABELS);
    this.#count = instruments.totals('predictions_total', 'Probabilities served.', SLICE_LABELS);
    this.#notFinite = instruments.totals('scores_not_finite_total', 'Scores that were no number: a defect of the model.', taskLabels);
    this.#heldOutRate = instruments.gauge('held_out_rate', "Positives per row among the export's held-out rows.", taskLabels);
    this.#heldOutPrediction = instruments.gauge('held_out_prediction', "Mean prediction on the export's held-out rows.", taskLabels);
    this.#outcomeLabels = instruments.totals('outcome_label_sum_total', 'Sum of the labels reported for rows that were served.', SLICE_LABELS);
    this.#outcomePredictions = instruments.totals('outcome_prediction_sum_total', 'Sum of what was predicted for the rows whose labels were reported.', SLICE_LABELS);
    this.#outcomeRows = instruments.totals('outcome_rows_total', 'Rows whose labels were reported.', SLICE_LABELS);
  }

  /** Totals begin with nothing: Prometheus sees no increase in a series that begins with what it counts. */
  versions(served: readonly ServedSurface[]): void {
    for (const { surface, version, viewTypes, tasks } of served) {
      for (const task of tasks) {
        this.#notFinite.add([surface, version, task], 0);
        // Without view types the surface is one; with them it stands for requests that name none.
        for (const viewType of new Set([surface, ...viewTypes])) this.outcomes({ surface, version, viewType, task, labels: 0, predictions: 0, rows: 0 });
      }
    }
  }

  scored({ surface, version, viewType, scores }: ScoresReport): void {
    for (const [task, values] of Object.entries(scores)) {
      const { bins } = this.#seriesOf(surface, version, task);
      const { sum, count } = bins.add(values);
      const labels = [surface, version, viewType, task];
      this.#sum.add(labels, sum);
      this.#count.add(labels, count);
      if (count < values.length) this.#notFinite.add([surface, version, task], values.length - count);
    }
  }

  heldOut({ surface, version, task, rate, prediction }: HeldOut): void {
    const labels = { surface, version, task };
    this.#heldOutRate.set(labels, rate);
    if (prediction !== undefined) this.#heldOutPrediction.set(labels, prediction);
  }

  outcomes({ surface, version, viewType, task, labels, predictions, rows }: OutcomesReport): void {
    const names = [surface, version, viewType, task];
    this.#outcomeLabels.add(names, labels);
    this.#outcomePredictions.add(names, predictions);
    this.#outcomeRows.add(names, rows);
  }

  /** Forgets the distributions of a version; `Instruments.forget` forgets the rest. */
  forget(surface: string, version: string): void {
    for (const [key, { labels }] of this.#series) if (labels.surface === surface && labels.version === version) this.#series.delete(key);
  }

  #seriesOf(surface: string, version: string, task: string): TaskSeries {
    const key = `${surface}\u0000${version}\u0000${task}`;
    let series = this.#series.get(key);
    if (series === undefined) {
      series = { labels: { surface, version, task }, bins: new ProbabilityBins() };
      this.#series.set(key, series);
    }
    return series;
  }
}
