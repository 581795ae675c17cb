/** Random tables, blocks and optimizers that every embedding kernel is tested with. */
import fc from 'fast-check';
import type {
  BlockGradient, EmbeddingKernel, EmbeddingTable, RowOptimizer, SlotIds, SlotPooling, TablePart,
} from '../../src/kernels/embedding-kernel.js';
import { initializeRows } from '../../src/kernels/initialize-rows.js';

export interface KernelCase {
  readonly width: number;
  readonly rowCount: number;
  readonly slots: readonly { readonly pooling: SlotPooling; readonly base: number; readonly lists: readonly (readonly number[])[] }[];
  readonly optimizer: RowOptimizer;
  readonly seed: number;
}

/** Rows of each of the two tables that are fused. */
export const TABLE_ROWS = 7;

const optimizers: fc.Arbitrary<RowOptimizer> = fc.oneof(
  fc.record({
    type: fc.constant('adagrad' as const),
    learningRate: fc.constantFrom(0.05, 0.5),
    epsilon: fc.constantFrom(1e-8, 1e-2),
    weightDecay: fc.constantFrom(0, 0.1),
    decayMode: fc.constantFrom('l2' as const, 'decoupled' as const),
  }),
  fc.record({
    type: fc.constant('adam' as const),
    learningRate: fc.constantFrom(0.01, 0.1),
    beta1: fc.constantFrom(0, 0.9),
    beta2: fc.constantFrom(0.9, 0.999),
    epsilon: fc.constantFrom(1e-8, 1e-2),
    weightDecay: fc.constantFrom(0, 0.1),
    step: fc.integer({ min: 1, max: 1000 }),
  }),
  fc.record({ type: fc.constant('sgd' as const), learningRate: fc.constantFrom(0.05, 0.5), weightDecay: fc.constantFrom(0, 0.1) }),
);

export const kernelCases: fc.Arbitrary<KernelCase> = fc
  .tuple(fc.constantFrom(1, 3, 4, 8, 10, 16, 19, 32, 40), fc.integer({ min: 0, max: 6 }))
  .chain(([width, rowCount]) =>
    fc.record({
      width: fc.constant(width),
      rowCount: fc.constant(rowCount),
      seed: fc.integer(),
      slots: fc.array(
        fc.constantFrom<SlotPooling>('single', 'sum', 'mean', 'max').chain((pooling) =>
          fc.record({
            pooling: fc.constant(pooling),
            base: fc.constantFrom(0, TABLE_ROWS),
            lists: fc.array(
              fc.array(fc.integer({ min: 0, max: TABLE_ROWS - 1 }), pooling === 'single' ? { minLength: 1, maxLength: 1 } : { maxLength: 4 }),
              { minLength: rowCount, maxLength: rowCount },
            ),
          }),
        ),
        { maxLength: 4 },
      ),
      optimizer: optimizers,
    }),
  );

export const slotsOf = (subject: KernelCase): SlotIds[] =>
  subject.slots.map((slot, index) => {
    const values = Int32Array.from(slot.lists.flat());
    const common = { column: `c${index}`, base: slot.base, rows: TABLE_ROWS, pooling: slot.pooling, offset: index * subject.width, values };
    if (slot.pooling === 'single') return common;
    const offsets = new Int32Array(subject.rowCount + 1);
    slot.lists.forEach((list, row) => (offsets[row + 1] = offsets[row]! + list.length));
    return { ...common, offsets };
  });

export const strideOf = (subject: KernelCase): number => Math.max(1, subject.slots.length * subject.width);

/** Repeatable floats between -1 and 1. */
export const uniform = (length: number, seed: number): Float32Array => {
  let state = seed | 0;
  return Float32Array.from({ length }, () => {
    state = (Math.imul(state, 1664525) + 1013904223) | 0;
    return state / 2147483648;
  });
};

/** Every row of a part. */
export const readPart = (table: EmbeddingTable, name: TablePart['name'] = 'weights'): Float32Array => {
  const part = table.parts.find((each) => each.name === name)!;
  const values = new Float32Array(table.rows * part.width);
  table.readRows(name, 0, values);
  return values;
};

/** Weights of any sign, and state as after a few steps. */
export const tableOf = (kernel: EmbeddingKernel, subject: KernelCase): EmbeddingTable => {
  const table = kernel.createTable(subject.width, 2 * TABLE_ROWS, { optimizer: subject.optimizer.type });
  initializeRows(table, { name: 'a', base: 0, rows: TABLE_ROWS }, subject.seed, 1);
  initializeRows(table, { name: 'b', base: TABLE_ROWS, rows: TABLE_ROWS }, subject.seed, 1);
  for (const { name, width } of table.parts.slice(1)) {
    const state = uniform(table.rows * width, subject.seed);
    table.writeRows(name, 0, name === 'first' ? state : state.map(Math.abs));
  }
  return table;
};

export const blockOf = (subject: KernelCase): BlockGradient => ({
  slots: slotsOf(subject),
  rowCount: subject.rowCount,
  stride: strideOf(subject),
  gradient: uniform(subject.rowCount * strideOf(subject), subject.seed + 1),
});
