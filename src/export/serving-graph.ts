import type { Calibration } from '../calibrate/calibration.js';
import type { Model, Side } from '../config/project.js';
import { ABSENT_ROW, type ColumnState, type EncoderSet } from '../data/encoder-state.js';
import type { Tensor } from '../graph/tensor.js';
import { constant, input, parameter, scalar } from '../graph/inputs.js';
import type { InlineInitializer } from '../graph/onnx/initializer.js';
import { add } from '../graph/ops/add.js';
import { cast } from '../graph/ops/cast.js';
import { equal, greater } from '../graph/ops/comparison.js';
import { concat } from '../graph/ops/concat.js';
import { div } from '../graph/ops/div.js';
import { gather } from '../graph/ops/gather.js';
import { matmul } from '../graph/ops/matmul.js';
import { maximum } from '../graph/ops/maximum.js';
import { reduceMax } from '../graph/ops/reduce-max.js';
import { reduceSum } from '../graph/ops/reduce-sum.js';
import { reshape } from '../graph/ops/reshape.js';
import { sigmoid } from '../graph/ops/sigmoid.js';
import { slice } from '../graph/ops/slice.js';
import { sub } from '../graph/ops/sub.js';
import { where } from '../graph/ops/where.js';
import { dimProduct } from '../graph/shapes.js';
import { INPUT, type DenseBlock, type LookupBlock, type LookupSlot, type ModelLayout, type SequenceLayout, type TableSlice } from '../model/layout.js';
import type { BlockInputs } from '../model/inputs.js';
import { POSITION_COLUMN, SURFACE_COLUMN, VIEW_TYPE_COLUMN } from '../model/plan-layout.js';
import { forward } from '../model/presets.js';
import { Scope } from '../model/scope.js';
import type { SequenceFrame } from '../model/sequence-frame.js';
import { calibrate, calibrationInitializers, VIEW_TYPE_INPUT } from './graph-calibration.js';
import { absentSequence, paddedFrame, paddedSequence, type PaddedSequence } from './padded-frame.js';

/** Name of the initializer that holds one embedding table's rows. */
export const tableInitializer = (table: string): string => `table.${table}`;

/** One row of a table that the graph reads whatever it is given: the absent row of a feature the surface lacks, the surface's own. */
export interface FixedRow {
  /** Name of the initializer `[1, width]`. */
  readonly name: string;
  readonly table: string;
  readonly width: number;
  readonly row: number;
}

/** Name of the initializer that holds one row of a table. */
export const fixedRowName = (table: string, row: number): string => `row.${table}.${row}`;

/** The table of a slot among the fused tables it was trained in. */
export const tableOfSlot = (layout: ModelLayout, { width }: LookupBlock, slot: LookupSlot): TableSlice =>
  layout.fusedTables.find((fused) => fused.width === width)!.tables.find((table) => table.base === slot.base)!;

/** What the exported ONNX model takes and gives. */
export interface ServingGraph {
  /** Probability per task, name → tensor `[candidates]`. */
  readonly outputs: Readonly<Record<string, Tensor>>;
  /** Embedding tables it looks ids up in, with their width. */
  readonly tables: readonly { readonly name: string; readonly width: number; readonly rows: number }[];
  /** What it needs of all other tables. */
  readonly fixedRows: readonly FixedRow[];
  /** Encoded columns that are its inputs. */
  readonly columns: readonly ColumnState[];
  /** Values of the initializers that calibrate; of the layer that changes nothing where there is no calibration. */
  readonly calibration: ReadonlyMap<string, InlineInitializer>;
}

export interface ServingGraphOptions {
  readonly model: Model;
  readonly layout: ModelLayout;
  /** Tables have the rows that these say. */
  readonly encoders: EncoderSet;
  readonly surface: string;
  /** Added to a task's logit: undoes negative down-sampling. */
  readonly logitOffsets: Readonly<Record<string, number>>;
  /** Default: none. */
  readonly calibration?: Calibration | undefined;
}

const rowsOf = (side: Side): string => (side === 'request' ? 'requests' : 'candidates');

/** An id column's input int64 `[rows]`; an ids column's int64 `[rows, length]`, padded with −1; the fields of a sequence are equally long. */
const idInput = (column: ColumnState): Tensor =>
  column.kind === 'id'
    ? input(column.name, 'int64', [rowsOf(column.side)])
    : input(column.name, 'int64', [rowsOf(column.side), `length:${column.feature}`]);

/** Pools the rows of a padded id list `[rows, length]`; an empty list gives zeros, as the training kernel does. */
const pooledRows = (table: Tensor, ids: Tensor, pooling: Exclude<LookupSlot['pooling'], 'single'>, width: number): Tensor => {
  const [rows, length] = [ids.shape[0]!, ids.shape[1]!];
  const present = greater(ids, constant([-1], 'int64', [1, 1]));
  const mask = cast(present, 'float32');
  const vectors = gather(table, maximum(ids, constant([0], 'int64', [1, 1])));
  if (pooling === 'max') {
    const floor = where(reshape(present, [rows, length, 1]), vectors, scalar(-3e38));
    const some = greater(reduceSum(mask, [1], { keepDims: true }), scalar(0));
    return where(some, reduceMax(floor, [1]), scalar(0));
  }
  const sum = reshape(matmul(reshape(mask, [rows, 1, length]), vectors), [rows, width]);
  return pooling === 'sum' ? sum : div(sum, maximum(reduceSum(mask, [1], { keepDims: true }), scalar(1)));
};

/** Probabilities per task out of all tasks' logits `[candidates, tasks]`: corrected for down-sampling, then calibrated. */
export const probabilitiesOf = (
  logits: Tensor,
  { layout, encoders, surface, logitOffsets, calibration }: Omit<ServingGraphOptions, 'model'>,
): Pick<ServingGraph, 'outputs' | 'calibration'> => {
  const own = layout.tasks.flatMap((task, index) => (task.surfaces.includes(surface) ? [{ name: task.name, index }] : []));
  const names = own.map(({ name }) => name);
  const bare = own.length === layout.tasks.length ? logits : concat(own.map(({ index }) => slice(logits, 1, index, index + 1)), 1);
  const offsets = names.map((name) => logitOffsets[name] ?? 0);
  const corrected = offsets.every((offset) => offset === 0) ? bare : add(bare, constant(offsets, 'float32', [1, offsets.length]));
  const values = calibrationInitializers(calibration ?? null, names, { surface, viewTypes: encoders.viewTypes });
  const probabilities = sigmoid(calibrate(corrected, names, values));
  const outputs = Object.fromEntries(names.map((name, place) => [name, reshape(names.length === 1 ? probabilities : slice(probabilities, 1, place, place + 1), ['candidates'])]));
  return { outputs, calibration: values };
};

/**
 * The forward-only graph of one surface: encoded columns in, probabilities out. Tables are looked up inside it, so any
 * ONNX runtime scores with the file alone. Of what the surface lacks only the absent rows are left: the other tables,
 * the other surfaces' towers and the index of its own surface are not in it.
 */
export const buildServingGraph = ({ model, layout, encoders, surface, logitOffsets, calibration }: ServingGraphOptions): ServingGraph => {
  const columns = new Map(encoders.columns.map((column) => [column.name, column]));
  const used = new Map<string, ColumnState>();
  const tables = new Map<string, { name: string; width: number; rows: number }>();
  const fixedRows = new Map<string, FixedRow>();
  // An index of zeros per row turns a one-row constant into [rows, width] without knowing how many rows there are.
  const zeroIndex = (side: Side): Tensor => {
    const rows = side === 'request' ? input(VIEW_TYPE_INPUT, 'int64', ['requests']) : input(INPUT.rowToRequest, 'int64', ['candidates']);
    return sub(rows, rows);
  };
  const repeatRow = (row: Tensor, side: Side): Tensor => gather(row, zeroIndex(side));
  const sequences = new Map<string, PaddedSequence>();
  const tableOf = (block: LookupBlock, slot: LookupSlot): Tensor => {
    const trained = tableOfSlot(layout, block, slot);
    const { name } = trained;
    const rows = encoders.tables.find((table) => table.name === name)?.rows ?? trained.rows;
    tables.set(name, { name, width: block.width, rows });
    return parameter(tableInitializer(name), [rows, block.width]);
  };
  const fixedRow = (block: LookupBlock, slot: LookupSlot, row: number): Tensor => {
    const table = tableOfSlot(layout, block, slot).name;
    const name = fixedRowName(table, row);
    fixedRows.set(name, { name, table, width: block.width, row });
    return parameter(name, [1, block.width]);
  };
  const useColumn = (name: string): ColumnState | undefined => {
    const column = columns.get(name)!;
    if (!column.surfaces.includes(surface)) return undefined;
    used.set(column.name, column);
    return column;
  };
  /** The shape of a sequence; where the surface lacks it, every request has one event of absent rows. */
  const sequenceOf = (sequence: SequenceLayout): PaddedSequence => {
    const known = sequences.get(sequence.name);
    if (known !== undefined) return known;
    const column = useColumn(sequence.column);
    const own = column === undefined ? absentSequence(input(VIEW_TYPE_INPUT, 'int64', ['requests'])) : paddedSequence(idInput(column));
    sequences.set(sequence.name, own);
    return own;
  };
  /** One row a token, `[requests · length, width]`; padding reads any row, which attention never looks at. */
  const tokenLookup = (block: LookupBlock, slot: LookupSlot): Tensor => {
    const sequence = layout.sequences.find(({ name }) => block.rows === `tokens:${name}`)!;
    const { length, distance } = sequenceOf(sequence);
    const flat = (ids: Tensor): Tensor => reshape(ids, [dimProduct(['requests', length])]);
    if (slot.column === POSITION_COLUMN) return gather(tableOf(block, slot), flat(cast(distance, 'int64')));
    const column = useColumn(slot.column);
    if (column === undefined) return repeatRow(fixedRow(block, slot, ABSENT_ROW), 'request');
    return gather(tableOf(block, slot), flat(maximum(idInput(column), constant([0], 'int64', [1, 1]))));
  };
  const lookup = (block: LookupBlock, slot: LookupSlot): Tensor => {
    if (block.rows !== 'request' && block.rows !== 'candidate') return tokenLookup(block, slot);
    if (slot.column === VIEW_TYPE_COLUMN) return gather(tableOf(block, slot), input(VIEW_TYPE_INPUT, 'int64', ['requests']));
    if (slot.column === SURFACE_COLUMN) return repeatRow(fixedRow(block, slot, encoders.surfaces.indexOf(surface)), block.rows);
    const column = useColumn(slot.column);
    if (column === undefined) return repeatRow(fixedRow(block, slot, ABSENT_ROW), block.rows);
    const table = tableOf(block, slot);
    return slot.pooling === 'single' ? gather(table, idInput(column)) : pooledRows(table, idInput(column), slot.pooling, block.width);
  };
  const denseParts = (block: DenseBlock): Tensor[] =>
    block.slots.map((slot) => {
      const column = columns.get(slot.column)!;
      if (!column.surfaces.includes(surface)) return repeatRow(constant(new Float32Array(slot.size), 'float32', [1, slot.size]), block.rows);
      used.set(column.name, column);
      const values = input(column.name, 'float32', [rowsOf(block.rows), slot.size - 1]);
      // NaN is the only value that differs from itself: it marks what is missing.
      const present = equal(values, values);
      return concat([where(present, values, scalar(0)), slice(cast(present, 'float32'), 1, 0, 1)], 1);
    });
  const join = (parts: readonly Tensor[]): Tensor => (parts.length === 1 ? parts[0]! : concat(parts, 1));
  const inputs: BlockInputs = {
    blocks: layout.blocks.map((block) => join(block.slots.map((slot) => lookup(block, slot)))),
    dense: layout.dense.map((block) => join(denseParts(block))),
  };
  const frame = (sequence: SequenceLayout): SequenceFrame => paddedFrame(sequence, sequenceOf(sequence));
  const { logits } = forward(Scope.root({ serving: true }), { model, layout, surfaces: [surface], inputs, frame });
  const { outputs, calibration: values } = probabilitiesOf(logits, { layout, encoders, surface, logitOffsets, calibration });
  return { outputs, tables: [...tables.values()], fixedRows: [...fixedRows.values()], columns: [...used.values()], calibration: values };
};
