import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';

declare const kernelBrand: unique symbol;
declare const tableBrand: unique symbol;
/** Memory of the addon's, freed with the object. */
export interface KernelHandle {
  readonly [kernelBrand]: true;
}
export interface TableHandle {
  readonly [tableBrand]: true;
}

/** What is wrong with the ids: block, slot, 1 where the slot's offsets are wrong, position of the id in its values. */
export type Fault = readonly [block: number, slot: number, badOffsets: number, position: number];

/** Calls of the addon; `native/src/addon.cpp` says what each takes. */
export interface NativeAddon {
  levels(): string[];
  createKernel(threads: number, level: string): KernelHandle;
  createTable(kernel: KernelHandle, width: number, rows: number, optimizer: number): TableHandle;
  quantize(table: TableHandle, precision: number): TableHandle;
  mapTable(kernel: KernelHandle, file: number, width: number, rows: number, precision: number, offset: number, scalesOffset: number): TableHandle;
  closeTable(table: TableHandle): void;
  readRows(table: TableHandle, part: number, first: number, values: Float32Array): void;
  writeRows(table: TableHandle, part: number, first: number, values: Float32Array): void;
  lookup(
    table: TableHandle,
    fields: Float64Array,
    ids: readonly Int32Array[],
    offsets: readonly (Int32Array | undefined)[],
    outs: readonly Float32Array[],
  ): Fault | undefined;
  lookupFew(table: TableHandle, fields: Float64Array, values: Int32Array, out: Float32Array): Fault | undefined;
  update(
    table: TableHandle,
    fields: Float64Array,
    ids: readonly Int32Array[],
    offsets: readonly (Int32Array | undefined)[],
    gradients: readonly Float32Array[],
    optimizer: Float64Array,
  ): Fault | number;
  squaredNorm(kernel: KernelHandle, values: Float32Array): number;
  denseAdam(
    kernel: KernelHandle,
    parameter: Float32Array,
    first: Float32Array,
    second: Float32Array,
    gradient: Float32Array,
    step: Float64Array,
  ): void;
}

/** Where `native/build.mjs` puts the addon; the same from `src/` and from `dist/`. */
export const ADDON_PATH = fileURLToPath(new URL('../../native/build/onefold_kernels.node', import.meta.url));

/**
 * Loads the addon.
 *
 * @throws Error when it is not there, or was built for another machine.
 */
export const loadAddon = (path: string = ADDON_PATH): NativeAddon => createRequire(import.meta.url)(path) as NativeAddon;
