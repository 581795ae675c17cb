import type { PreparedManifest } from '../data/prepared.js';
import type { Shard } from '../data/shard.js';
import type { Predictions, TaskPredictions } from './predictions.js';

/** Dense numbers of users and requests that mean the same in every shard. */
export interface RowNumbers {
  readonly users: Map<string, number>;
  requests: number;
}

/** Numbers that no row has yet. */
export const newRowNumbers = (): RowNumbers => ({ users: new Map(), requests: 0 });

/** Rows of a shard that are wanted: row `starts[request]` on are the request's candidates. */
export interface SelectedRows {
  readonly starts: Int32Array;
  readonly count: number;
}

/** The rows of some surfaces, given by their indices. */
export const selectRows = (shard: Shard, surfaces: ReadonlySet<number>): SelectedRows => {
  const starts = new Int32Array(shard.requestCount + 1);
  for (let request = 0; request < shard.requestCount; request++) {
    const size = surfaces.has(shard.surfaces[request]!) ? shard.offsets[request + 1]! - shard.offsets[request]! : 0;
    starts[request + 1] = starts[request]! + size;
  }
  return { starts, count: starts[shard.requestCount]! };
};

/** Copies the candidates' values of the selected requests to their rows. */
export const copySelected = <T extends Float32Array | Float64Array>(shard: Shard, { starts }: SelectedRows, values: Float32Array | Float64Array, into: T): T => {
  for (let request = 0; request < shard.requestCount; request++) {
    if (starts[request] === starts[request + 1]) continue;
    into.set(values.subarray(shard.offsets[request], shard.offsets[request + 1]), starts[request]);
  }
  return into;
};

/**
 * Predictions of a shard's selected rows without scores: who, where and what happened; every probability is NaN.
 *
 * @param tasks names of the tasks that are wanted
 * @param numbers counted on
 */
export const unscoredRows = (shard: Shard, selected: SelectedRows, manifest: PreparedManifest, tasks: ReadonlySet<string>, numbers: RowNumbers): Predictions => {
  const { starts, count } = selected;
  const [surfaces, viewTypes, users, requests] = [new Int32Array(count), new Int32Array(count), new Int32Array(count), new Int32Array(count)];
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
  }
  return {
    count,
    surfaceNames: manifest.encoders.surfaces,
    viewTypeNames: manifest.encoders.viewTypes,
    surfaces,
    viewTypes,
    users,
    requests,
    tasks: manifest.tasks.flatMap(({ name }, index): TaskPredictions[] => {
      if (!tasks.has(name)) return [];
      const truths = shard.truths.get(name);
      const labels = copySelected(shard, selected, shard.labels[index]!, new Float32Array(count));
      const own = { task: name, labels, probabilities: new Float32Array(count).fill(NaN) };
      return [truths === undefined ? own : { ...own, truths: copySelected(shard, selected, truths, new Float64Array(count)) }];
    }),
  };
};
