/** One task's labelled rows, binned by logit once, in the groups that layers are fitted for. */
import type { Predictions, TaskPredictions } from '../evaluate/predictions.js';
import { labelledRows } from '../evaluate/sample.js';
import { ascendingOrder } from '../evaluate/score-order.js';
import { applyLayer, logitOf } from './apply-layer.js';
import { totalOf } from './sum.js';
import type { CalibrationLayer } from './calibration.js';

/** Rows that share a layer: all of them, a surface's, or a view type's. */
export interface Group {
  /** 0: the whole, 1: a surface, 2: a view type. */
  readonly level: 0 | 1 | 2;
  /** Empty for the whole. */
  readonly name: string;
  /** Empty for the whole. */
  readonly surface: string;
  /** Place of the group it is part of; the whole is part of itself. */
  readonly parent: number;
  /** It holds the rows of its parent and no others. */
  readonly isParent: boolean;
}

/** In an order that does not depend on the one they came in. */
export interface TaskRows {
  readonly logits: Float64Array;
  readonly labels: Float64Array;
  /** As the predictions number them. */
  readonly users: Int32Array;
  /** Parents before their parts. */
  readonly groups: readonly Group[];
  /** Smallest group of each row. */
  readonly groupOf: Int32Array;
  /** Bin of each row, ascending from 0. */
  readonly binOf: Int32Array;
  readonly bins: number;
  /** Mean logit. */
  readonly center: number;
  /** True probabilities, where every row has one. */
  readonly truths: Float64Array | undefined;
}

/** Bins per unit of logit: calibration curves bend far slower than one is wide. */
const DENSITY = 64;

interface Leaves {
  readonly groups: readonly Group[];
  /** Smallest group by surface and view type, as the predictions number them. */
  readonly leaves: Int32Array;
}

/** The groups that have rows, in the order of their names. View types never seen in training have none: their rows are their surface's alone. */
const groupsOf = ({ surfaceNames, viewTypeNames, surfaces, viewTypes }: Predictions, labelled: Int32Array): Leaves => {
  const kinds = viewTypeNames.length;
  const sizes = new Int32Array(surfaceNames.length * kinds);
  for (const row of labelled) sizes[surfaces[row]! * kinds + viewTypes[row]!]! += 1;
  const pairs = Array.from(sizes, (size, leaf) => ({ leaf, size, surface: surfaceNames[Math.floor(leaf / kinds)]!, viewType: viewTypeNames[leaf % kinds]! }))
    .filter(({ size }) => size > 0)
    .sort((a, b) => (a.surface === b.surface ? (a.viewType < b.viewType ? -1 : 1) : a.surface < b.surface ? -1 : 1));
  const names = [...new Set(pairs.map(({ surface }) => surface))];
  const sizeOf = (surface: string): number => pairs.reduce((sum, pair) => sum + (pair.surface === surface ? pair.size : 0), 0);
  const groups: Group[] = [{ level: 0, name: '', surface: '', parent: 0, isParent: false }];
  for (const name of names) groups.push({ level: 1, name, surface: name, parent: 0, isParent: sizeOf(name) === labelled.length });
  const leaves = new Int32Array(sizes.length).fill(-1);
  for (const { leaf, size, surface, viewType } of pairs) {
    const parent = 1 + names.indexOf(surface);
    leaves[leaf] = viewType === '' ? parent : groups.push({ level: 2, name: viewType, surface, parent, isParent: size === sizeOf(surface) }) - 1;
  }
  return { groups, leaves };
};

/** Bins that have rows, numbered by ascending logit. */
const binLogits = (logits: Float64Array): Pick<TaskRows, 'binOf' | 'bins'> => {
  const keys = new Int32Array(logits.length);
  let [least, most] = [0, 0];
  for (let row = 0; row < keys.length; row += 1) {
    const key = Math.round(logits[row]! * DENSITY);
    keys[row] = key;
    least = Math.min(least, key);
    most = Math.max(most, key);
  }
  const numbers = new Int32Array(most - least + 1).fill(-1);
  for (const key of keys) numbers[key - least] = 0;
  let bins = 0;
  for (let key = 0; key < numbers.length; key += 1) if (numbers[key] === 0) numbers[key] = bins++;
  for (let row = 0; row < keys.length; row += 1) keys[row] = numbers[keys[row]! - least]!;
  return { binOf: keys, bins };
};

/**
 * The rows of a task that have a label.
 *
 * @param base layer that a surface's and view type's logits have been through before; default: none
 * @throws DataError for a label outside {0, 1, NaN}, or a labelled row whose probability is not in [0, 1]
 */
export const taskRows = (predictions: Predictions, task: TaskPredictions, base?: (surface: string, viewType: string) => CalibrationLayer): TaskRows => {
  const { surfaceNames, viewTypeNames, surfaces, viewTypes } = predictions;
  const { labels: allLabels, probabilities } = task;
  const labelled = labelledRows(predictions, task);
  const kinds = viewTypeNames.length;
  const { groups, leaves } = groupsOf(predictions, labelled);
  const layers = base && Array.from(leaves, (_, kind) => base(surfaceNames[Math.floor(kind / kinds)]!, viewTypeNames[kind % kinds]!));
  // Sums are of rows in one order, whatever order they came in: by probability, then group, then label.
  const byGroup = ascendingOrder(Float64Array.from(labelled, (row) => 2 * leaves[surfaces[row]! * kinds + viewTypes[row]!]! + allLabels[row]!));
  const order = ascendingOrder(Float32Array.from(byGroup, (place) => probabilities[labelled[place]!]!));
  const count = labelled.length;
  const logits = new Float64Array(count);
  const labels = new Float64Array(count);
  const users = new Int32Array(count);
  const groupOf = new Int32Array(count);
  const truths = task.truths && new Float64Array(count);
  for (let at = 0; at < count; at += 1) {
    const row = labelled[byGroup[order[at]!]!]!;
    const kind = surfaces[row]! * kinds + viewTypes[row]!;
    const logit = logitOf(probabilities[row]!);
    logits[at] = layers === undefined ? logit : applyLayer(layers[kind]!, logit);
    labels[at] = allLabels[row]!;
    users[at] = predictions.users[row]!;
    groupOf[at] = leaves[kind]!;
    if (truths !== undefined) truths[at] = task.truths![row]!;
  }
  const center = totalOf(logits) / Math.max(1, count);
  return { logits, labels, users, groups, groupOf, ...binLogits(logits), center, truths: truths?.some(Number.isNaN) === true ? undefined : truths };
};

/** The same rows in one group. */
export const asOneGroup = (rows: TaskRows): TaskRows => ({ ...rows, groups: rows.groups.slice(0, 1), groupOf: new Int32Array(rows.groupOf.length) });
