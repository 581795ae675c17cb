import fc from 'fast-check';
import { afterAll, describe, expect, it } from 'vitest';
import {
  blockOf, kernelCases, readPart, slotsOf, strideOf, tableOf, uniform, type KernelCase,
} from '../../test/support/kernel-cases.js';
import type { BlockGradient, EmbeddingKernel, EmbeddingTable, RowOptimizer, SlotIds } from './embedding-kernel.js';
import { KernelError, KernelUseError } from './kernel-error.js';
import { loadAddon, type NativeAddon } from './native-addon.js';
import { createNativeKernel } from './native-kernel.js';
import { typescriptKernel } from './typescript-kernel.js';

const load = (): NativeAddon | undefined => {
  try {
    return loadAddon();
  } catch {
    console.warn('SKIPPED: the native kernel is not built (npm run build:native), so nothing of it is tested');
    return undefined;
  }
};
const addon = load();
const LEVELS = addon?.levels() ?? [];
const THREADS = [1, 2, 3, 5];

/** Every SIMD level, and every number of threads, once each. */
const VARIANTS = [...LEVELS.map((level) => ({ level, threads: 1 })), ...THREADS.map((threads) => ({ level: LEVELS[0], threads }))];

const bytesOf = (values: Float32Array): Buffer => Buffer.from(values.buffer, values.byteOffset, values.byteLength);
const stateOf = (table: EmbeddingTable): Buffer => Buffer.concat(table.parts.map((part) => bytesOf(readPart(table, part.name))));

const expectNear = (actual: Float32Array, expected: Float32Array, tolerance: number): void => {
  for (let i = 0; i < expected.length; i += 1) {
    const bound = tolerance * Math.max(1, Math.abs(expected[i]!));
    if (!(Math.abs(actual[i]! - expected[i]!) <= bound)) expect.fail(`float ${i}: ${actual[i]!} instead of ${expected[i]!}`);
  }
};

const lookupOf = (table: Pick<EmbeddingTable, 'lookup'>, subject: KernelCase): Float32Array => {
  const out = new Float32Array(subject.rowCount * strideOf(subject)).fill(7);
  table.lookup(slotsOf(subject), subject.rowCount, out, strideOf(subject));
  return out;
};

/** Ids of a step large enough to be cut into partitions and tasks: many slots, lists of all poolings, many rows that repeat. */
const largeStep = (width: number, rows: number): BlockGradient[] => {
  const rowCount = 3000;
  const random = (length: number, seed: number, below: number): Int32Array =>
    Int32Array.from(uniform(length, seed), (value) => Math.min(below - 1, Math.floor(((value + 1) / 2) * below)));
  const single = (index: number, below: number): SlotIds => ({
    column: `single${index}`, base: 0, rows, pooling: 'single', offset: index * width, values: random(rowCount, index, below),
  });
  const listed = (pooling: 'sum' | 'mean' | 'max', index: number): SlotIds => {
    const offsets = new Int32Array(rowCount + 1);
    for (let row = 0; row < rowCount; row += 1) offsets[row + 1] = offsets[row]! + (row % 5);
    return { column: pooling, base: 10, rows: rows - 10, pooling, offset: index * width, offsets, values: random(offsets[rowCount]!, 50 + index, rows - 10) };
  };
  const slots = [single(0, rows), single(1, 3), single(2, rows), listed('sum', 3), listed('mean', 4), listed('max', 5)];
  const tokens: SlotIds = { column: 'tokens', base: 0, rows, pooling: 'single', offset: 0, values: random(20_000, 9, rows) };
  return [
    { slots, rowCount, stride: 6 * width + 2, gradient: uniform(rowCount * (6 * width + 2), 1) },
    { slots: [tokens], rowCount: 20_000, stride: width, gradient: uniform(20_000 * width, 2) },
  ];
};

const OPTIMIZERS: readonly RowOptimizer[] = [
  { type: 'adagrad', learningRate: 0.05, epsilon: 1e-8, weightDecay: 0.01, decayMode: 'l2' },
  { type: 'adam', learningRate: 0.01, beta1: 0.9, beta2: 0.999, epsilon: 1e-8, weightDecay: 0.01, step: 3 },
  { type: 'sgd', learningRate: 0.05, weightDecay: 0.01 },
];

describe.skipIf(addon === undefined)('the native kernel', () => {
  const kernels = VARIANTS.map((variant) => createNativeKernel(variant));
  const kernel = kernels[0]!;
  const open: { close(): void }[] = [];
  afterAll(() => {
    for (const table of open) table.close();
  });
  const make = (maker: EmbeddingKernel, width: number, rows: number, optimizer: RowOptimizer): EmbeddingTable => {
    const table = maker.createTable(width, rows, { optimizer: optimizer.type });
    table.writeRows('weights', 0, uniform(width * rows, 5));
    open.push(table);
    return table;
  };

  it('looks up what the reference does: sums and maxima bit for bit, means to a rounding', () => {
    fc.assert(
      fc.property(kernelCases, fc.nat(), (subject, choice) => {
        const expected = lookupOf(tableOf(typescriptKernel, subject), subject);
        const actual = lookupOf(tableOf(kernels[choice % kernels.length]!, subject), subject);
        if (subject.slots.some((slot) => slot.pooling === 'mean')) expectNear(actual, expected, 2e-7);
        else expect(bytesOf(actual).equals(bytesOf(expected))).toBe(true);
      }),
    );
  });

  it('updates rows and state as the reference does', () => {
    fc.assert(
      fc.property(kernelCases, fc.nat(), (subject, choice) => {
        const [expected, actual] = [typescriptKernel, kernels[choice % kernels.length]!].map((each) => tableOf(each, subject)) as [EmbeddingTable, EmbeddingTable];
        const block = blockOf(subject);
        expect(actual.update([block, block], subject.optimizer)).toBe(expected.update([block, block], subject.optimizer));
        // The reference rounds once a sum, the native kernel once an operation; Adam divides by roots of them.
        for (const { name } of expected.parts) expectNear(readPart(actual, name), readPart(expected, name), 2e-5);
      }),
    );
  });

  it.each(OPTIMIZERS)('gives the same bytes for every number of threads and SIMD level: $type', (optimizer) => {
    for (const width of [5, 32]) {
      const rows = 5_000;
      const steps = largeStep(width, rows);
      const results = kernels.map((each) => {
        const table = make(each, width, rows, optimizer);
        const distinct = [table.update(steps, optimizer), table.update(steps, optimizer)];
        return { distinct, state: stateOf(table), table };
      });
      for (const { distinct, state } of results) {
        expect(distinct).toEqual(results[0]!.distinct);
        expect(state.equals(results[0]!.state)).toBe(true);
      }
      const reference = make(typescriptKernel, width, rows, optimizer);
      expect([reference.update(steps, optimizer), reference.update(steps, optimizer)]).toEqual(results[0]!.distinct);
      for (const { name } of reference.parts) expectNear(readPart(results[0]!.table, name), readPart(reference, name), 1e-4);
      const [outs, expected] = [results.map(({ table }) => table), [reference]].map((tables) =>
        tables.map((table) => {
          const { slots, rowCount, stride } = steps[0]!;
          const out = new Float32Array(rowCount * stride);
          table.lookup(slots, rowCount, out, stride);
          return out;
        }),
      ) as [Float32Array[], Float32Array[]];
      for (const out of outs) expect(bytesOf(out).equals(bytesOf(outs[0]!))).toBe(true);
      expectNear(outs[0]!, expected[0]!, 1e-3);
    }
  });

  it('quantizes as the reference does, bit for bit', () => {
    fc.assert(
      fc.property(kernelCases, fc.constantFrom('fp16' as const, 'int8' as const), fc.nat(), (subject, precision, choice) => {
        const maker = kernels[choice % kernels.length]!;
        const singles = { ...subject, slots: subject.slots.filter((slot) => slot.pooling !== 'mean') };
        const expected = typescriptKernel.quantize(tableOf(typescriptKernel, singles), precision);
        const actual = maker.quantize(tableOf(maker, singles), precision);
        expect(actual.bytes).toBe(expected.bytes);
        expect(bytesOf(lookupOf(actual, singles)).equals(bytesOf(lookupOf(expected, singles)))).toBe(true);
        actual.close();
        expect(() => lookupOf(actual, singles)).toThrow('the table is closed');
      }),
    );
  });

  it('reads halves of every kind: zeros, subnormals, infinities', () => {
    const values = Float32Array.of(0, -0, 1e-7, -6e-8, 6.1e-5, 65504, 1e6, -1e6, 1, -1.5, 3.14159, 2 ** -14, 2 ** -15, 1e-30, 1e30, 0.1, 5);
    for (const each of kernels) {
      const table = each.createTable(values.length, 1);
      table.writeRows('weights', 0, values);
      const out = new Float32Array(values.length);
      const slot: SlotIds = { column: 'a', base: 0, rows: 1, pooling: 'single', offset: 0, values: Int32Array.of(0) };
      each.quantize(table, 'fp16').lookup([slot], 1, out, values.length);
      const reference = typescriptKernel.createTable(values.length, 1);
      reference.writeRows('weights', 0, values);
      const expected = new Float32Array(values.length);
      typescriptKernel.quantize(reference, 'fp16').lookup([slot], 1, expected, values.length);
      expect(bytesOf(out).equals(bytesOf(expected))).toBe(true);
    }
  });

  it('sums squares to the same bits as the reference', () => {
    for (const length of [0, 1, 7, 8, 100, 8191, 8192, 8193, 100_003]) {
      const values = uniform(length, length);
      for (const each of kernels) expect(each.squaredNorm(values)).toBe(typescriptKernel.squaredNorm(values));
    }
  });

  it('applies dense Adam as the reference does, to the same bits for all threads and levels', () => {
    for (const decoupled of [true, false]) {
      const run = (each: EmbeddingKernel): Float32Array[] => {
        const arrays = [uniform(40_003, 1), uniform(40_003, 2), uniform(40_003, 3).map(Math.abs)] as const;
        for (let step = 1; step <= 2; step += 1) {
          each.denseAdam(...arrays, uniform(40_003, 10 + step), {
            learningRate: 0.01, beta1: 0.9, beta2: 0.999, epsilon: 1e-8, weightDecay: 0.02, decoupled, gradientScale: 0.7,
            firstCorrection: 1 - 0.9 ** step, secondCorrection: 1 - 0.999 ** step,
          });
        }
        return [...arrays];
      };
      const expected = run(typescriptKernel);
      const results = kernels.map(run);
      for (const result of results) {
        result.forEach((values, i) => {
          expectNear(values, expected[i]!, 2e-6);
          expect(bytesOf(values).equals(bytesOf(results[0]![i]!))).toBe(true);
        });
      }
    }
  });

  it('gives the same errors as the reference, and changes nothing then', () => {
    const rows = 100;
    const good = Int32Array.from({ length: 40_000 }, (_, i) => i % rows);
    const offsets = Int32Array.from({ length: 20_001 }, (_, i) => 2 * i);
    const bad = (position: number, id: number): Int32Array => good.map((value, i) => (i === position ? id : value));
    const single: SlotIds = { column: 'ad', base: 0, rows, pooling: 'single', offset: 0, values: good };
    const list: SlotIds = { ...single, column: 'tags', pooling: 'mean', offsets };
    const cases: SlotIds[][] = [
      [{ ...single, values: bad(19_999, rows) }],
      [{ ...single, values: bad(3, -1) }, { ...single, values: bad(0, 1 << 30) }],
      [single, { ...list, values: bad(39_999, rows) }],
      [{ ...list, pooling: 'max', values: bad(17, -2147483648) }],
      [{ ...list, pooling: 'sum', offsets: offsets.map((value, i) => (i === 20_000 ? 40_001 : value)) }],
      [{ ...list, offsets: offsets.map((value, i) => (i === 5 ? 0 : value)) }],
      [{ ...single, values: bad(7, rows) }, { ...list, offsets: offsets.map((value) => value - 1) }],
      [{ ...single, values: good.subarray(0, 19_999) }],
      [{ ...single, offset: 5 }],
      [{ ...single, base: 101 }],
    ];
    const thrown = (body: () => void): Error => {
      try {
        body();
      } catch (error) {
        if (error instanceof KernelError || error instanceof KernelUseError) return error;
        throw error;
      }
      return expect.fail('nothing was thrown');
    };
    const adagrad = OPTIMIZERS[0]!;
    for (const slots of cases) {
      const run = (each: EmbeddingKernel) => {
        const table = make(each, 4, 2 * rows, adagrad);
        const before = stateOf(table);
        const out = new Float32Array(20_000 * 8).fill(3);
        const quantized = each.quantize(table, 'int8');
        const errors = [
          thrown(() => { table.lookup(slots, 20_000, out, 8); }),
          thrown(() => { quantized.lookup(slots, 20_000, out, 8); }),
          thrown(() => table.update([{ slots: [single], rowCount: 20_000, stride: 8, gradient: out }, { slots, rowCount: 20_000, stride: 8, gradient: out }], adagrad)),
        ];
        expect(stateOf(table).equals(before)).toBe(true);
        expect(out.every((value) => value === 3)).toBe(true);
        return errors;
      };
      const expected = run(typescriptKernel);
      for (const each of [kernel, kernels.at(-1)!]) expect(run(each)).toEqual(expected);
    }
  });

  it('holds tables beyond 4 GB', () => {
    const [width, rows] = [32, 200_000_000];
    const table = kernel.createTable(width, rows, { optimizer: 'adagrad' });
    const ends = [0, rows - 2];
    for (const first of ends) table.writeRows('weights', first, uniform(2 * width, first));
    const slots: SlotIds[] = [
      { column: 'low', base: 0, rows: 2, pooling: 'single', offset: 0, values: Int32Array.of(0, 1) },
      { column: 'high', base: rows - 2, rows: 2, pooling: 'single', offset: width, values: Int32Array.of(1, 0) },
      { column: 'all', base: 0, rows, pooling: 'sum', offset: 2 * width, values: Int32Array.of(1, rows - 1), offsets: Int32Array.of(0, 0, 2) },
    ];
    const small = typescriptKernel.createTable(width, 4, { optimizer: 'adagrad' });
    small.writeRows('weights', 0, uniform(2 * width, 0));
    small.writeRows('weights', 2, uniform(2 * width, rows - 2));
    const same: SlotIds[] = [slots[0]!, { ...slots[1]!, base: 2 }, { ...slots[2]!, rows: 4, values: Int32Array.of(1, 3) }];
    const gradient = uniform(2 * 3 * width, 1);
    expect(table.update([{ slots, rowCount: 2, stride: 3 * width, gradient }], OPTIMIZERS[0]!)).toBe(4);
    small.update([{ slots: same, rowCount: 2, stride: 3 * width, gradient }], OPTIMIZERS[0]!);
    const [out, expected] = [new Float32Array(6 * width), new Float32Array(6 * width)];
    table.lookup(slots, 2, out, 3 * width);
    small.lookup(same, 2, expected, 3 * width);
    expectNear(out, expected, 1e-6);
    table.close();
  });

  it('refuses a level that the processor lacks, and another table to quantize', () => {
    expect(() => createNativeKernel({ threads: 1, level: 'sse9' })).toThrow('this processor does not run SIMD level "sse9", only');
    expect(() => kernel.quantize(typescriptKernel.createTable(1, 1), 'fp16')).toThrow(KernelUseError);
  });
});
