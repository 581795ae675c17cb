import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { BlockGradient, RowWiseAdagrad, SlotIds, SlotPooling } from './embedding-kernel.js';
import { initializeRows } from './initialize-rows.js';
import { KernelError } from './kernel-error.js';
import { typescriptKernel } from './typescript-kernel.js';

interface Case {
  readonly width: number;
  readonly rowCount: number;
  readonly slots: readonly { readonly pooling: SlotPooling; readonly base: number; readonly lists: readonly (readonly number[])[] }[];
  readonly optimizer: RowWiseAdagrad;
  readonly seed: number;
}

const TABLE_ROWS = 7;

const cases: fc.Arbitrary<Case> = fc.tuple(fc.constantFrom(1, 3, 4, 8, 10, 16), fc.integer({ min: 0, max: 6 })).chain(([width, rowCount]) =>
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
    optimizer: fc.record({
      learningRate: fc.constantFrom(0.05, 0.5),
      epsilon: fc.constantFrom(1e-8, 1e-2),
      weightDecay: fc.constantFrom(0, 0.1),
      decayMode: fc.constantFrom('l2', 'decoupled'),
    }),
  }),
);

const toSlots = (subject: Case): SlotIds[] =>
  subject.slots.map((slot, index) => {
    const values = Int32Array.from(slot.lists.flat());
    const common = { column: `c${index}`, base: slot.base, rows: TABLE_ROWS, pooling: slot.pooling, offset: index * subject.width, values };
    if (slot.pooling === 'single') return common;
    const offsets = new Int32Array(subject.rowCount + 1);
    slot.lists.forEach((list, row) => (offsets[row + 1] = offsets[row]! + list.length));
    return { ...common, offsets };
  });

const makeTable = (subject: Case) => {
  const table = typescriptKernel.createTable(subject.width, 2 * TABLE_ROWS);
  initializeRows(table, { name: 'a', base: 0, rows: TABLE_ROWS }, subject.seed, 1);
  initializeRows(table, { name: 'b', base: TABLE_ROWS, rows: TABLE_ROWS }, subject.seed, 1);
  return table;
};

/** Pools one list as the definition says, in float64; `null` for an empty list. */
const poolNaively = (rows: readonly (readonly number[])[], pooling: SlotPooling, d: number): number => {
  const column = rows.map((row) => row[d]!);
  if (column.length === 0) return 0;
  if (pooling === 'max') return Math.max(...column);
  const sum = column.reduce((total, value) => total + value, 0);
  return pooling === 'mean' ? sum / column.length : sum;
};

const stridesOf = (subject: Case): number => Math.max(1, subject.slots.length * subject.width);

const gradientOf = (subject: Case): Float32Array => {
  const source = typescriptKernel.createTable(stridesOf(subject), subject.rowCount);
  initializeRows(source, { name: 'gradient', base: 0, rows: subject.rowCount }, subject.seed, 1);
  return source.weights;
};

describe('lookup', () => {
  it('equals the definition of each pooling', () => {
    fc.assert(
      fc.property(cases, (subject) => {
        const table = makeTable(subject);
        const stride = stridesOf(subject);
        const out = new Float32Array(subject.rowCount * stride).fill(NaN);
        table.lookup(toSlots(subject), subject.rowCount, out, stride);
        subject.slots.forEach((slot, index) => {
          slot.lists.forEach((list, row) => {
            const rows = list.map((id) => [...table.weights.subarray((slot.base + id) * subject.width, (slot.base + id + 1) * subject.width)]);
            for (let d = 0; d < subject.width; d += 1) {
              expect(out[row * stride + index * subject.width + d]).toBeCloseTo(poolNaively(rows, slot.pooling, d), 5);
            }
          });
        });
      }),
    );
  });

  it('names column, row, id and table size when an id is out of range', () => {
    const table = typescriptKernel.createTable(2, 10);
    const out = new Float32Array(8);
    const single: SlotIds = { column: 'ad', base: 2, rows: 4, pooling: 'single', offset: 0, values: Int32Array.of(0, 4) };
    expect(() => {
      table.lookup([single], 2, out, 2);
    }).toThrow(new KernelError('ad', 1, 4, 4));
    const listed: SlotIds = {
      column: 'tags', base: 0, rows: 4, pooling: 'mean', offset: 0,
      values: Int32Array.of(1, 2, -1), offsets: Int32Array.of(0, 0, 1, 1, 3),
    };
    expect(() => {
      table.lookup([listed], 4, out, 2);
    }).toThrow('column "tags", row 3: id -1 is outside its embedding table of 4 rows');
  });
});

describe('update', () => {
  it('equals row-wise Adagrad on summed gradients, computed naively', () => {
    fc.assert(
      fc.property(cases, (subject) => {
        const { width, rowCount, optimizer } = subject;
        const table = makeTable(subject);
        const before = Float64Array.from(table.weights);
        const stride = stridesOf(subject);
        const gradient = gradientOf(subject);
        const block: BlockGradient = { slots: toSlots(subject), rowCount, stride, gradient };
        const sums = new Map<number, number[]>();
        const add = (row: number, d: number, value: number): void => {
          const sum = sums.get(row) ?? new Array<number>(width).fill(0);
          sums.set(row, sum);
          sum[d] = sum[d]! + value;
        };
        subject.slots.forEach((slot, index) => {
          slot.lists.forEach((list, row) => {
            for (let d = 0; d < width; d += 1) {
              const g = gradient[row * stride + index * width + d]!;
              const weights = list.map((id) => before[(slot.base + id) * width + d]!);
              const argMax = weights.indexOf(Math.max(...weights));
              list.forEach((id, position) => {
                const share = slot.pooling === 'max' ? Number(position === argMax) : slot.pooling === 'mean' ? 1 / list.length : 1;
                add(slot.base + id, d, share * g * 2);
              });
            }
          });
        });
        // The same block twice: gradients of all blocks are summed before the one step.
        expect(table.update([block, block], optimizer)).toBe(sums.size);
        for (let row = 0; row < table.rows; row += 1) {
          const sum = sums.get(row);
          for (let d = 0; d < width; d += 1) {
            const w = before[row * width + d]!;
            if (sum === undefined) {
              expect(table.weights[row * width + d]).toBe(w);
              continue;
            }
            const wd = optimizer.weightDecay;
            const seen = sum.map((g, k) => g + (optimizer.decayMode === 'l2' ? wd * before[row * width + k]! : 0));
            const m = seen.reduce((total, g) => total + g * g, 0) / width;
            const multiplier = optimizer.learningRate / (Math.sqrt(m) + optimizer.epsilon);
            const correction = 1 - wd * (optimizer.decayMode === 'l2' ? multiplier : optimizer.learningRate);
            expect(table.accumulators[row]).toBeCloseTo(m, 3);
            expect(table.weights[row * width + d]).toBeCloseTo(correction * w - multiplier * sum[d]!, 4);
          }
        }
      }),
    );
  });

  it('accumulates over steps and is the same bit for bit when repeated', () => {
    const run = (): Float32Array => {
      const table = typescriptKernel.createTable(16, 5000);
      initializeRows(table, { name: 't', base: 0, rows: 5000 }, 3);
      const values = Int32Array.from({ length: 6000 }, (_, i) => (i * i * 31) % 5000);
      const gradient = Float32Array.from({ length: 6000 * 16 }, (_, i) => Math.sin(i));
      const slots: SlotIds[] = [{ column: 'c', base: 0, rows: 5000, pooling: 'single', offset: 0, values }];
      for (let step = 0; step < 3; step += 1) {
        table.update([{ slots, rowCount: 6000, stride: 16, gradient }], { learningRate: 0.05, epsilon: 1e-8, weightDecay: 0, decayMode: 'l2' });
      }
      return table.weights;
    };
    expect(Buffer.from(run().buffer).equals(Buffer.from(run().buffer))).toBe(true);
  });

  it('changes nothing when an id is out of range', () => {
    const table = typescriptKernel.createTable(2, 4);
    const slots: SlotIds[] = [{ column: 'ad', base: 0, rows: 4, pooling: 'single', offset: 0, values: Int32Array.of(1, 9) }];
    const gradient = Float32Array.of(1, 1, 1, 1);
    expect(() => table.update([{ slots, rowCount: 2, stride: 2, gradient }], { learningRate: 1, epsilon: 0, weightDecay: 0, decayMode: 'l2' })).toThrow(
      KernelError,
    );
    expect([...table.weights, ...table.accumulators]).toEqual(new Array(12).fill(0));
  });
});

describe('initializeRows', () => {
  it('keeps the rows of a table that grows or moves', () => {
    const small = typescriptKernel.createTable(8, 10);
    const large = typescriptKernel.createTable(8, 30);
    initializeRows(small, { name: 'ad', base: 0, rows: 10 }, 1);
    initializeRows(large, { name: 'ad', base: 5, rows: 20 }, 1);
    expect(large.weights.slice(5 * 8, 15 * 8)).toEqual(small.weights);
    expect(large.weights.subarray(0, 40).every((weight) => weight === 0)).toBe(true);
  });

  it('is uniform within its bound, and differs by seed and name', () => {
    const draw = (name: string, seed: number): Float32Array => {
      const table = typescriptKernel.createTable(16, 4000);
      initializeRows(table, { name, base: 0, rows: 4000 }, seed, 0.5);
      return table.weights;
    };
    const a = draw('a', 1);
    const mean = a.reduce((sum, value) => sum + value, 0) / a.length;
    const variance = a.reduce((sum, value) => sum + value * value, 0) / a.length;
    expect(Math.max(...a)).toBeLessThanOrEqual(0.5);
    expect(Math.abs(mean)).toBeLessThan(0.005);
    expect(variance).toBeCloseTo(1 / 12, 2);
    const correlation = (b: Float32Array): number => a.reduce((sum, value, i) => sum + value * b[i]!, 0) / a.length / variance;
    expect(Math.abs(correlation(draw('b', 1)))).toBeLessThan(0.02);
    expect(Math.abs(correlation(draw('a', 2)))).toBeLessThan(0.02);
    expect(Math.abs(correlation(new Float32Array([...a.subarray(16), ...a.subarray(0, 16)])))).toBeLessThan(0.02);
  });
});
