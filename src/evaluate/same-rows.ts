import { DataError } from '../config/errors.js';
import type { Predictions, TaskPredictions } from './predictions.js';

const FIX = 'score both models on the same split of the same prepared dataset';

const differs = (what: string, row: number, a: unknown, b: unknown): DataError =>
  new DataError(`the two predictions do not hold the same rows: ${what} of row ${row} is ${String(a)} in the first and ${String(b)} in the second`, {
    where: `row ${row}`,
    expected: 'the same rows in the same order in both',
    fix: FIX,
  });

/** Row-wise names must agree; the order in which the two number them may differ. */
const checkNames = (what: string, a: Int32Array, aNames: readonly string[], b: Int32Array, bNames: readonly string[]): void => {
  for (let row = 0; row < a.length; row++) {
    const [nameA, nameB] = [aNames[a[row]!], bNames[b[row]!]];
    if (nameA !== nameB) throw differs(what, row, nameA, nameB);
  }
};

/** Users and requests are numbers of unknown origin: both must group the rows alike. */
const checkGroups = (what: string, a: Int32Array, b: Int32Array): void => {
  const toB = new Map<number, number>();
  const toA = new Map<number, number>();
  for (let row = 0; row < a.length; row++) {
    const [groupA, groupB] = [a[row]!, b[row]!];
    const mapped = toB.get(groupA);
    if (mapped === undefined && !toA.has(groupB)) {
      toB.set(groupA, groupB);
      toA.set(groupB, groupA);
    } else if (mapped !== groupB) {
      throw differs(what, row, groupA, groupB);
    }
  }
};

const checkLabels = (a: TaskPredictions, b: TaskPredictions): void => {
  for (let row = 0; row < a.labels.length; row++) {
    if (!Object.is(a.labels[row], b.labels[row])) throw differs(`label "${a.task}"`, row, a.labels[row], b.labels[row]);
  }
};

/**
 * Pairs the tasks of two predictions of the same rows.
 *
 * @throws DataError that names the first difference in row count, surfaces, view types, users, requests, tasks or labels.
 */
export const pairTasks = (a: Predictions, b: Predictions): readonly (readonly [TaskPredictions, TaskPredictions])[] => {
  if (a.count !== b.count) {
    throw new DataError(`the two predictions do not hold the same rows: the first has ${a.count}, the second ${b.count}`, {
      expected: 'the same rows in the same order in both',
      fix: FIX,
    });
  }
  checkNames('surface', a.surfaces, a.surfaceNames, b.surfaces, b.surfaceNames);
  checkNames('view type', a.viewTypes, a.viewTypeNames, b.viewTypes, b.viewTypeNames);
  checkGroups('user', a.users, b.users);
  checkGroups('request', a.requests, b.requests);
  const names = (of: Predictions): string => of.tasks.map(({ task }) => task).sort().join(', ');
  if (names(a) !== names(b)) {
    throw new DataError(`the two predictions do not hold the same tasks: the first has ${names(a)}, the second ${names(b)}`, {
      where: 'tasks',
      expected: 'the same tasks in both',
      fix: FIX,
    });
  }
  return a.tasks.map((task) => {
    const other = b.tasks.find((candidate) => candidate.task === task.task)!;
    checkLabels(task, other);
    return [task, other] as const;
  });
};
