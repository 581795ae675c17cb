import type { SurfaceCounts } from './prepared.js';

/** Counts requests, candidates, labels and positives by surface while rows stream by. */
export interface SurfaceCounter {
  addRequests(surfaces: Int32Array): void;
  /** `labels`: per task, NaN without a label. */
  addCandidates(surfaces: Int32Array, labels: readonly Float32Array[]): void;
  counts(): Readonly<Record<string, SurfaceCounts>>;
}

export const createSurfaceCounter = (surfaceNames: readonly string[], tasks: readonly string[]): SurfaceCounter => {
  const zeros = (): Float64Array => new Float64Array(surfaceNames.length);
  const requests = zeros();
  const candidates = zeros();
  const positives = tasks.map(zeros);
  const labelled = tasks.map(zeros);
  const perTask = (counts: readonly Float64Array[], surface: number): Record<string, number> =>
    Object.fromEntries(tasks.map((task, index) => [task, counts[index]![surface]!]));
  return {
    addRequests(surfaces) {
      for (const surface of surfaces) requests[surface]! += 1;
    },
    addCandidates(surfaces, labels) {
      for (const surface of surfaces) candidates[surface]! += 1;
      labels.forEach((values, task) => {
        for (let row = 0; row < values.length; row += 1) {
          if (Number.isNaN(values[row])) continue;
          labelled[task]![surfaces[row]!]! += 1;
          positives[task]![surfaces[row]!]! += values[row]!;
        }
      });
    },
    counts: () =>
      Object.fromEntries(
        surfaceNames.map((name, surface) => [
          name,
          {
            requests: requests[surface]!,
            candidates: candidates[surface]!,
            positives: perTask(positives, surface),
            labelled: perTask(labelled, surface),
          },
        ]),
      ),
  };
};
