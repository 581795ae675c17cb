import { closeSync } from 'node:fs';
import { checkDense, checkRange, checkShapes, checkTableSize, checkUpdate, offsetsError, rowOfEntry } from './check-block.js';
import type {
  BlockGradient, DenseAdamStep, EmbeddingKernel, EmbeddingTable, LookupTable, QuantizedPrecision, QuantizedTable, RowOptimizer, SlotIds,
  TableFile, TableOptimizer, TablePart,
} from './embedding-kernel.js';
import { KernelError, KernelUseError } from './kernel-error.js';
import { loadAddon, type Fault, type KernelHandle, type NativeAddon, type TableHandle } from './native-addon.js';
import { packBlocks, packFew, type BlockArrays } from './pack-blocks.js';
import { openTableFile } from './table-file.js';
import { partsOf } from './table-parts.js';

/** Codes of the addon's enumerations. */
const OPTIMIZERS: Readonly<Record<TableOptimizer, number>> = { adagrad: 1, adam: 2, sgd: 3 };
const PRECISIONS: Readonly<Record<TableFile['precision'], number>> = { fp32: 0, fp16: 1, int8: 2 };

const throwFault = (blocks: readonly BlockArrays[], [block, index, badOffsets, position]: Fault): never => {
  const slot = blocks[block]!.slots[index]!;
  if (badOffsets === 1) throw offsetsError(slot);
  throw new KernelError(slot.column, rowOfEntry(slot.offsets, position), slot.values[position]!, slot.rows);
};

const packOptimizer = (optimizer: RowOptimizer): Float64Array => {
  const { type, learningRate, weightDecay } = optimizer;
  const adam = type === 'adam' ? optimizer : undefined;
  return Float64Array.of(
    OPTIMIZERS[type],
    type === 'adagrad' && optimizer.decayMode === 'l2' ? 1 : 0,
    learningRate,
    type === 'sgd' ? 0 : optimizer.epsilon,
    weightDecay,
    adam?.beta1 ?? 0,
    adam?.beta2 ?? 0,
    adam === undefined ? 1 : 1 - adam.beta1 ** adam.step,
    adam === undefined ? 1 : 1 - adam.beta2 ** adam.step,
  );
};

/** What all tables share: a handle that is closed once, and lookups. */
class NativeRows {
  readonly width: number;
  readonly rows: number;
  protected readonly addon: NativeAddon;
  #handle: TableHandle | undefined;

  constructor(addon: NativeAddon, width: number, rows: number, handle: TableHandle) {
    this.width = width;
    this.rows = rows;
    this.addon = addon;
    this.#handle = handle;
  }

  protected get handle(): TableHandle {
    if (this.#handle === undefined) throw new KernelUseError('the table is closed');
    return this.#handle;
  }

  lookup(slots: readonly SlotIds[], rowCount: number, out: Float32Array, stride: number): void {
    const { handle } = this;
    checkShapes(this, slots, rowCount, out, stride, 'out');
    const block = { slots, rowCount, stride };
    const fault = this.#lookup(handle, block, out);
    if (fault !== undefined) throwFault([block], fault);
  }

  close(): void {
    if (this.#handle === undefined) return;
    this.addon.closeTable(this.#handle);
    this.#handle = undefined;
  }

  #lookup(handle: TableHandle, block: BlockArrays, out: Float32Array): Fault | undefined {
    const few = packFew(block);
    if (few !== undefined) return this.addon.lookupFew(handle, few.fields, few.values, out);
    const { fields, ids, offsets } = packBlocks([block]);
    return this.addon.lookup(handle, fields, ids, offsets, [out]);
  }
}

class NativeTable extends NativeRows implements EmbeddingTable {
  readonly optimizer: TableOptimizer | undefined;
  readonly parts: readonly TablePart[];

  constructor(addon: NativeAddon, kernel: KernelHandle, width: number, rows: number, optimizer: TableOptimizer | undefined) {
    checkTableSize(width, rows);
    super(addon, width, rows, addon.createTable(kernel, width, rows, optimizer === undefined ? 0 : OPTIMIZERS[optimizer]));
    this.optimizer = optimizer;
    this.parts = partsOf(width, optimizer);
  }

  update(blocks: readonly BlockGradient[], optimizer: RowOptimizer): number {
    const { handle } = this;
    checkUpdate(this, blocks, optimizer);
    const { fields, ids, offsets } = packBlocks(blocks);
    const gradients = blocks.map((block) => block.gradient);
    const result = this.addon.update(handle, fields, ids, offsets, gradients, packOptimizer(optimizer));
    return typeof result === 'number' ? result : throwFault(blocks, result);
  }

  readRows(part: TablePart['name'], first: number, values: Float32Array): void {
    const { handle } = this;
    this.addon.readRows(handle, this.parts.indexOf(checkRange(this, part, first, values)), first, values);
  }

  writeRows(part: TablePart['name'], first: number, values: Float32Array): void {
    const { handle } = this;
    this.addon.writeRows(handle, this.parts.indexOf(checkRange(this, part, first, values)), first, values);
  }

  quantize(precision: QuantizedPrecision): QuantizedTable {
    return new NativeQuantizedTable(this.addon, this, this.addon.quantize(this.handle, PRECISIONS[precision]), precision);
  }
}

class NativeQuantizedTable extends NativeRows implements QuantizedTable {
  readonly precision: QuantizedPrecision;
  readonly bytes: number;

  constructor(addon: NativeAddon, table: EmbeddingTable, handle: TableHandle, precision: QuantizedPrecision) {
    super(addon, table.width, table.rows, handle);
    this.precision = precision;
    this.bytes = table.rows * (precision === 'fp16' ? 2 * table.width : table.width + 8);
  }
}

const mapTable = (addon: NativeAddon, kernel: KernelHandle, file: TableFile): LookupTable => {
  const { width, rows, precision, offset, scalesOffset = 0 } = file;
  const descriptor = openTableFile(file);
  try {
    return new NativeRows(addon, width, rows, addon.mapTable(kernel, descriptor, width, rows, PRECISIONS[precision], offset, scalesOffset));
  } finally {
    // A mapping outlives the descriptor it was made with.
    closeSync(descriptor);
  }
};

/** Settings of {@link createNativeKernel}. */
export interface NativeKernelOptions {
  /** Threads of each call, the caller's included. Results do not depend on it. */
  readonly threads: number;
  /** SIMD level: `avx512`, `avx2` or `baseline`; by default the best of the processor. Results do not depend on it. */
  readonly level?: string | undefined;
  readonly addon?: NativeAddon;
}

/**
 * A kernel in C++: threads, SIMD, prefetching and huge pages. Its threads sleep between calls.
 *
 * @throws Error when the addon does not load, or the processor does not run the level.
 */
export const createNativeKernel = ({ threads, level, addon = loadAddon() }: NativeKernelOptions): EmbeddingKernel => {
  const supported = addon.levels();
  if (level !== undefined && !supported.includes(level)) {
    throw new KernelUseError(`this processor does not run SIMD level "${level}", only ${supported.join(', ')}`);
  }
  const kernel = addon.createKernel(threads, level ?? '');
  return {
    name: 'native',
    createTable: (width, rows, options) => new NativeTable(addon, kernel, width, rows, options?.optimizer),
    quantize: (table, precision) => {
      if (table instanceof NativeTable) return table.quantize(precision);
      throw new KernelUseError('the native kernel quantizes its own tables alone');
    },
    mapTable: (file) => mapTable(addon, kernel, file),
    squaredNorm: (values) => addon.squaredNorm(kernel, values),
    denseAdam: (parameter, first, second, gradient, step: DenseAdamStep) => {
      checkDense(parameter, first, second, gradient);
      const { learningRate, beta1, beta2, epsilon, weightDecay, decoupled, firstCorrection, secondCorrection, gradientScale } = step;
      addon.denseAdam(
        kernel, parameter, first, second, gradient,
        Float64Array.of(learningRate, beta1, beta2, epsilon, weightDecay, decoupled ? 1 : 0, firstCorrection, secondCorrection, gradientScale),
      );
    },
  };
};
