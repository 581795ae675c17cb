import { TrainingError } from '../config/errors.js';
import type { EmbeddingTable } from '../kernels/embedding-kernel.js';
import type { ModelLayout } from '../model/layout.js';
import type { BatchFeeds } from './batch-feeds.js';

/** What was seen when a step's loss or gradient was not finite: enough to find the feature that did it. */
export interface TrainingFailure {
  /** The step that failed, from 1; its update was not applied. */
  readonly step: number;
  readonly loss: number | string;
  readonly gradientNorm: number | string;
  /** Rows whose loss is not finite. */
  readonly losses: readonly { readonly surface: string; readonly task: string; readonly rows: number; readonly notFinite: number }[];
  readonly labels: readonly { readonly task: string; readonly labelled: number; readonly mean: number }[];
  /** Statistics of the batch's dense inputs where present. */
  readonly dense: readonly {
    readonly column: string;
    readonly present: number;
    readonly notFinite: number;
    readonly min: number;
    readonly max: number;
    readonly mean: number;
  }[];
  readonly tables: readonly { readonly table: string; readonly largestNorm: number; readonly row: number; readonly notFinite: number }[];
  readonly parameters: readonly { readonly name: string; readonly largest: number; readonly notFinite: number }[];
}

/** Training stopped because the loss or the gradient of a step was NaN or infinite. */
export class NonFiniteLossError extends TrainingError {
  readonly failure: TrainingFailure;
  /** Which batch it was, both from 0; unknown to the engine, known to the loop. */
  readonly position: { readonly epoch: number; readonly batch: number } | undefined;

  constructor(failure: TrainingFailure, position?: { readonly epoch: number; readonly batch: number }) {
    const rows = failure.losses.filter(({ notFinite }) => notFinite > 0).map((entry) => `${entry.surface}/${entry.task} (${entry.notFinite} of ${entry.rows} rows)`);
    const dense = [...failure.dense].sort((a, b) => Math.max(Math.abs(b.min), Math.abs(b.max)) - Math.max(Math.abs(a.min), Math.abs(a.max)))[0];
    super(
      `step ${failure.step}${position === undefined ? '' : ` (epoch ${position.epoch}, batch ${position.batch})`}: loss ${failure.loss}, gradient norm ${failure.gradientNorm}` +
        (rows.length > 0 ? `; not finite on ${rows.join(', ')}` : '') +
        (dense === undefined ? '' : `; largest dense input "${dense.column}" in [${dense.min}, ${dense.max}]`),
      {
        where: `step ${failure.step}`,
        expected: 'a finite loss and gradient',
        fix: 'Lower training.learningRate or training.embeddingLearningRate, set training.clipNorm, or scale the features with large values (encoding "standard" or "log").',
      },
    );
    this.failure = failure;
    this.position = position;
  }
}

const isFiniteNumber = (value: number): boolean => Number.isFinite(value);

/** JSON has no NaN: such values are written as words. */
const printable = (value: number): number | string => (isFiniteNumber(value) ? value : String(value));

const lossesOf = (layout: ModelLayout, feeds: BatchFeeds, rowLosses: Float32Array): TrainingFailure['losses'] => {
  const taskCount = layout.tasks.length;
  let row = 0;
  return layout.surfaces.flatMap((surface, position) => {
    const first = row;
    row += Number(feeds.surfaceCandidates[position]!);
    return layout.tasks.map(({ name }, task) => {
      let notFinite = 0;
      for (let i = first; i < row; i += 1) if (!isFiniteNumber(rowLosses[i * taskCount + task]!)) notFinite += 1;
      return { surface, task: name, rows: row - first, notFinite };
    });
  });
};

const labelsOf = (layout: ModelLayout, labels: NonNullable<BatchFeeds['labels']>): TrainingFailure['labels'] =>
  layout.tasks.map(({ name }, task) => {
    let labelled = 0;
    let sum = 0;
    for (let i = task; i < labels.values.length; i += layout.tasks.length) {
      if (labels.weights[i] === 0) continue;
      labelled += 1;
      sum += labels.values[i]!;
    }
    return { task: name, labelled, mean: labelled === 0 ? 0 : sum / labelled };
  });

const denseOf = (layout: ModelLayout, feeds: BatchFeeds): TrainingFailure['dense'] =>
  layout.dense.flatMap((block, index) => {
    const values = feeds.dense[index]!;
    return block.slots.map((slot) => {
      const statistics = { column: slot.column, present: 0, notFinite: 0, min: 0, max: 0, mean: 0 };
      let sum = 0;
      let finite = 0;
      for (let row = slot.offset; row < values.length; row += block.blockWidth) {
        if (values[row + slot.size - 1] === 0) continue;
        statistics.present += 1;
        for (let d = 0; d < slot.size - 1; d += 1) {
          const value = values[row + d]!;
          if (!isFiniteNumber(value)) {
            statistics.notFinite += 1;
            continue;
          }
          statistics.min = finite === 0 ? value : Math.min(statistics.min, value);
          statistics.max = finite === 0 ? value : Math.max(statistics.max, value);
          finite += 1;
          sum += value;
        }
      }
      statistics.mean = finite === 0 ? 0 : sum / finite;
      return statistics;
    });
  });

/** Rows looked at together: a table may be larger than any single buffer. */
const ROWS_AT_ONCE = 65_536;

const tablesOf = (layout: ModelLayout, tableOf: (width: number) => Pick<EmbeddingTable, 'readRows'>): TrainingFailure['tables'] =>
  layout.fusedTables.flatMap(({ width, tables }) => {
    const piece = new Float32Array(ROWS_AT_ONCE * width);
    return tables.map(({ name, base, rows }) => {
      const found = { table: name, largestNorm: 0, row: 0, notFinite: 0 };
      for (let start = 0; start < rows; start += ROWS_AT_ONCE) {
        const count = Math.min(ROWS_AT_ONCE, rows - start);
        const weights = piece.subarray(0, count * width);
        tableOf(width).readRows('weights', base + start, weights);
        for (let row = 0; row < count; row += 1) {
          let squares = 0;
          for (let i = row * width; i < (row + 1) * width; i += 1) squares += weights[i]! * weights[i]!;
          if (!isFiniteNumber(squares)) found.notFinite += 1;
          else if (Math.sqrt(squares) > found.largestNorm) {
            found.largestNorm = Math.sqrt(squares);
            found.row = start + row;
          }
        }
      }
      return found;
    });
  });

const parametersOf = (parameters: ReadonlyMap<string, Float32Array>): TrainingFailure['parameters'] =>
  [...parameters].map(([name, values]) => {
    let largest = 0;
    let notFinite = 0;
    for (const value of values) {
      if (!isFiniteNumber(value)) notFinite += 1;
      else if (Math.abs(value) > largest) largest = Math.abs(value);
    }
    return { name, largest, notFinite };
  });

/** Gathers a {@link TrainingFailure} from a step whose update was not applied. */
export const reportFailure = (
  layout: ModelLayout,
  feeds: BatchFeeds,
  step: { readonly step: number; readonly loss: number; readonly gradientNorm: number; readonly rowLosses: Float32Array },
  weights: { readonly table: (width: number) => Pick<EmbeddingTable, 'readRows'>; readonly parameters: ReadonlyMap<string, Float32Array> },
): TrainingFailure => ({
  step: step.step,
  loss: printable(step.loss),
  gradientNorm: printable(step.gradientNorm),
  losses: lossesOf(layout, feeds, step.rowLosses),
  labels: feeds.labels === undefined ? [] : labelsOf(layout, feeds.labels),
  dense: denseOf(layout, feeds),
  tables: tablesOf(layout, weights.table),
  parameters: parametersOf(weights.parameters),
});
