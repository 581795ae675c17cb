import type { Dataset } from '../data/dataset.js';
import { countTokens, createBatch, planBatches } from '../data/batcher.js';
import { createEncoder, type Encoder } from '../data/encode.js';
import type { Column, Columns } from '../data/columns.js';
import type { PreparedManifest } from '../data/prepared.js';
import type { Shard } from '../data/shard.js';
import type { ModelLayout } from '../model/layout.js';
import type { Predictions, TaskPredictions } from './predictions.js';

/** Anything that turns batches into logits `[candidates · tasks]`: an engine, usually. */
export interface Scorer {
  predict(batch: ReturnType<typeof createBatch>): Promise<Float32Array>;
}

/** A trained model and the surfaces it scores; several of them cover a project when its models are separate. */
export interface ScoredGroup {
  readonly layout: ModelLayout;
  readonly scorer: Scorer;
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

/** Dense numbers of users and requests that mean the same in every shard. */
interface RowNumbers {
  readonly users: Map<string, number>;
  requests: number;
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

/** The rows of a shard that some group scores: row `starts[request]` on are the request's candidates. */
interface SelectedRows {
  readonly starts: Int32Array;
  readonly count: number;
}

const selectRows = (shard: Shard, groups: readonly ScoredGroup[]): SelectedRows => {
  const surfaces = new Set(groups.flatMap(({ layout }) => layout.surfaceIndices));
  const starts = new Int32Array(shard.requestCount + 1);
  for (let request = 0; request < shard.requestCount; request++) {
    const size = surfaces.has(shard.surfaces[request]!) ? shard.offsets[request + 1]! - shard.offsets[request]! : 0;
    starts[request + 1] = starts[request]! + size;
  }
  return { starts, count: starts[shard.requestCount]! };
};

/** Predictions of a shard's selected rows without scores: who, where and what happened. */
const unscored = (shard: Shard, { starts, count }: SelectedRows, { manifest, groups }: ScoreOptions, numbers: RowNumbers): Predictions => {
  const [surfaces, viewTypes, users, requests] = [new Int32Array(count), new Int32Array(count), new Int32Array(count), new Int32Array(count)];
  const tasks = manifest.tasks.flatMap(({ name }, index): (TaskPredictions & { readonly source: { labels: Float32Array; truths: Float64Array | undefined } })[] => {
    if (!groups.some(({ layout }) => layout.tasks.some((task) => task.name === name))) return [];
    const truths = shard.truths.get(name);
    const source = { labels: shard.labels[index]!, truths };
    const own = { task: name, labels: new Float32Array(count), probabilities: new Float32Array(count).fill(NaN), source };
    return [truths === undefined ? own : { ...own, truths: new Float64Array(count) }];
  });
  for (let request = 0; request < shard.requestCount; request++) {
    const [start, end] = [starts[request]!, starts[request + 1]!];
    if (start === end) continue;
    const name = shard.users[request]!;
    let user = numbers.users.get(name);
    if (user === undefined) numbers.users.set(name, (user = numbers.users.size));
    surfaces.fill(shard.surfaces[request]!, start, end);
    viewTypes.fill(shard.viewTypes[request]!, start, end);
    users.fill(user, start, end);
    requests.fill(numbers.requests, start, end);
    numbers.requests += 1;
    const [from, to] = [shard.offsets[request]!, shard.offsets[request + 1]!];
    for (const { labels, truths, source } of tasks) {
      labels.set(source.labels.subarray(from, to), start);
      truths?.set(source.truths!.subarray(from, to), start);
    }
  }
  return {
    count,
    surfaceNames: manifest.encoders.surfaces,
    viewTypeNames: manifest.encoders.viewTypes,
    surfaces,
    viewTypes,
    users,
    requests,
    tasks: tasks.map(({ task, labels, probabilities, truths }) => ({ task, labels, probabilities, ...(truths === undefined ? {} : { truths }) })),
  };
};

/** Shift of each surface's logit of each task that undoes negative down-sampling, `[surfaces of the layout][tasks]`. */
export const samplingOffsets = (manifest: PreparedManifest, layout: ModelLayout): readonly (readonly number[])[] =>
  layout.surfaces.map((surface) => {
    const sampling = manifest.sampling[surface];
    return layout.tasks.map((task) => (sampling !== undefined && sampling.task === task.name ? Math.log(sampling.rate) : 0));
  });

const scoreGroup = async (
  shard: Shard,
  group: ScoredGroup,
  predictions: Predictions,
  starts: Int32Array,
  options: ScoreOptions,
  onBatch: (candidates: number) => void,
): Promise<void> => {
  const { layout, scorer } = group;
  const wanted = new Set(layout.surfaceIndices);
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
  const numbers: RowNumbers = { users: new Map(), requests: 0 };
  const encoder = options.trainingOnly === 'serving' ? createEncoder(options.manifest.encoders) : undefined;
  let scored = 0;
  for await (const { shard: logged } of dataset.iterateShards()) {
    const shard = encoder === undefined ? logged : servedColumns(encoder, logged);
    const selected = selectRows(shard, options.groups);
    const predictions = unscored(shard, selected, options, numbers);
    for (const group of options.groups) {
      await scoreGroup(shard, group, predictions, selected.starts, options, (candidates) => {
        scored += candidates;
        options.onProgress?.(scored, dataset.candidateCount);
      });
    }
    yield predictions;
  }
}
