/** Whether a surface is scored faster with its dense layers in 8-bit integers. */
import { readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createBatch } from '../data/batcher.js';
import { EXPORT_FILES, type ExportInput, type ExportManifest, type MeasuredDense } from './manifest.js';
import { scoreWith, type EncodedRows, type OpenExport } from './open-export.js';
import { measureRounding, overBudget, type ParityCheck } from './parity.js';
import { quantizeDense } from './quantize-dense.js';
import { renumbering } from './renumber.js';
import type { ReplayResult } from './replay.js';

type Session = Pick<OpenExport, 'score' | 'close'>;

/** Held-out requests that both graphs are timed on, one by one. */
const TIMED_REQUESTS = 100;
const ROUNDS = 3;
/** A gain below this is the machine's. */
const LEAST_GAIN = 0.02;

const QUANTIZED_GRAPH = 'model.int8.onnx';

const heldOutRequests = async ({ options, encoders }: ParityCheck): Promise<readonly EncodedRows[]> => {
  const { dataset, manifest, surface } = options;
  const index = manifest.encoders.surfaces.indexOf(surface);
  const renumber = renumbering(manifest.encoders, encoders);
  const requests: EncodedRows[] = [];
  for await (const { shard } of dataset.iterateShards()) {
    for (let request = 0; request < shard.requestCount && requests.length < TIMED_REQUESTS; request += 1) {
      if (shard.surfaces[request] === index) requests.push(renumber(createBatch(shard, Int32Array.of(request), manifest.encoders.surfaces.length)));
    }
    if (requests.length >= TIMED_REQUESTS) break;
  }
  return requests;
};

const median = (values: readonly number[]): number => values.toSorted((a, b) => a - b)[values.length >> 1]!;

/** Both graphs in turn, so that what else the machine does meets both. */
const timeBoth = async (requests: readonly EncodedRows[], fp32: Session, int8: Session): Promise<Pick<MeasuredDense, 'fp32' | 'int8'>> => {
  const times = { fp32: [] as number[], int8: [] as number[] };
  const time = async (session: Session, request: EncodedRows): Promise<number> => {
    const started = performance.now();
    await session.score(request);
    return performance.now() - started;
  };
  for (let round = 0; round <= ROUNDS; round += 1) {
    for (const request of requests) {
      const [one, other] = [await time(fp32, request), await time(int8, request)];
      // The first round warms up.
      if (round > 0) times.fp32.push(one);
      if (round > 0) times.int8.push(other);
    }
  }
  return { fp32: median(times.fp32), int8: median(times.int8) };
};

export interface DenseChoice {
  readonly dense: ExportManifest['dense'];
  /** Of the files as they are now. */
  readonly session: Session;
  /** Against the trained model, with int8. */
  readonly rounded: ReplayResult | undefined;
  readonly measured: MeasuredDense | undefined;
}

/**
 * Tries an export's graph with quantized dense layers, and leaves it in the graph's place where it is faster on held-out
 * requests and costs no more AUC than the budget.
 *
 * @param session of the graph that is there; closed when another takes its place
 */
export const chooseDense = async (check: ParityCheck, directory: string, inputs: readonly ExportInput[], session: Session, threads: number): Promise<DenseChoice> => {
  const graph = join(directory, EXPORT_FILES.graph);
  const quantized = quantizeDense(await readFile(graph));
  const asItIs: DenseChoice = { dense: 'fp32', session, rounded: undefined, measured: undefined };
  if (quantized === undefined) return asItIs;
  await writeFile(join(directory, QUANTIZED_GRAPH), quantized);
  const candidate = await scoreWith(directory, inputs, threads, QUANTIZED_GRAPH);
  const times = await timeBoth(await heldOutRequests(check), session, candidate);
  const rounded = times.int8 < (1 - LEAST_GAIN) * times.fp32 ? await measureRounding(check, candidate) : undefined;
  const measured: MeasuredDense = { ...times, aucLoss: rounded?.aucLoss ?? null };
  if (rounded === undefined || overBudget(rounded) !== undefined) {
    await candidate.close();
    await rm(join(directory, QUANTIZED_GRAPH));
    return { ...asItIs, measured };
  }
  await session.close();
  await rename(join(directory, QUANTIZED_GRAPH), graph);
  for (const file of [EXPORT_FILES.requestGraph, EXPORT_FILES.candidateGraph, EXPORT_FILES.fused]) await rm(join(directory, file), { force: true });
  return { dense: 'int8', session: candidate, rounded, measured };
};
