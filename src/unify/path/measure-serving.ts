/**
 * A process of its own that loads exports and scores held-out requests one by one: what a request takes, and what the loaded
 * exports add to the process's memory, without what else a plan holds. Called with one argument, a {@link ServingTask} as JSON;
 * prints a {@link ServingMeasure}.
 */
import { createBatch } from '../../data/batcher.js';
import type { Batch } from '../../data/batch.js';
import { openDataset } from '../../data/dataset.js';
import { latestSplit } from '../../data/latest-split.js';
import { loadPrepared } from '../../data/load-prepared.js';
import type { PreparedManifest } from '../../data/prepared.js';
import { openExport, type EncodedRows, type OpenExport } from '../../export/open-export.js';
import { renumbering } from '../../export/renumber.js';
import type { Latency } from '../report.js';

export interface ServingTask {
  /** Folder of the prepared dataset. */
  readonly prepared: string;
  /** Export of each surface, absolute. */
  readonly exports: Readonly<Record<string, string>>;
  /** Requests scored per surface. */
  readonly requests: number;
}

export interface ServingMeasure {
  readonly latency: Readonly<Record<string, Latency>>;
  /** Bytes that the process grew by. */
  readonly memory: number;
}

const WARM_UP = 20;

const requestsOf = async (task: ServingTask, manifest: PreparedManifest, surface: string): Promise<readonly Batch[]> => {
  const index = manifest.encoders.surfaces.indexOf(surface);
  const dataset = await openDataset(task.prepared, manifest, latestSplit(manifest, surface), { tasks: [], surfaces: [index], batchCandidates: 1 });
  const batches: Batch[] = [];
  try {
    for await (const { shard } of dataset.iterateShards()) {
      const own = Array.from({ length: shard.requestCount }, (_, request) => request).filter((request) => shard.surfaces[request] === index);
      const stride = Math.max(1, Math.floor(own.length / task.requests));
      for (let at = 0; at < own.length && batches.length < task.requests; at += stride) batches.push(createBatch(shard, Int32Array.of(own[at]!), manifest.encoders.surfaces.length));
      if (batches.length >= task.requests) break;
    }
  } finally {
    dataset.close();
  }
  return batches;
};

const measure = async (opened: OpenExport, batches: readonly EncodedRows[]): Promise<Latency> => {
  for (const batch of batches.slice(0, WARM_UP)) await opened.score(batch);
  const times: number[] = [];
  for (const batch of batches) {
    const started = performance.now();
    await opened.score(batch);
    times.push(performance.now() - started);
  }
  times.sort((a, b) => a - b);
  const at = (quantile: number): number => times[Math.min(times.length - 1, Math.floor(quantile * times.length))] ?? NaN;
  return { p50: at(0.5), p99: at(0.99) };
};

const run = async (task: ServingTask): Promise<ServingMeasure> => {
  const surfaces = Object.keys(task.exports);
  const manifest = await loadPrepared(task.prepared);
  const batches = new Map<string, readonly Batch[]>();
  for (const surface of surfaces) batches.set(surface, await requestsOf(task, manifest, surface));
  globalThis.gc?.();
  const before = process.memoryUsage.rss();
  const opened = new Map<string, OpenExport>();
  for (const surface of surfaces) opened.set(surface, await openExport(task.exports[surface]!, { threads: 1 }));
  const latency: Record<string, Latency> = {};
  for (const surface of surfaces) {
    const own = opened.get(surface)!;
    latency[surface] = await measure(own, batches.get(surface)!.map(renumbering(manifest.encoders, own.encoders)));
  }
  const memory = process.memoryUsage.rss() - before;
  for (const one of opened.values()) await one.close();
  return { latency, memory };
};

process.stdout.write(JSON.stringify(await run(JSON.parse(process.argv[2]!) as ServingTask)));
