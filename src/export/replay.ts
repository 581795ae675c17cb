import { applyLayer, logitOf, sigmoid } from '../calibrate/apply-layer.js';
import type { Calibration, CalibrationLayer } from '../calibrate/calibration.js';
import { ParityError } from '../config/errors.js';
import type { Batch } from '../data/batch.js';
import { createBatch, planBatches } from '../data/batcher.js';
import type { Dataset } from '../data/dataset.js';
import type { PreparedManifest } from '../data/prepared.js';
import { auc } from '../evaluate/auc.js';
import { samplingOffsets, type ScoredGroup } from '../evaluate/score.js';
import { layersByViewType } from './graph-calibration.js';
import type { EncodedRows, OpenExport } from './open-export.js';

/** Probabilities of a request's candidates per task. */
export type RequestScores = Readonly<Record<string, number[]>>;

export interface ReplayOptions {
  readonly dataset: Dataset;
  readonly manifest: PreparedManifest;
  readonly group: ScoredGroup;
  readonly exported: Pick<OpenExport, 'score'>;
  /** The calibration that is in the export. */
  readonly calibration: Calibration | null;
  /** Rows of the dataset as the export's encoders encode them. */
  readonly renumber: (batch: Batch) => EncodedRows;
  readonly surface: string;
  readonly tolerance: number;
  /** What the export predicts from raw rows, by request id. */
  readonly fromRaw: ReadonlyMap<string, RequestScores>;
  /** Candidates to replay, at least. */
  readonly candidates: number;
  /** Called between batches; it throws when the replay is to stop. */
  readonly stopIfAsked: () => void;
}

export interface ReplayResult {
  readonly encodedRows: number;
  readonly rawRows: number;
  readonly maxDifference: number;
  readonly maxLogitDifference: number;
  /** Of the model less the export's, per task whose labels are not all alike. */
  readonly aucLoss: Readonly<Record<string, number>>;
}

const BATCH_CANDIDATES = 4096;

/** One task of the surface, and what was predicted for its labelled rows. */
interface ReplayedTask {
  readonly name: string;
  /** Its place among the logits, and among a batch's labels. */
  readonly place: number;
  readonly label: number;
  readonly offset: number;
  /** By view-type index. */
  readonly layers: readonly CalibrationLayer[];
  readonly labels: number[];
  readonly expected: number[];
  readonly actual: number[];
}

const replayedTasks = ({ manifest, group, surface, calibration }: ReplayOptions): readonly ReplayedTask[] => {
  const offsets = samplingOffsets(manifest, group.layout)[group.layout.surfaces.indexOf(surface)]!;
  const calibrated = { surface, viewTypes: manifest.encoders.viewTypes };
  return group.layout.tasks.flatMap(({ name, surfaces }, place) => {
    if (!surfaces.includes(surface)) return [];
    const label = manifest.tasks.findIndex((task) => task.name === name);
    return [{ name, place, label, offset: offsets[place]!, layers: layersByViewType(calibration, name, calibrated), labels: [], expected: [], actual: [] }];
  });
};

const aucLossOf = ({ labels, expected, actual }: ReplayedTask): number => auc(labels, Float32Array.from(expected)) - auc(labels, Float32Array.from(actual));

/** The largest differences seen; one above the tolerance is an error. */
class Differences {
  readonly #surface: string;
  readonly #tolerance: number;
  probability = 0;
  logit = 0;

  constructor(surface: string, tolerance: number) {
    this.#surface = surface;
    this.#tolerance = tolerance;
  }

  check(what: string, task: string, expected: number, actual: number): void {
    const difference = Math.abs(sigmoid(expected) - actual);
    if (!(difference <= this.#tolerance)) {
      throw new ParityError(`${this.#surface}: the exported files predict ${actual} for ${what}, task "${task}"; the trained model predicts ${sigmoid(expected)}`, {
        where: what,
        expected: `a difference of at most ${this.#tolerance}`,
        fix: 'nothing was exported; report this with the project and the data that show it',
      });
    }
    this.probability = Math.max(this.probability, difference);
    this.logit = Math.max(this.logit, Math.abs(logitOf(sigmoid(expected)) - logitOf(actual)));
  }
}

/**
 * Replays held-out requests of one surface through the exported files and through the trained model, from encoded rows
 * and, where their raw values were kept, from those too.
 *
 * @throws ParityError at the first prediction that differs by more than the tolerance, or when there was nothing to compare
 */
export const replay = async (options: ReplayOptions): Promise<ReplayResult> => {
  const { dataset, manifest, group, exported, renumber, surface, fromRaw } = options;
  const surfaceIndex = manifest.encoders.surfaces.indexOf(surface);
  const taskCount = group.layout.tasks.length;
  const tasks = replayedTasks(options);
  const differences = new Differences(surface, options.tolerance);
  let [encodedRows, rawRows] = [0, 0];
  for await (const { shard } of dataset.iterateShards()) {
    const order = Int32Array.from({ length: shard.requestCount }, (_, request) => request).filter((request) => shard.surfaces[request] === surfaceIndex);
    for (const requestIndices of planBatches(shard, order, { candidates: BATCH_CANDIDATES })) {
      if (encodedRows >= options.candidates) break;
      options.stopIfAsked();
      const batch = createBatch(shard, requestIndices, manifest.encoders.surfaces.length);
      const actual = await exported.score(renumber(batch));
      const logits = await group.scorer.predict(batch);
      let row = 0;
      for (const [place, request] of batch.requestIndex.entries()) {
        const id = shard.requestIds[request]!;
        const raw = fromRaw.get(id);
        const size = shard.offsets[request + 1]! - shard.offsets[request]!;
        for (let candidate = 0; candidate < size; candidate++, row++) {
          for (const task of tasks) {
            const expected = applyLayer(task.layers[batch.viewTypes[place]!]!, logits[row * taskCount + task.place]! + task.offset);
            const own = actual[task.name]![row]!;
            differences.check(`request ${id}, candidate ${candidate}`, task.name, expected, own);
            if (raw !== undefined) differences.check(`request ${id}, candidate ${candidate}, from raw values`, task.name, expected, raw[task.name]![candidate] ?? NaN);
            const label = batch.labels[task.label]?.[row] ?? NaN;
            if (Number.isNaN(label)) continue;
            task.labels.push(label);
            task.expected.push(sigmoid(expected));
            task.actual.push(own);
          }
        }
        encodedRows += size;
        if (raw !== undefined) rawRows += size;
      }
    }
    if (encodedRows >= options.candidates) break;
  }
  if (rawRows === 0) {
    throw new ParityError(`${surface}: no held-out row was replayed ${encodedRows === 0 ? '' : 'from raw values '}through the exported files`, {
      where: surface,
      expected: 'held-out rows of the surface, and the raw rows that `onefold prepare` keeps of them',
      fix: 'nothing was exported; prepare the data again, then train and export',
    });
  }
  const ranked = tasks.filter(({ labels }) => labels.includes(0) && labels.includes(1));
  return {
    encodedRows,
    rawRows,
    maxDifference: differences.probability,
    maxLogitDifference: differences.logit,
    aucLoss: Object.fromEntries(ranked.map((task) => [task.name, aucLossOf(task)])),
  };
};
