/** A scoring thread: opens versions, then answers one run after the other. ONNX Runtime's `run` blocks the thread it is called on. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parentPort, workerData } from 'node:worker_threads';
import { onCall } from '../../config/stoppable-thread.js';
import type { EncoderSet } from '../../data/encoder-state.js';
import { EXPORT_FILES, type ExportManifest } from '../../export/manifest.js';
import { packError } from '../../train/transferred-error.js';
import { openFusedScorer } from './fused-scorer.js';
import { packedColumns } from './packed-request.js';
import { openPlainScorer } from './plain-scorer.js';
import { UserCache } from './user-cache.js';
import type { VersionScorer } from './version-scorer.js';
import type { RunCall, WorkerReply, WorkerSpec, WorkerVersion } from './worker-protocol.js';

const port = parentPort!;
const { versions, threads, userCacheBytes } = workerData as WorkerSpec;
const cache = userCacheBytes > 0 ? new UserCache(userCacheBytes) : undefined;

const reply = (message: WorkerReply, transfer: readonly ArrayBuffer[] = []): void => {
  port.postMessage(message, transfer);
};

const readJson = async <T>(directory: string, file: string): Promise<T> => JSON.parse(await readFile(join(directory, file), 'utf8')) as T;

/** The files were checked when the version was taken in. */
const open = async ({ key, directory }: WorkerVersion): Promise<readonly [string, VersionScorer]> => {
  const manifest = await readJson<ExportManifest>(directory, EXPORT_FILES.manifest);
  const columns = packedColumns((await readJson<EncoderSet>(directory, EXPORT_FILES.encoders)).columns);
  const spec = { key, directory, threads, cache };
  return [key, (await openFusedScorer(spec, columns, manifest.tasks)) ?? (await openPlainScorer(spec, columns, manifest))];
};

const openAll = async (): Promise<ReadonlyMap<string, VersionScorer>> => {
  const opened = new Map<string, VersionScorer>();
  for (const version of versions) {
    try {
      opened.set(...(await open(version)));
    } catch (error) {
      reply({ failed: packError(error), key: version.key });
      throw error;
    }
  }
  return opened;
};

const started = openAll();
let last: Promise<unknown> = started.then(
  () => {
    reply({ ready: true });
  },
  // It was told of.
  () => undefined,
);
onCall(({ id, key, requests }: RunCall) => {
  last = last.then(async () => {
    try {
      const { scores, statistics } = await (await started).get(key)!.score(requests);
      reply({ id, scores, statistics }, [scores.buffer as ArrayBuffer]);
    } catch (error) {
      reply({ id, error: packError(error) });
    }
  });
});
