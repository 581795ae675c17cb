import { uniformInt } from 'pure-rand/distribution/uniformInt';
import { xoroshiro128plus } from 'pure-rand/generator/xoroshiro128plus';
import { stopIfAborted } from '../config/interruption.js';
import type { Feature, Side } from '../config/project.js';
import type { Columns } from '../data/columns.js';
import { openDataset } from '../data/dataset.js';
import { gatherColumn } from '../data/gather-columns.js';
import { hashText } from '../data/hash.js';
import { joinShards } from '../data/join-shards.js';
import type { PreparedManifest } from '../data/prepared.js';
import { selectRequests } from '../data/select-requests.js';
import type { Shard } from '../data/shard.js';
import { auc } from '../evaluate/auc.js';
import { logLoss } from '../evaluate/log-loss.js';
import { scoreShards, type ScoredGroup } from '../evaluate/score.js';
import type { ModelLayout } from '../model/layout.js';
import type { FeatureImportance } from './report.js';

export interface ImportanceOptions {
  /** Folder of the prepared dataset. */
  readonly directory: string;
  readonly manifest: PreparedManifest;
  /** In the order in which they are reported. */
  readonly features: readonly Pick<Feature, 'name'>[];
  readonly groups: readonly ScoredGroup[];
  /** Held-out candidates per surface, at most: whole requests. */
  readonly rows: number;
  readonly seed: number;
  /** Gets the part that is done. */
  readonly onProgress?: (fraction: number) => void;
  readonly signal?: AbortSignal | undefined;
}

/** Candidates scored together: with more, activations leave the cache (measured: 8192 take twice the time). */
const BATCH_CANDIDATES = 2048;

/** Rows of one surface, and the model that scores them. */
interface SurfaceRows {
  readonly surface: string;
  readonly group: ScoredGroup;
  readonly shard: Shard;
}

/** A feature of a surface that its model reads, with the encoded columns that it is. */
interface Shuffled {
  readonly feature: string;
  readonly side: Side;
  readonly columns: readonly string[];
}

/** AUC and log loss of each task that has both classes. */
type Quality = ReadonlyMap<string, { readonly auc: number; readonly logLoss: number }>;

/**
 * Whole requests of every surface, a seeded draw of about `rows` candidates where it has more. The same requests whatever
 * models score them.
 */
const drawRequests = async ({ directory, manifest, groups, rows, seed, signal }: ImportanceOptions): Promise<readonly SurfaceRows[]> => {
  const { encoders, splits, tasks } = manifest;
  const drawn = groups.flatMap((group) =>
    (group.surfaces ?? group.layout.surfaces).map((surface) => {
      const candidates = splits.test.counts[surface]?.candidates ?? 0;
      const random = xoroshiro128plus(hashText(`requests/${seed}/${surface}`));
      const parts: Shard[] = [];
      return { surface, group, index: encoders.surfaces.indexOf(surface), share: Math.min(1, rows / candidates), random, parts, left: rows };
    }),
  );
  const dataset = await openDataset(directory, manifest, 'test', { tasks: tasks.map(({ name }) => name), batchCandidates: rows, surfaces: drawn.map(({ index }) => index), poolCandidates: 0 });
  try {
    for await (const { shard } of dataset.iterateShards()) {
      stopIfAborted(signal, 'measuring which features matter was interrupted', directory);
      for (const one of drawn) {
        const requests = Int32Array.from({ length: shard.requestCount }, (_, request) => request).filter((request) => {
          if (shard.surfaces[request] !== one.index || (one.random.next() >>> 0) / 2 ** 32 >= one.share) return false;
          const size = shard.offsets[request + 1]! - shard.offsets[request]!;
          if (size > one.left) return false;
          one.left -= size;
          return true;
        });
        if (requests.length > 0) one.parts.push(selectRequests(shard, requests));
      }
    }
  } finally {
    dataset.close();
  }
  return drawn
    .toSorted((a, b) => a.index - b.index)
    .flatMap(({ surface, group, parts }) => (parts.length === 0 ? [] : [{ surface, group, shard: joinShards(parts) }]));
};

/** Columns that a model looks up or reads as they are. */
const columnsRead = ({ blocks, dense }: ModelLayout): ReadonlySet<string> => new Set([...blocks, ...dense].flatMap(({ slots }) => slots.map(({ column }) => column)));

const featuresRead = ({ encoders }: PreparedManifest, features: ImportanceOptions['features'], { surface, group }: SurfaceRows): readonly Shuffled[] => {
  const read = columnsRead(group.layout);
  return features.flatMap(({ name }): Shuffled[] => {
    const own = encoders.columns.filter((column) => column.feature === name && column.surfaces.includes(surface));
    return own.some((column) => read.has(column.name)) ? [{ feature: name, side: own[0]!.side, columns: own.map((column) => column.name) }] : [];
  });
};

/** A seeded order of rows (Fisher–Yates). */
export const shuffledRows = (count: number, key: string): Int32Array => {
  const random = xoroshiro128plus(hashText(key));
  const rows = Int32Array.from({ length: count }, (_, row) => row);
  for (let i = count - 1; i > 0; i -= 1) {
    const j = uniformInt(random, 0, i);
    const row = rows[i]!;
    rows[i] = rows[j]!;
    rows[j] = row;
  }
  return rows;
};

/** A shard in which other rows' values stand in some columns: all columns of a row move together, and lists stay whole. */
export const withShuffled = (shard: Shard, { side, columns }: Pick<Shuffled, 'side' | 'columns'>, key: string): Shard => {
  const rows = shuffledRows(side === 'request' ? shard.requestCount : shard.candidateCount, key);
  const shuffle = (all: Columns): Columns => new Map([...all].map(([name, column]) => [name, columns.includes(name) ? gatherColumn(column, rows) : column]));
  return side === 'request' ? { ...shard, requestColumns: shuffle(shard.requestColumns) } : { ...shard, candidateColumns: shuffle(shard.candidateColumns) };
};

const measure = async (manifest: PreparedManifest, { surface, group }: SurfaceRows, shard: Shard): Promise<Quality> => {
  const dataset = {
    candidateCount: shard.candidateCount,
    async *iterateShards() {
      yield await Promise.resolve({ shard, number: 0 });
    },
  };
  const quality = new Map<string, { auc: number; logLoss: number }>();
  const own = new Set(group.layout.tasks.filter((task) => task.surfaces.includes(surface)).map(({ name }) => name));
  for await (const { tasks } of scoreShards(dataset, { manifest, groups: [group], batchCandidates: BATCH_CANDIDATES })) {
    for (const { task, labels, probabilities } of tasks) {
      if (!own.has(task)) continue;
      const labelled = Int32Array.from(labels, (_, row) => row).filter((row) => !Number.isNaN(labels[row]!));
      const found = { labels: Float32Array.from(labelled, (row) => labels[row]!), probabilities: Float32Array.from(labelled, (row) => probabilities[row]!) };
      const area = auc(found.labels, found.probabilities);
      if (!Number.isNaN(area)) quality.set(task, { auc: area, logLoss: logLoss(found.labels, found.probabilities) });
    }
  }
  return quality;
};

/**
 * Permutation importance (Breiman 2001; Fisher et al. 2019): what a model loses when one feature's values are shuffled among a
 * surface's held-out requests (or candidates, as is its side) and all others stay. Predictions are those of training-only
 * features as logged. A task without both classes among a surface's rows is left out.
 *
 * @returns by surface, feature, task
 * @throws OnefoldError `interrupted` when the signal aborts; ArtifactError when a file differs from the manifest
 */
export const permutationImportance = async (options: ImportanceOptions): Promise<readonly FeatureImportance[]> => {
  const { directory, manifest, features, seed, onProgress, signal } = options;
  const surfaces = (await drawRequests(options)).map((rows) => ({ ...rows, read: featuresRead(manifest, features, rows) }));
  const total = surfaces.reduce((sum, { read }) => sum + read.length, 0);
  const found: FeatureImportance[] = [];
  let done = 0;
  for (const { read, ...rows } of surfaces) {
    const { surface, shard } = rows;
    const before = await measure(manifest, rows, shard);
    for (const shuffled of read) {
      stopIfAborted(signal, 'measuring which features matter was interrupted', directory);
      const after = await measure(manifest, rows, withShuffled(shard, shuffled, `${seed}/${surface}/${shuffled.feature}`));
      for (const [task, quality] of before) {
        const { auc: area, logLoss: loss } = after.get(task)!;
        found.push({ surface, feature: shuffled.feature, side: shuffled.side, task, aucLoss: quality.auc - area, logLossRise: loss / quality.logLoss - 1 });
      }
      done += 1;
      onProgress?.(done / total);
    }
  }
  return found;
};
