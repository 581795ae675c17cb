/** One task's labelled rows, sorted once, in the groups that layers are fitted for. */
import type { Predictions, TaskPredictions } from '../evaluate/predictions.js';
import { labelledRows } from '../evaluate/sample.js';
import { ascendingOrder } from '../evaluate/score-order.js';
import { applyLayer, logitOf, sigmoid } from './apply-layer.js';
import { layerOf, type TaskCalibration } from './calibration.js';

/** Rows that share a layer: all of them, a surface's, or a view type's. */
export interface Group {
  /** 0: the whole, 1: a surface, 2: a view type. */
  readonly level: 0 | 1 | 2;
  /** Empty for the whole. */
  readonly name: string;
  /** Place of the group it is part of; the whole is part of itself. */
  readonly parent: number;
  /** Ascending, and so by logit. */
  readonly rows: Int32Array;
  /** It holds the rows of its parent and no others. */
  readonly isParent: boolean;
}

/** By ascending logit. */
export interface TaskRows {
  readonly task: string;
  readonly logits: Float64Array;
  readonly labels: Uint8Array;
  /** As the predictions number them. */
  readonly users: Int32Array;
  /** Parents before their parts. */
  readonly groups: readonly Group[];
  /** Smallest group of each row. */
  readonly groupOf: Int32Array;
  /** True probabilities, where every row has one. */
  readonly truths: Float64Array | undefined;
  /** Probabilities of the layers in use, which a new fit starts from. */
  readonly present: Float64Array | undefined;
}

interface GroupDraft extends Omit<Group, 'rows' | 'isParent'> {
  readonly rows: number[];
}

/** View types never seen in training have no name: they are rows of their surface alone. */
const groupRows = (predictions: Predictions, sorted: Int32Array): Pick<TaskRows, 'groups' | 'groupOf'> => {
  const { surfaceNames, viewTypeNames } = predictions;
  const drafts: GroupDraft[] = [{ level: 0, name: '', parent: 0, rows: [] }];
  const places = new Map<string, number>();
  const placeOf = (level: 1 | 2, parent: number, name: string): number => {
    const key = `${parent} ${name}`;
    let place = places.get(key);
    if (place === undefined) {
      places.set(key, (place = drafts.length));
      drafts.push({ level, name, parent, rows: [] });
    }
    return place;
  };
  const kinds = viewTypeNames.length;
  const leaves = new Int32Array(surfaceNames.length * kinds).fill(-1);
  // In the order of names, so that the order of rows does not matter.
  const present = new Set<number>();
  for (const row of sorted) present.add(predictions.surfaces[row]! * kinds + predictions.viewTypes[row]!);
  const nameOf = (leaf: number): readonly [string, string] => [surfaceNames[Math.floor(leaf / kinds)]!, viewTypeNames[leaf % kinds]!];
  const byName = [...present].sort((a, b) => (nameOf(a).join('\n') < nameOf(b).join('\n') ? -1 : 1));
  for (const leaf of byName) placeOf(1, 0, nameOf(leaf)[0]);
  for (const leaf of byName) {
    const [surface, viewType] = nameOf(leaf);
    const parent = placeOf(1, 0, surface);
    leaves[leaf] = viewType === '' ? parent : placeOf(2, parent, viewType);
  }
  const groupOf = Int32Array.from(sorted, (row) => leaves[predictions.surfaces[row]! * kinds + predictions.viewTypes[row]!]!);
  groupOf.forEach((leaf, row) => {
    for (let place = leaf; ; place = drafts[place]!.parent) {
      drafts[place]!.rows.push(row);
      if (place === 0) return;
    }
  });
  const groups = drafts.map((draft, place) => ({
    ...draft,
    rows: Int32Array.from(draft.rows),
    isParent: place > 0 && draft.rows.length === drafts[draft.parent]!.rows.length,
  }));
  return { groups, groupOf };
};

/**
 * The rows of a task that have a label.
 *
 * @param present the layers in use; default: none
 * @throws DataError for a label outside {0, 1, NaN}, or a labelled row whose probability is not in [0, 1]
 */
export const taskRows = (predictions: Predictions, task: TaskPredictions, present?: TaskCalibration): TaskRows => {
  const labelled = labelledRows(predictions, task);
  const order = ascendingOrder(Float32Array.from(labelled, (row) => task.probabilities[row]!));
  const sorted = Int32Array.from(order, (place) => labelled[place]!);
  const logits = Float64Array.from(sorted, (row) => logitOf(task.probabilities[row]!));
  const truths = task.truths === undefined ? undefined : Float64Array.from(sorted, (row) => task.truths![row]!);
  const presentOf = (row: number, place: number, layers: TaskCalibration): number => {
    const layer = layerOf(layers, predictions.surfaceNames[predictions.surfaces[row]!]!, predictions.viewTypeNames[predictions.viewTypes[row]!]!);
    return sigmoid(applyLayer(layer, logits[place]!));
  };
  return {
    task: task.task,
    logits,
    labels: Uint8Array.from(sorted, (row) => task.labels[row]!),
    users: Int32Array.from(sorted, (row) => predictions.users[row]!),
    ...groupRows(predictions, sorted),
    truths: truths?.some(Number.isNaN) === true ? undefined : truths,
    present: present === undefined ? undefined : Float64Array.from(sorted, (row, place) => presentOf(row, place, present)),
  };
};
