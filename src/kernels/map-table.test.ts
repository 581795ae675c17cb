import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, ftruncateSync, mkdtempSync, openSync, closeSync, readFileSync, rmSync, truncateSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { Worker } from 'node:worker_threads';
import fc from 'fast-check';
import { afterAll, describe, expect, it } from 'vitest';
import { kernelCases, readPart, slotsOf, strideOf, tableOf, uniform } from '../../test/support/kernel-cases.js';
import { writeTableFile } from '../../test/support/table-file.js';
import type { EmbeddingKernel, LookupTable, SlotIds, TableFile } from './embedding-kernel.js';
import { KernelError, KernelUseError } from './kernel-error.js';
import { ADDON_PATH, loadAddon } from './native-addon.js';
import { createNativeKernel } from './native-kernel.js';
import { typescriptKernel } from './typescript-kernel.js';

const isBuilt = existsSync(ADDON_PATH);
if (!isBuilt) console.warn('SKIPPED: the native kernel is not built (npm run build:native), so only tables read by the TypeScript kernel are tested');
const nativeKernels = isBuilt
  ? [...loadAddon().levels().map((level) => ({ level, threads: 1 })), { threads: 3 }].map((variant) => createNativeKernel(variant))
  : [];
const kernels: readonly EmbeddingKernel[] = [typescriptKernel, ...nativeKernels];
const PRECISIONS = ['fp32', 'fp16', 'int8'] as const;

const folder = mkdtempSync(join(tmpdir(), 'onefold-map-'));
const path = join(folder, 'tables.bin');
afterAll(() => {
  rmSync(folder, { recursive: true });
});

interface Lookup {
  readonly slots: readonly SlotIds[];
  readonly rowCount: number;
  readonly stride: number;
}

const lookUp = (table: LookupTable, { slots, rowCount, stride }: Lookup): Buffer => {
  const out = new Float32Array(rowCount * stride).fill(7);
  table.lookup(slots, rowCount, out, stride);
  return Buffer.from(out.buffer);
};

/** What the rows give from memory, and what they give from a file. */
const expectSame = (kernel: EmbeddingKernel, weights: Float32Array, width: number, file: TableFile, lookup: Lookup): Buffer => {
  const table = kernel.createTable(width, weights.length / width);
  table.writeRows('weights', 0, weights);
  const inMemory = file.precision === 'fp32' ? table : kernel.quantize(table, file.precision);
  const mapped = kernel.mapTable(file);
  expect([mapped.width, mapped.rows]).toEqual([table.width, table.rows]);
  const found = lookUp(mapped, lookup);
  expect(found.equals(lookUp(inMemory, lookup))).toBe(true);
  for (const each of [mapped, inMemory, table]) each.close();
  return found;
};

/** Many slots of all poolings, as a batch has them. */
const largeLookup = (width: number, rows: number): Lookup => {
  const rowCount = 2000;
  const random = (length: number, seed: number): Int32Array => Int32Array.from(uniform(length, seed), (value) => Math.floor(((value + 1) / 2.001) * rows));
  const slots = (['single', 'sum', 'mean', 'max', 'single'] as const).map((pooling, index): SlotIds => {
    const common = { column: `${pooling}${index}`, base: 0, rows, pooling, offset: index * (width + 1) };
    if (pooling === 'single') return { ...common, values: random(rowCount, index) };
    const offsets = new Int32Array(rowCount + 1);
    for (let row = 0; row < rowCount; row += 1) offsets[row + 1] = offsets[row]! + (row % 4);
    return { ...common, offsets, values: random(offsets[rowCount]!, index) };
  });
  return { slots, rowCount, stride: 5 * (width + 1) };
};

const oneRow = (rows: number, id: number): SlotIds => ({ column: 'ad', base: 0, rows, pooling: 'single', offset: 0, values: Int32Array.of(id) });

describe('a table in a file', () => {
  it('is looked up as the same rows in memory are, bit for bit', () => {
    fc.assert(
      fc.property(kernelCases, fc.constantFrom(...PRECISIONS), fc.integer({ min: 0, max: 2100 }), fc.nat(), (subject, precision, before, choice) => {
        const weights = readPart(tableOf(typescriptKernel, subject));
        const file = writeTableFile(path, weights, subject.width, precision, 4 * before);
        expectSame(kernels[choice % kernels.length]!, weights, subject.width, file, { slots: slotsOf(subject), rowCount: subject.rowCount, stride: strideOf(subject) });
      }),
    );
  });

  it.each(PRECISIONS)('has the same bits for every number of threads and SIMD level: %s', (precision) => {
    for (const width of [1, 5, 8, 16, 19, 32, 33, 64, 100]) {
      const rows = 3000;
      const weights = uniform(rows * width, width);
      const weightBytes = { fp32: 4, fp16: 2, int8: 1 }[precision];
      const file = writeTableFile(path, weights, width, precision, 4096 + 3 * weightBytes);
      const [reference, ...others] = nativeKernels.map((kernel) => expectSame(kernel, weights, width, file, largeLookup(width, rows)));
      for (const other of others) expect(other.equals(reference!)).toBe(true);
      expectSame(typescriptKernel, weights, width, file, largeLookup(width, rows));
    }
  });

  it('can be without a row', () => {
    for (const kernel of kernels) {
      for (const precision of PRECISIONS) {
        const table = kernel.mapTable(writeTableFile(path, new Float32Array(0), 4, precision, 8));
        expect(lookUp(table, { slots: [{ ...oneRow(0, 0), values: new Int32Array(0) }], rowCount: 0, stride: 4 }).length).toBe(0);
        expect(() => lookUp(table, { slots: [oneRow(0, 0)], rowCount: 1, stride: 4 })).toThrow(KernelError);
      }
    }
  });

  it('checks ids and list boundaries, and cannot be read once closed', () => {
    const rows = 50;
    const file = writeTableFile(path, uniform(rows * 4, 1), 4, 'int8', 0);
    const list: SlotIds = { column: 'tags', base: 10, rows: 40, pooling: 'sum', offset: 4, values: Int32Array.of(0, 39, 40), offsets: Int32Array.of(0, 1, 2, 2) };
    const row = (id: number): SlotIds => ({ ...oneRow(rows, id), values: Int32Array.of(0, 1, id) });
    const cases: readonly (readonly [slots: readonly SlotIds[], error: Error])[] = [
      [[row(50), list], new KernelError('ad', 2, 50, 50)],
      [[row(-1)], new KernelError('ad', 2, -1, 50)],
      [[row(49), { ...list, offsets: Int32Array.of(0, 1, 2, 3) }], new KernelError('tags', 2, 40, 40)],
      [[{ ...list, offsets: Int32Array.of(0, 2, 1, 3) }], new KernelUseError('column "tags": its list offsets must ascend within its 3 ids')],
      [[{ ...list, offsets: Int32Array.of(0, 1, 2, 4) }], new KernelUseError('column "tags": its list offsets must ascend within its 3 ids')],
    ];
    for (const kernel of kernels) {
      const table = kernel.mapTable(file);
      for (const [slots, error] of cases) expect(() => lookUp(table, { slots, rowCount: 3, stride: 8 })).toThrow(error);
      lookUp(table, { slots: [row(49), list], rowCount: 3, stride: 8 });
      table.close();
      table.close();
      expect(() => lookUp(table, { slots: [], rowCount: 0, stride: 8 })).toThrow('the table is closed');
    }
  });

  it('must be there, be whole, and be aligned', () => {
    const [width, rows] = [6, 10];
    for (const kernel of kernels) {
      const open = (file: TableFile) => () => kernel.mapTable(file);
      for (const precision of PRECISIONS) {
        const file = writeTableFile(path, uniform(width * rows, 1), width, precision, 16);
        const size = readFileSync(path).length;
        expect(open(file)).not.toThrow();
        expect(open({ ...file, rows: rows + 1 })).toThrow(KernelUseError);
        truncateSync(path, size - 1);
        expect(open(file)).toThrow(new KernelUseError(`${path} has ${size - 1} bytes: expected at least ${size} bytes for a table of 10 rows of 6 (${precision})`));
      }
      const file = { path, offset: 0, width: 1, rows: 1, precision: 'fp32' } as const;
      expect(open({ ...file, path: `${path}.gone` })).toThrow(/tables\.bin\.gone cannot be opened: ENOENT: no such file or directory/);
      expect(open({ ...file, path: folder })).toThrow(`${folder} is no file`);
      expect(open({ ...file, offset: 2 })).toThrow(new KernelUseError('"offset" is 2: expected a multiple of 4 bytes'));
      expect(open({ ...file, precision: 'fp16', offset: 1 })).toThrow('"offset" is 1: expected a multiple of 2 bytes');
      expect(open({ ...file, precision: 'int8', offset: 1, scalesOffset: 6 })).toThrow('"scalesOffset" is 6: expected a multiple of 4 bytes');
      expect(open({ ...file, precision: 'int8' })).toThrow('a table of int8 needs "scalesOffset"');
      expect(open({ ...file, scalesOffset: 0 })).toThrow('a table of fp32 has no "scalesOffset"');
      expect(open({ ...file, offset: -4 })).toThrow(KernelUseError);
      expect(open({ ...file, width: 0 })).toThrow(KernelUseError);
    }
  });
});

/** A file of zeros that takes no space on the disk. */
const sparseFile = (name: string, bytes: number): string => {
  const sparse = join(folder, name);
  const descriptor = openSync(sparse, 'w');
  ftruncateSync(descriptor, bytes);
  closeSync(descriptor);
  return sparse;
};

const isMapped = (file: string): boolean => readFileSync('/proc/self/maps', 'utf8').includes(file);

describe.skipIf(!isBuilt || process.platform !== 'linux')('a mapped file', () => {
  const kernel = nativeKernels[0]!;

  it('is opened in milliseconds however large it is, and its last row can be read', () => {
    const [width, rows] = [16, 2 ** 24];
    const file: TableFile = { path: sparseFile('large.bin', 4 * width * rows + 8), offset: 8, width, rows, precision: 'fp32' };
    const times = Array.from({ length: 5 }, () => {
      const started = performance.now();
      const table = kernel.mapTable(file);
      expect(lookUp(table, { slots: [oneRow(rows, rows - 1)], rowCount: 1, stride: width }).equals(Buffer.alloc(4 * width))).toBe(true);
      const elapsed = performance.now() - started;
      table.close();
      return elapsed;
    });
    // Reading a gigabyte takes a hundred times as long.
    expect(Math.min(...times)).toBeLessThan(5);
  });

  it('is let go when the table is closed, or nobody has it any more', async () => {
    const file: TableFile = { path: sparseFile('released.bin', 1 << 20), offset: 0, width: 16, rows: 100, precision: 'fp32' };
    const table = kernel.mapTable(file);
    expect(isMapped(file.path)).toBe(true);
    table.close();
    expect(isMapped(file.path)).toBe(false);
    expect((() => kernel.mapTable(file).rows)()).toBe(100);
    expect(isMapped(file.path)).toBe(true);
    setFlagsFromString('--expose-gc');
    const collect = runInNewContext('gc') as () => void;
    for (let attempt = 0; attempt < 50 && isMapped(file.path); attempt += 1) {
      collect();
      await new Promise((resolve) => setImmediate(resolve));
    }
    expect(isMapped(file.path)).toBe(false);
  });

  const fixture = new URL('../../test/fixtures/map-table.mjs', import.meta.url);

  it('can be mapped by worker threads, each with a kernel of its own, and outlives them', async () => {
    const [width, rows] = [16, 20_000];
    const weights = uniform(width * rows, 3);
    const file = writeTableFile(path, weights, width, 'fp32', 12);
    const table = kernel.mapTable(file);
    const slots = [{ ...oneRow(rows, 0), values: Int32Array.from({ length: rows }, (_, row) => row) }];
    const workers = [0, 1, 2].map(() => new Worker(fixture, { workerData: { addon: ADDON_PATH, ...file } }));
    const exits = workers.map((worker) => once(worker, 'exit'));
    const sums = await Promise.all(workers.map(async (worker) => (await once(worker, 'message'))[0] as number));
    const expected = weights.reduce((sum, value) => sum + value, 0);
    expect(sums).toEqual([expected, expected, expected]);
    expect(await Promise.all(exits)).toEqual([[0], [0], [0]]);
    expect(lookUp(table, { slots, rowCount: rows, stride: width }).equals(Buffer.from(weights.buffer))).toBe(true);
    table.close();
  });

  it('is in memory once for all processes', async () => {
    const [width, rows] = [64, 2 ** 18];
    const bytes = 4 * width * rows;
    const file = { addon: ADDON_PATH, path: sparseFile('shared.bin', bytes), offset: 0, width, rows };
    const start = (): ChildProcess => spawn(process.execPath, [fixture.pathname, JSON.stringify(file)], { stdio: ['pipe', 'pipe', 'inherit'] });
    const ask = async (child: ChildProcess): Promise<{ readonly sum: number; readonly grown: number; readonly resident: number; readonly alone: number }> => {
      child.stdin!.write('memory?\n');
      return JSON.parse(String((await once(child.stdout!, 'data'))[0])) as Awaited<ReturnType<typeof ask>>;
    };
    const [first, second] = [start(), start()];
    const exits = [first, second].map((child) => once(child, 'exit'));
    // Each answers when it has looked every row up.
    await Promise.all([ask(first), ask(second)]);
    for (const child of [first, second]) {
      const { sum, grown, resident, alone } = await ask(child);
      expect(sum).toBe(0);
      expect(resident).toBe(bytes);
      expect(alone).toBe(0);
      expect(grown).toBeLessThan(bytes / 4);
    }
    for (const child of [first, second]) child.stdin!.end();
    expect(await Promise.all(exits)).toEqual([[0, null], [0, null]]);
  });
});
