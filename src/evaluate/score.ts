import type { Dataset } from '../data/dataset.js';
import { countTokens, createBatch, planBatches } from '../data/batcher.js';
import { createEncoder, type Encoder } from '../data/encode.js';
import type { Column, Columns } from '../data/columns.js';
import type { PreparedManifest } from '../data/prepared.js';
import type { Shard } from '../data/shard.js';
import type { ModelLayout } from '../model/layout.js';
import type { Predictions } from './predictions.js';
import { newRowNumbers, selectRows, unscoredRows } from './unscored-rows.js';

/** Anything that turns batches into logits `[candidates · tasks]`: an engine, usually. */
export interface Scorer {
  predict(batch: ReturnType<typeof createBatch>): Promise<Float32Array>;
}

/** A trained model and the surfaces it scores; several of them cover a project when its models are separate. */
export interface ScoredGroup {
  readonly layout: ModelLayout;
  readonly scorer: Scorer;
  /** Names of the surfaces that it scores. Default: all of the layout's. */
  readonly surfaces?: readonly string[] | undefined;
  /** Tokens of the model's sequences per batch, at most. Default: no bound. */
  readonly batchTokens?: number | undefined;
}

export interface ScoreOptions {
  readonly manifest: PreparedManifest;
  readonly groups: readonly ScoredGroup[];
  /**
   * Values of training-only features: as `logged` (default; the labels came about at these values), or the one they are
   * scored with in `serving`.
   */
  readonly trainingOnly?: 'logged' | 'serving';
  /** Candidates per batch, at most. Default 8192. */
  readonly batchCandidates?: number;
  /** Requests per batch, at most. Default: no bound. */
  readonly batchRequests?: number;
  readonly onProgress?: (scored: number, total: number) => void;
}

const IN_FLIGHT = 2;

/** Training-only columns replaced by their serving value on every row. */
const servedColumns = (encoder: Encoder, shard: Shard): Shard => {
  const replace = (side: 'request' | 'candidate', columns: Columns): Columns => {
    const rows = side === 'request' ? shard.requestCount : shard.candidateCount;
    const surfaces = side === 'request' ? shard.surfaces : candidateSurfaces(shard);
    const served = new Map<string, Column>(columns);
    for (const state of encoder.set.columns) {
      if (state.side !== side || state.serveAs === undefined) continue;
      served.set(state.name, encoder.encodeColumn(state, undefined, rows, { surfaces, serving: true }));
    }
    return served;
  };
  return { ...shard, requestColumns: replace('request', shard.requestColumns), candidateColumns: replace('candidate', shard.candidateColumns) };
};

/** Surface index of each candidate. */
const candidateSurfaces = (shard: Shard): Int32Array => {
  const surfaces = new Int32Array(shard.candidateCount);
  for (let request = 0; request < shard.requestCount; request++) surfaces.fill(shard.surfaces[request]!, shard.offsets[request]!, shard.offsets[request + 1]!);
  return surfaces;
};

/** Shift of each surface's logit of each task that undoes negative down-sampling, `[surfaces of the layout][tasks]`. */
export const samplingOffsets = (manifest: PreparedManifest, layout: ModelLayout): readonly (readonly number[])[] =>
  layout.surfaces.map((surface) => {
    const sampling = manifest.sampling[surface];
    return layout.tasks.map((task) => (sampling !== undefined && sampling.task === task.name ? Math.log(sampling.rate) : 0));
  });

/** Indices of the surfaces that a group scores. */
const scoredSurfaces = ({ layout, surfaces }: ScoredGroup): readonly number[] =>
  surfaces === undefined ? layout.surfaceIndices : surfaces.map((surface) => layout.surfaceIndices[layout.surfaces.indexOf(surface)]!);

const scoreGroup = async (
  shard: Shard,
  group: ScoredGroup,
  predictions: Predictions,
  starts: Int32Array,
  options: ScoreOptions,
  onBatch: (candidates: number) => void,
): Promise<void> => {
  const { layout, scorer } = group;
  const wanted = new Set(scoredSurfaces(group));
  const order = Int32Array.from({ length: shard.requestCount }, (_, request) => request).filter((request) => wanted.has(shard.surfaces[request]!));
  const offsets = samplingOffsets(options.manifest, layout);
  const targets = layout.tasks.map((task) => predictions.tasks.find((one) => one.task === task.name)!.probabilities);
  const scoreBatch = async (requestIndices: Int32Array): Promise<void> => {
    const batch = createBatch(shard, requestIndices, options.manifest.encoders.surfaces.length);
    const logits = await scorer.predict(batch);
    let row = 0;
    for (const request of batch.requestIndex) {
      const surface = layout.surfaceIndices.indexOf(shard.surfaces[request]!);
      const name = layout.surfaces[surface]!;
      for (let candidate = starts[request]!; candidate < starts[request + 1]!; candidate++, row++) {
        layout.tasks.forEach((task, index) => {
          if (!task.surfaces.includes(name)) return;
          targets[index]![candidate] = 1 / (1 + Math.exp(-(logits[row * layout.tasks.length + index]! + offsets[surface]![index]!)));
        });
      }
    }
    onBatch(row);
  };
  const waiting: Promise<void>[] = [];
  const tokens = countTokens(shard, layout.sequences.map(({ column }) => column));
  const bounds = { candidates: options.batchCandidates ?? 8192, requests: options.batchRequests, tokens: group.batchTokens };
  for (const requestIndices of planBatches({ offsets: shard.offsets, tokens }, order, bounds)) {
    const pending = scoreBatch(requestIndices);
    // A batch that fails together with an earlier one is never awaited: only the first failure is reported.
    pending.catch(() => undefined);
    waiting.push(pending);
    if (waiting.length >= IN_FLIGHT) await waiting.shift();
  }
  await Promise.all(waiting);
};

/**
 * Scores a split shard by shard, every surface by the group that has it, with the correction of negative down-sampling
 * applied. Rows of surfaces that no group has are left out; the others keep the dataset's order, so two models'
 * predictions of one split line up.
 */
export async function* scoreShards(dataset: Pick<Dataset, 'candidateCount' | 'iterateShards'>, options: ScoreOptions): AsyncGenerator<Predictions, void, undefined> {
  const { manifest, groups } = options;
  const numbers = newRowNumbers();
  const surfaces = new Set(groups.flatMap(scoredSurfaces));
  const tasks = new Set(groups.flatMap(({ layout }) => layout.tasks.map(({ name }) => name)));
  const encoder = options.trainingOnly === 'serving' ? createEncoder(manifest.encoders) : undefined;
  let scored = 0;
  for await (const { shard: logged } of dataset.iterateShards()) {
    const shard = encoder === undefined ? logged : servedColumns(encoder, logged);
    const selected = selectRows(shard, surfaces);
    const predictions = unscoredRows(shard, selected, manifest, tasks, numbers);
    for (const group of groups) {
      await scoreGroup(shard, group, predictions, selected.starts, options, (candidates) => {
        scored += candidates;
        options.onProgress?.(scored, dataset.candidateCount);
      });
    }
    yield predictions;
  }
}
