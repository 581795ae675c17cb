import { DataError } from '../config/errors.js';
import type { Predictions, TaskPredictions } from './predictions.js';

/** Unites names and says where each chunk's names went. */
const uniteNames = (lists: readonly (readonly string[])[]): { names: readonly string[]; maps: readonly Int32Array[] } => {
  const index = new Map<string, number>();
  const maps = lists.map((list) =>
    Int32Array.from(list, (name) => {
      if (!index.has(name)) index.set(name, index.size);
      return index.get(name)!;
    }),
  );
  return { names: [...index.keys()], maps };
};

const concatTask = (parts: readonly (TaskPredictions | undefined)[], task: string, starts: readonly number[], count: number): TaskPredictions => {
  const labels = new Float32Array(count);
  const probabilities = new Float32Array(count);
  const truths = parts.some((part) => part?.truths !== undefined) ? new Float64Array(count).fill(NaN) : undefined;
  parts.forEach((part, chunk) => {
    if (part === undefined) {
      throw new DataError(`chunk ${chunk} of the predictions lacks task "${task}"`, {
        where: `chunk ${chunk}`,
        expected: 'the same tasks in every chunk',
        fix: 'give rows without the task NaN as label and probability',
      });
    }
    labels.set(part.labels, starts[chunk]);
    probabilities.set(part.probabilities, starts[chunk]);
    if (part.truths !== undefined) truths?.set(part.truths, starts[chunk]);
  });
  return { task, labels, probabilities, ...(truths === undefined ? {} : { truths }) };
};

/**
 * Joins chunks in order. User and request numbers mean the same in all chunks; a request may go on in the next chunk.
 *
 * @throws DataError when the chunks hold different tasks.
 */
export const concatPredictions = (chunks: readonly Predictions[]): Predictions => {
  if (chunks.length === 1) return chunks[0]!;
  const starts: number[] = [];
  let count = 0;
  for (const chunk of chunks) {
    starts.push(count);
    count += chunk.count;
  }
  const surfaceNames = uniteNames(chunks.map((chunk) => chunk.surfaceNames));
  const viewTypeNames = uniteNames(chunks.map((chunk) => chunk.viewTypeNames));
  const surfaces = new Int32Array(count);
  const viewTypes = new Int32Array(count);
  const users = new Int32Array(count);
  const requests = new Int32Array(count);
  chunks.forEach((chunk, index) => {
    const start = starts[index]!;
    users.set(chunk.users, start);
    requests.set(chunk.requests, start);
    for (let row = 0; row < chunk.count; row++) {
      surfaces[start + row] = surfaceNames.maps[index]![chunk.surfaces[row]!]!;
      viewTypes[start + row] = viewTypeNames.maps[index]![chunk.viewTypes[row]!]!;
    }
  });
  const taskNames = [...new Set(chunks.flatMap((chunk) => chunk.tasks.map(({ task }) => task)))];
  return {
    count,
    surfaceNames: surfaceNames.names,
    viewTypeNames: viewTypeNames.names,
    surfaces,
    viewTypes,
    users,
    requests,
    tasks: taskNames.map((name) =>
      concatTask(chunks.map((chunk) => chunk.tasks.find(({ task }) => task === name)), name, starts, count),
    ),
  };
};
