import type { Predictions, TaskPredictions } from './predictions.js';

/** Numbers from 0 by first appearance. */
const renumber = (keys: Int32Array): Int32Array => {
  const numbers = new Map<number, number>();
  return keys.map((key) => {
    let number = numbers.get(key);
    if (number === undefined) numbers.set(key, (number = numbers.size));
    return number;
  });
};

/**
 * The rows of some surfaces, in their order. Users and requests are numbered anew, by first appearance, so that the rows that
 * two systems share are the same rows to a comparison, whatever else each has scored.
 */
export const onSurfaces = (predictions: Predictions, surfaces: readonly string[]): Predictions => {
  const { surfaceNames } = predictions;
  const isWanted = surfaceNames.map((name) => surfaces.includes(name));
  const rows = Int32Array.from({ length: predictions.count }, (_, row) => row).filter((row) => isWanted[predictions.surfaces[row]!]);
  const ints = (values: Int32Array): Int32Array => Int32Array.from(rows, (row) => values[row]!);
  const floats = (values: Float32Array): Float32Array => Float32Array.from(rows, (row) => values[row]!);
  return {
    ...predictions,
    count: rows.length,
    surfaces: ints(predictions.surfaces),
    viewTypes: ints(predictions.viewTypes),
    users: renumber(ints(predictions.users)),
    requests: renumber(ints(predictions.requests)),
    tasks: predictions.tasks.map(({ task, labels, probabilities, truths }) => ({
      task,
      labels: floats(labels),
      probabilities: floats(probabilities),
      ...(truths === undefined ? {} : { truths: Float64Array.from(rows, (row) => truths[row]!) }),
    })),
  };
};

/**
 * The rows of `under`, with the probabilities of `over` on the surfaces that `over` has rows of. Both hold those rows in the same
 * order; tasks that `over` lacks keep what is under them.
 */
export const overlay = (under: Predictions, over: Predictions): Predictions => {
  const covered = new Set(Array.from(over.surfaces, (surface) => over.surfaceNames[surface]!));
  const isCovered = under.surfaceNames.map((name) => covered.has(name));
  const replace = (task: TaskPredictions): TaskPredictions => {
    const source = over.tasks.find((one) => one.task === task.task);
    if (source === undefined) return task;
    let next = 0;
    return { ...task, probabilities: task.probabilities.map((value, row) => (isCovered[under.surfaces[row]!] ? source.probabilities[next++]! : value)) };
  };
  return { ...under, tasks: under.tasks.map(replace) };
};

/**
 * Two systems' predictions of the same rows, as far as both made any: the labels of rows that one of them has not scored are taken
 * out of both, and tasks that one has scored no row of. An outside model need not know every task, nor every row.
 */
export const bothScored = (a: Predictions, b: Predictions): readonly [Predictions, Predictions] => {
  const pairs = a.tasks.flatMap((ofA) => {
    const ofB = b.tasks.find(({ task }) => task === ofA.task);
    if (ofB === undefined) return [];
    const isScored = (row: number): boolean => !Number.isNaN(ofA.probabilities[row]!) && !Number.isNaN(ofB.probabilities[row]!);
    const labels = ofA.labels.map((label, row) => (isScored(row) ? label : NaN));
    return labels.every(Number.isNaN) ? [] : [[{ ...ofA, labels }, { ...ofB, labels }] as const];
  });
  return [
    { ...a, tasks: pairs.map(([ofA]) => ofA) },
    { ...b, tasks: pairs.map(([, ofB]) => ofB) },
  ];
};
