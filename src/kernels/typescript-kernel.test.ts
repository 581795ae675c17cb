import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { blockOf, kernelCases, readPart, slotsOf, strideOf, tableOf, uniform } from '../../test/support/kernel-cases.js';
import type { RowOptimizer, RowWiseAdagrad, SlotIds, SlotPooling } from './embedding-kernel.js';
import { KernelError, KernelUseError } from './kernel-error.js';
import { typescriptKernel } from './typescript-kernel.js';

const ADAGRAD: RowWiseAdagrad = { type: 'adagrad', learningRate: 0.05, epsilon: 1e-8, weightDecay: 0, decayMode: 'l2' };

/** Pools one list as the definition says, in float64. */
const poolNaively = (rows: readonly (readonly number[])[], pooling: SlotPooling, d: number): number => {
  const column = rows.map((row) => row[d]!);
  if (column.length === 0) return 0;
  if (pooling === 'max') return Math.max(...column);
  const sum = column.reduce((total, value) => total + value, 0);
  return pooling === 'mean' ? sum / column.length : sum;
};

describe('lookup', () => {
  it('equals the definition of each pooling', () => {
    fc.assert(
      fc.property(kernelCases, (subject) => {
        const { width } = subject;
        const table = tableOf(typescriptKernel, subject);
        const weights = readPart(table);
        const stride = strideOf(subject);
        const out = new Float32Array(subject.rowCount * stride).fill(NaN);
        table.lookup(slotsOf(subject), subject.rowCount, out, stride);
        subject.slots.forEach((slot, index) => {
          slot.lists.forEach((list, row) => {
            const rows = list.map((id) => [...weights.subarray((slot.base + id) * width, (slot.base + id + 1) * width)]);
            for (let d = 0; d < width; d += 1) {
              expect(out[row * stride + index * width + d]).toBeCloseTo(poolNaively(rows, slot.pooling, d), 5);
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

/** What one step makes of a row's weights and state, by the definitions, in float64. */
const stepNaively = (optimizer: RowOptimizer, w: readonly number[], state: readonly (readonly number[])[], g: readonly number[]): number[][] => {
  const { learningRate: lr, weightDecay: wd } = optimizer;
  switch (optimizer.type) {
    case 'adagrad': {
      const l2 = optimizer.decayMode === 'l2';
      const seen = g.map((gradient, d) => gradient + (l2 ? wd * w[d]! : 0));
      const m = state[0]![0]! + seen.reduce((total, value) => total + value * value, 0) / w.length;
      const multiplier = lr / (Math.sqrt(m) + optimizer.epsilon);
      const correction = 1 - wd * (l2 ? multiplier : lr);
      return [w.map((weight, d) => correction * weight - multiplier * g[d]!), [m]];
    }
    case 'adam': {
      const { beta1, beta2, epsilon, step } = optimizer;
      const m = state[0]!.map((value, d) => beta1 * value + (1 - beta1) * g[d]!);
      const v = state[1]!.map((value, d) => beta2 * value + (1 - beta2) * g[d]! ** 2);
      const moved = w.map((weight, d) => {
        const mHat = m[d]! / (1 - beta1 ** step);
        const vHat = v[d]! / (1 - beta2 ** step);
        return weight - lr * (mHat / (Math.sqrt(vHat) + epsilon) + wd * weight);
      });
      return [moved, m, v];
    }
    case 'sgd':
      return [w.map((weight, d) => weight - lr * (g[d]! + wd * weight))];
  }
};

const expectClose = (actual: number, expected: number): void => {
  expect(Math.abs(actual - expected)).toBeLessThanOrEqual(1e-4 * Math.max(1, Math.abs(expected)));
};

describe('update', () => {
  it("equals the optimizer's definition on summed gradients", () => {
    fc.assert(
      fc.property(kernelCases, (subject) => {
        const { width, optimizer } = subject;
        const table = tableOf(typescriptKernel, subject);
        const rowOf = (values: Float32Array, size: number, row: number): number[] => [...values.subarray(row * size, (row + 1) * size)];
        const before = table.parts.map((part) => readPart(table, part.name));
        const block = blockOf(subject);
        const sums = new Map<number, number[]>();
        subject.slots.forEach((slot, index) => {
          slot.lists.forEach((list, row) => {
            for (const [position, id] of list.entries()) {
              const sum = sums.get(slot.base + id) ?? new Array<number>(width).fill(0);
              sums.set(slot.base + id, sum);
              for (let d = 0; d < width; d += 1) {
                const weights = list.map((each) => before[0]![(slot.base + each) * width + d]!);
                const argMax = weights.indexOf(Math.max(...weights));
                const share = slot.pooling === 'max' ? Number(position === argMax) : slot.pooling === 'mean' ? 1 / list.length : 1;
                sum[d] = sum[d]! + 2 * share * block.gradient[row * block.stride + index * width + d]!;
              }
            }
          });
        });
        // The same block twice: gradients of all blocks are summed before the one step.
        expect(table.update([block, block], optimizer)).toBe(sums.size);
        const after = table.parts.map((part) => readPart(table, part.name));
        for (let row = 0; row < table.rows; row += 1) {
          const old = table.parts.map((part, index) => rowOf(before[index]!, part.width, row));
          const sum = sums.get(row);
          const expected = sum === undefined ? old : stepNaively(optimizer, old[0]!, old.slice(1), sum);
          table.parts.forEach((part, index) => {
            rowOf(after[index]!, part.width, row).forEach((value, d) => {
              if (sum === undefined) expect(value).toBe(expected[index]![d]);
              else expectClose(value, expected[index]![d]!);
            });
          });
        }
      }),
    );
  });

  it('accumulates over steps and is the same bit for bit when repeated', () => {
    const run = (): Float32Array => {
      const table = typescriptKernel.createTable(16, 5000, { optimizer: 'adagrad' });
      table.writeRows('weights', 0, uniform(5000 * 16, 3));
      const values = Int32Array.from({ length: 6000 }, (_, i) => (i * i * 31) % 5000);
      const gradient = Float32Array.from({ length: 6000 * 16 }, (_, i) => Math.sin(i));
      const slots: SlotIds[] = [{ column: 'c', base: 0, rows: 5000, pooling: 'single', offset: 0, values }];
      for (let step = 0; step < 3; step += 1) table.update([{ slots, rowCount: 6000, stride: 16, gradient }], ADAGRAD);
      return readPart(table);
    };
    expect(Buffer.from(run().buffer).equals(Buffer.from(run().buffer))).toBe(true);
  });

  it('changes nothing when an id is out of range', () => {
    const table = typescriptKernel.createTable(2, 4, { optimizer: 'adagrad' });
    const slots: SlotIds[] = [{ column: 'ad', base: 0, rows: 4, pooling: 'single', offset: 0, values: Int32Array.of(1, 9) }];
    const gradient = Float32Array.of(1, 1, 1, 1);
    expect(() => table.update([{ slots, rowCount: 2, stride: 2, gradient }], ADAGRAD)).toThrow(KernelError);
    expect([...readPart(table), ...readPart(table, 'accumulators')]).toEqual(new Array(12).fill(0));
  });

  it('refuses another optimizer than the table was made for', () => {
    const reader = typescriptKernel.createTable(2, 4);
    expect(reader.parts).toEqual([{ name: 'weights', width: 2 }]);
    expect(() => reader.update([], ADAGRAD)).toThrow('a table made for reading cannot take a step of "adagrad"');
    const table = typescriptKernel.createTable(2, 4, { optimizer: 'sgd' });
    expect(() => table.update([], ADAGRAD)).toThrow(KernelUseError);
  });
});

describe('blocks that do not fit', () => {
  const slot: SlotIds = { column: 'ad', base: 0, rows: 4, pooling: 'single', offset: 0, values: Int32Array.of(1, 2) };
  const list: SlotIds = { ...slot, pooling: 'sum', offsets: Int32Array.of(0, 1, 2) };
  it.each<[string, SlotIds, number, number, number]>([
    ['"out" has 3 floats: expected 2 rows of 2', slot, 2, 3, 2],
    ['column "ad": its 2 floats at 1 do not fit a row of 2', { ...slot, offset: 1 }, 2, 4, 2],
    ['column "ad": its rows 1 to 5 are not all in a table of 4 rows', { ...slot, base: 1 }, 2, 4, 2],
    ['column "ad" has 2 ids: expected 3', slot, 3, 6, 2],
    ['column "ad": pooling "sum" needs offsets', { ...slot, pooling: 'sum' }, 2, 4, 2],
    ['column "ad": pooling "single" takes no offsets', { ...list, pooling: 'single' }, 2, 4, 2],
    ['column "ad" has 3 offsets: expected 4', list, 3, 6, 2],
    ['column "ad": its list offsets must ascend within its 2 ids', { ...list, offsets: Int32Array.of(0, 1, 3) }, 2, 4, 2],
    ['column "ad": its list offsets must ascend within its 2 ids', { ...list, offsets: Int32Array.of(0, 2, 1) }, 2, 4, 2],
    ['column "ad": its list offsets must ascend within its 2 ids', { ...list, offsets: Int32Array.of(-1, 1, 2) }, 2, 4, 2],
  ])('%s', (message, subject, rowCount, floats, stride) => {
    const table = typescriptKernel.createTable(2, 4);
    expect(() => {
      table.lookup([subject], rowCount, new Float32Array(floats), stride);
    }).toThrow(new KernelUseError(message));
  });
});

describe('rows of a table', () => {
  it('are read as they were written, part by part', () => {
    const table = typescriptKernel.createTable(3, 5, { optimizer: 'adam' });
    expect(table.parts.map(({ name, width }) => [name, width])).toEqual([['weights', 3], ['first', 3], ['second', 3]]);
    table.parts.forEach(({ name }, index) => {
      table.writeRows(name, 2, uniform(6, index));
    });
    table.parts.forEach(({ name }, index) => {
      const values = new Float32Array(6);
      table.readRows(name, 2, values);
      expect(values).toEqual(uniform(6, index));
      expect([...readPart(table, name).subarray(0, 6)]).toEqual([0, 0, 0, 0, 0, 0]);
    });
  });

  it('outside it are refused, and so is a part it lacks', () => {
    const table = typescriptKernel.createTable(2, 4, { optimizer: 'adagrad' });
    const read = (part: 'weights' | 'accumulators' | 'first', first: number, floats: number) => () => {
      table.readRows(part, first, new Float32Array(floats));
    };
    expect(read('weights', 3, 4)).toThrow('rows 3 to 5 are not all in a table of 4 rows');
    expect(read('weights', -1, 2)).toThrow(KernelUseError);
    expect(read('weights', 0, 3)).toThrow('3 floats are not whole rows of 2');
    expect(read('first', 0, 2)).toThrow('the table has no "first", only weights, accumulators');
    expect(read('accumulators', 0, 4)).not.toThrow();
    table.close();
    table.close();
    expect(read('weights', 0, 2)).toThrow('the table is closed');
  });

  it('in impossible numbers cannot be made', () => {
    expect(() => typescriptKernel.createTable(0, 4)).toThrow(KernelUseError);
    expect(() => typescriptKernel.createTable(4, 2 ** 32)).toThrow(KernelUseError);
    expect(() => typescriptKernel.createTable(64, 2 ** 31)).toThrow('the native kernel');
  });
});
