import { ParityError } from '../config/errors.js';
import { createBatch, planBatches } from '../data/batcher.js';
import type { Dataset } from '../data/dataset.js';
import type { PreparedManifest } from '../data/prepared.js';
import { samplingOffsets, type ScoredGroup } from '../evaluate/score.js';
import type { OpenExport } from './open-export.js';

/** Probabilities of a request's candidates per task. */
export type RequestScores = Readonly<Record<string, number[]>>;

export interface ReplayOptions {
  readonly dataset: Dataset;
  readonly manifest: PreparedManifest;
  readonly group: ScoredGroup;
  readonly exported: Pick<OpenExport, 'score'>;
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
}

const BATCH_CANDIDATES = 4096;

/**
 * Replays held-out requests of one surface through the exported files and through the trained model, from encoded rows
 * and, where their raw values were kept, from those too.
 *
 * @throws ParityError at the first prediction that differs by more than the tolerance, or when there was nothing to compare
 */
export const replay = async (options: ReplayOptions): Promise<ReplayResult> => {
  const { dataset, manifest, group, exported, surface, tolerance, fromRaw } = options;
  const surfaceIndex = manifest.encoders.surfaces.indexOf(surface);
  const position = group.layout.surfaces.indexOf(surface);
  const offsets = samplingOffsets(manifest, group.layout)[position]!;
  const taskCount = group.layout.tasks.length;
  let [encodedRows, rawRows, maxDifference] = [0, 0, 0];
  const check = (what: string, task: string, expected: number, actual: number): void => {
    const difference = Math.abs(expected - actual);
    if (!(difference <= tolerance)) {
      throw new ParityError(`${surface}: the exported files predict ${actual} for ${what}, task "${task}"; the trained model predicts ${expected}`, {
        where: what,
        expected: `a difference of at most ${tolerance}`,
        fix: 'nothing was exported; report this with the project and the data that show it',
      });
    }
    maxDifference = Math.max(maxDifference, difference);
  };
  for await (const { shard } of dataset.iterateShards()) {
    const order = Int32Array.from({ length: shard.requestCount }, (_, request) => request).filter((request) => shard.surfaces[request] === surfaceIndex);
    for (const requestIndices of planBatches(shard, order, { candidates: BATCH_CANDIDATES })) {
      if (encodedRows >= options.candidates) break;
      options.stopIfAsked();
      const batch = createBatch(shard, requestIndices, manifest.encoders.surfaces.length);
      const actual = await exported.score(batch);
      const logits = await group.scorer.predict(batch);
      let row = 0;
      for (const request of batch.requestIndex) {
        const id = shard.requestIds[request]!;
        const raw = fromRaw.get(id);
        const size = shard.offsets[request + 1]! - shard.offsets[request]!;
        for (let candidate = 0; candidate < size; candidate++, row++) {
          for (let task = 0; task < taskCount; task++) {
            const { name, surfaces } = group.layout.tasks[task]!;
            if (!surfaces.includes(surface)) continue;
            const expected = 1 / (1 + Math.exp(-(logits[row * taskCount + task]! + offsets[task]!)));
            check(`request ${id}, candidate ${candidate}`, name, expected, actual[name]![row]!);
            if (raw !== undefined) check(`request ${id}, candidate ${candidate}, from raw values`, name, expected, raw[name]![candidate] ?? NaN);
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
  return { encodedRows, rawRows, maxDifference };
};
