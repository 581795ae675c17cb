/**
 * The graph a server runs: the same model as `model.onnx`, but embedding rows are looked up outside it, tokens are not padded,
 * and what depends on the request alone is a graph of its own, whose results candidates share.
 */
import { ABSENT_ROW } from '../data/encoder-state.js';
import { constant, input, parameter } from '../graph/inputs.js';
import { concat } from '../graph/ops/concat.js';
import { gather } from '../graph/ops/gather.js';
import { slice } from '../graph/ops/slice.js';
import { sub } from '../graph/ops/sub.js';
import type { Tensor } from '../graph/tensor.js';
import { rowsDim, type BlockInputs } from '../model/inputs.js';
import { INPUT, sequenceInput, type DenseBlock, type LookupBlock, type LookupSlot, type ModelLayout, type RowSpace } from '../model/layout.js';
import { POSITION_COLUMN, SURFACE_COLUMN, VIEW_TYPE_COLUMN } from '../model/plan-layout.js';
import { forward } from '../model/presets.js';
import { Scope } from '../model/scope.js';
import { raggedFrame } from '../model/sequence-frame.js';
import { keepDense, keepSlots, SERVING_GROUPS } from './fused-layout.js';
import { VIEW_TYPE_INPUT } from './graph-calibration.js';
import { fixedRowName, probabilitiesOf, tableOfSlot, type FixedRow, type ServingGraphOptions } from './serving-graph.js';
import { splitRequests, type SplitGraph } from './split-requests.js';

export interface FusedGraph extends SplitGraph {
  /** Of the surface alone; bases and rows of slots are those of training until the tables are written. */
  readonly layout: ModelLayout;
  readonly absentSequences: readonly string[];
  readonly fixedRows: readonly FixedRow[];
}

/** An integer input with an element for each row, whatever it holds. */
const indexOfRows = (rows: RowSpace): Tensor => {
  if (rows === 'request') return input(VIEW_TYPE_INPUT, 'int64', ['requests']);
  if (rows === 'candidate') return input(INPUT.rowToRequest, 'int64', ['candidates']);
  return input(sequenceInput.newestOf(rows.slice('tokens:'.length)), 'int32', [rows]);
};

/** Every row the same: the row of a one-row tensor that an index of zeros repeats. */
const repeatRow = (row: Tensor, rows: RowSpace): Tensor => {
  const like = indexOfRows(rows);
  return gather(row, sub(like, like));
};

const join = (parts: readonly Tensor[]): Tensor => (parts.length === 1 ? parts[0]! : concat(parts, 1));

/** A block as the model knows it, out of the input that holds what the surface has of it and of constants. */
const assemble = <S extends { readonly offset: number }>(own: Tensor | null, slots: readonly (S | null)[], widthOf: (slot: S) => number, constantOf: (place: number) => Tensor): Tensor => {
  if (own !== null && slots.every((slot) => slot !== null)) return own;
  const parts: Tensor[] = [];
  for (let place = 0; place < slots.length; place += 1) {
    const first = slots[place];
    if (first === undefined || first === null) {
      parts.push(constantOf(place));
      continue;
    }
    let last = first;
    for (let next = slots[place + 1]; next !== undefined && next !== null; next = slots[place + 1]) {
      last = next;
      place += 1;
    }
    parts.push(slice(own!, 1, first.offset, last.offset + widthOf(last)));
  }
  return join(parts);
};

/** Builds the two halves of a surface's graph. */
export const buildFusedGraph = (options: ServingGraphOptions): FusedGraph => {
  const { model, layout, encoders, surface } = options;
  const own = new Set(encoders.columns.filter((column) => column.surfaces.includes(surface)).map(({ name }) => name));
  const has = (column: string): boolean => column === VIEW_TYPE_COLUMN || column === POSITION_COLUMN || own.has(column);
  const fixedRows = new Map<string, FixedRow>();
  const fixedRow = (block: LookupBlock, slot: LookupSlot): Tensor => {
    const { name: table } = tableOfSlot(layout, block, slot);
    const row = slot.column === SURFACE_COLUMN ? encoders.surfaces.indexOf(surface) : ABSENT_ROW;
    const name = fixedRowName(table, row);
    fixedRows.set(name, { name, table, width: block.width, row });
    return repeatRow(parameter(name, [1, block.width]), block.rows);
  };
  const blocks = layout.blocks.map((block) => keepSlots(block, has));
  const dense = layout.dense.map((block) => keepDense(block, has));
  const inputOf = ({ name, rows, blockWidth }: LookupBlock | DenseBlock): Tensor | null => (blockWidth === 0 ? null : input(name, 'float32', [rowsDim(rows), blockWidth]));
  const inputs: BlockInputs = {
    blocks: layout.blocks.map((whole, index) => {
      const { block, slots } = blocks[index]!;
      return assemble(inputOf(block), slots, () => block.width, (place) => fixedRow(whole, whole.slots[place]!));
    }),
    dense: layout.dense.map((whole, index) => {
      const { block, slots } = dense[index]!;
      const zeros = (size: number): Tensor => repeatRow(constant(new Float32Array(size), 'float32', [1, size]), whole.rows);
      return assemble(inputOf(block), slots, (slot) => slot.size, (place) => zeros(whole.slots[place]!.size));
    }),
  };
  const { logits } = forward(Scope.root({ serving: true }), { model, layout, surfaces: [surface], inputs, frame: (sequence) => raggedFrame(sequence, SERVING_GROUPS) });
  const split = splitRequests(probabilitiesOf(logits, options).outputs);
  return {
    ...split,
    layout: {
      ...layout,
      surfaces: [surface],
      surfaceIndices: [0],
      tasks: layout.tasks.filter(({ surfaces }) => surfaces.includes(surface)),
      fusedTables: [],
      blocks: blocks.flatMap(({ block }) => (block.slots.length === 0 ? [] : [block])),
      dense: dense.flatMap(({ block }) => (block.slots.length === 0 ? [] : [block])),
      dropout: [],
    },
    absentSequences: layout.sequences.filter(({ column }) => !own.has(column)).map(({ name }) => name),
    fixedRows: [...fixedRows.values()],
  };
};
