/** Runs an export's whole graph, one request at a time: for exports whose rounding depends on what is computed together. */
import { scoreWith } from '../../export/open-export.js';
import type { ExportManifest } from '../../export/manifest.js';
import { joinRequests, unpackRequest, type PackedColumn } from './packed-request.js';
import type { RunResult, VersionScorer, VersionSpec } from './version-scorer.js';

/** Opens `model.onnx` of an export. */
export const openPlainScorer = async (spec: VersionSpec, columns: readonly PackedColumn[], { tasks, inputs }: Pick<ExportManifest, 'tasks' | 'inputs'>): Promise<VersionScorer> => {
  const { score, close } = await scoreWith(spec.directory, inputs, spec.threads);
  return {
    close,
    score: async (buffers): Promise<RunResult> => {
      const requests = buffers.map((buffer) => unpackRequest(columns, buffer));
      const total = requests.reduce((sum, { candidateCount }) => sum + candidateCount, 0);
      const scores = new Float32Array(tasks.length * total);
      let [row, runMs] = [0, 0];
      for (const request of requests) {
        const { candidateCount, viewType } = request;
        if (candidateCount === 0) continue;
        const started = performance.now();
        const own = await score({ requestCount: 1, candidateCount, rowToRequest: new Int32Array(candidateCount), viewTypes: Int32Array.of(viewType), ...joinRequests(columns, [request]) });
        runMs += performance.now() - started;
        for (const [index, task] of tasks.entries()) scores.set(own[task]!, index * total + row);
        row += candidateCount;
      }
      return { scores, statistics: { encodedUsers: requests.length, cachedUsers: 0, tokens: 0, places: 0, runMs } };
    },
  };
};
