import { checkIds, checkRange, checkShapes, checkTableSize, checkUpdate } from './check-block.js';
import { denseAdam } from './dense-adam.js';
import type {
  BlockGradient, EmbeddingKernel, EmbeddingTable, RowOptimizer, SlotIds, TableOptimizer, TablePart,
} from './embedding-kernel.js';
import { GradientRows } from './gradient-rows.js';
import { KernelUseError } from './kernel-error.js';
import { lookupSlot, type RowSource } from './pooled-lookup.js';
import { quantizeTable, readTable } from './quantized-table.js';
import { applyRowOptimizer, type PartArrays } from './row-optimizers.js';
import { squaredNorm } from './squared-norm.js';
import { partsOf } from './table-parts.js';

const allocate = (part: TablePart, rows: number): Float32Array => {
  try {
    return new Float32Array(part.width * rows);
  } catch (cause) {
    throw new KernelUseError(
      `a table of ${rows} rows of ${part.width} floats does not fit one typed array, which is all that the TypeScript kernel has: ` +
        `install a C++ compiler and run "npm run build:native" for the native kernel (${String(cause)})`,
    );
  }
};

const CLOSED = 'the table is closed';

class TypeScriptTable implements EmbeddingTable {
  readonly width: number;
  readonly rows: number;
  readonly optimizer: TableOptimizer | undefined;
  readonly parts: readonly TablePart[];
  #arrays: PartArrays | undefined;
  #source: RowSource | undefined;
  /** Made by the first update: a table that only scores needs no scratch. */
  #gradients: GradientRows | undefined;

  constructor(width: number, rows: number, optimizer: TableOptimizer | undefined) {
    checkTableSize(width, rows);
    this.width = width;
    this.rows = rows;
    this.optimizer = optimizer;
    this.parts = partsOf(width, optimizer);
    const arrays = Object.fromEntries(this.parts.map((part) => [part.name, allocate(part, rows)])) as unknown as PartArrays;
    this.#arrays = arrays;
    this.#source = { floats: arrays.weights, start: (row) => row * width };
  }

  lookup(slots: readonly SlotIds[], rowCount: number, out: Float32Array, stride: number): void {
    const source = this.#source;
    if (source === undefined) throw new KernelUseError(CLOSED);
    checkShapes(this, slots, rowCount, out, stride, 'out');
    for (const slot of slots) checkIds(slot, rowCount);
    for (const slot of slots) lookupSlot(source, this.width, slot, rowCount, out, stride);
  }

  update(blocks: readonly BlockGradient[], optimizer: RowOptimizer): number {
    const arrays = this.#open();
    checkUpdate(this, blocks, optimizer);
    for (const block of blocks) for (const slot of block.slots) checkIds(slot, block.rowCount);
    this.#gradients ??= new GradientRows(this.width, this.rows);
    const gradients = this.#gradients;
    for (const block of blocks) gradients.add(block, arrays.weights);
    applyRowOptimizer(arrays, this.width, gradients.rows, gradients.sums, gradients.count, optimizer);
    const { count } = gradients;
    gradients.clear();
    return count;
  }

  readRows(part: TablePart['name'], first: number, values: Float32Array): void {
    const arrays = this.#open();
    const { width } = checkRange(this, part, first, values);
    values.set(arrays[part]!.subarray(first * width, first * width + values.length));
  }

  writeRows(part: TablePart['name'], first: number, values: Float32Array): void {
    const arrays = this.#open();
    const { width } = checkRange(this, part, first, values);
    arrays[part]!.set(values, first * width);
  }

  close(): void {
    this.#arrays = undefined;
    this.#source = undefined;
    this.#gradients = undefined;
  }

  #open(): PartArrays {
    if (this.#arrays === undefined) throw new KernelUseError(CLOSED);
    return this.#arrays;
  }
}

/** The readable kernel: runs everywhere, and is the oracle of the native one. */
export const typescriptKernel: EmbeddingKernel = {
  name: 'typescript',
  createTable: (width, rows, options) => new TypeScriptTable(width, rows, options?.optimizer),
  quantize: quantizeTable,
  mapTable: readTable,
  squaredNorm,
  denseAdam,
};
