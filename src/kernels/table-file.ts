/** Files that tables are read from. */
import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import { checkTableSize } from './check-block.js';
import type { TableFile } from './embedding-kernel.js';
import { KernelUseError } from './kernel-error.js';

const WEIGHT_BYTES: Readonly<Record<TableFile['precision'], number>> = { fp32: 4, fp16: 2, int8: 1 };

const checkPlace = (name: string, value: number, multiple: number): void => {
  if (!Number.isSafeInteger(value) || value < 0 || value % multiple !== 0) throw new KernelUseError(`"${name}" is ${value}: expected a multiple of ${multiple} bytes`);
};

/** Bytes of a table's rows, and of their scales. */
const bytesOf = ({ width, rows, precision }: TableFile): { readonly weights: number; readonly scales: number } => ({
  weights: rows * width * WEIGHT_BYTES[precision],
  scales: precision === 'int8' ? 8 * rows : 0,
});

/**
 * Opens the file of a table for reading.
 *
 * @returns its descriptor
 * @throws KernelUseError when it is not there or too short, or the table's place in it is not aligned
 */
export const openTableFile = (file: TableFile): number => {
  const { path, offset, width, rows, precision, scalesOffset } = file;
  checkTableSize(width, rows);
  checkPlace('offset', offset, WEIGHT_BYTES[precision]);
  if ((scalesOffset !== undefined) !== (precision === 'int8')) throw new KernelUseError(`a table of ${precision} ${scalesOffset === undefined ? 'needs' : 'has no'} "scalesOffset"`);
  checkPlace('scalesOffset', scalesOffset ?? 0, 4);
  let descriptor: number;
  try {
    descriptor = openSync(path, 'r');
  } catch (error) {
    throw new KernelUseError(`${path} cannot be opened: ${(error as Error).message}`);
  }
  const { weights, scales } = bytesOf(file);
  const needed = Math.max(offset + weights, (scalesOffset ?? 0) + scales);
  const status = fstatSync(descriptor);
  if (status.isFile() && status.size >= needed) return descriptor;
  closeSync(descriptor);
  throw new KernelUseError(`${path} ${status.isFile() ? `has ${status.size} bytes` : 'is no file'}: expected at least ${needed} bytes for a table of ${rows} rows of ${width} (${precision})`);
};

/** Bytes read at a time. */
const PIECE = 2 ** 30;

const allocate = (path: string, bytes: number): Uint8Array => {
  try {
    return new Uint8Array(bytes);
  } catch (cause) {
    throw new KernelUseError(
      `${bytes} bytes of ${path} do not fit one typed array, which is all that the TypeScript kernel has: install a C++ compiler and ` +
        `run "npm run build:native" for the native kernel, which maps files (${String(cause)})`,
    );
  }
};

const readBytes = (path: string, descriptor: number, offset: number, bytes: number): ArrayBufferLike => {
  const buffer = allocate(path, bytes);
  for (let at = 0; at < bytes; ) {
    const read = readSync(descriptor, buffer, { offset: at, length: Math.min(PIECE, bytes - at), position: offset + at });
    if (read === 0) throw new KernelUseError(`${path} was cut short while it was read`);
    at += read;
  }
  return buffer.buffer;
};

/**
 * Reads a table into memory.
 *
 * @throws KernelUseError as {@link openTableFile}
 */
export const readTableFile = (file: TableFile): { readonly weights: ArrayBufferLike; readonly scales: Float32Array } => {
  const descriptor = openTableFile(file);
  try {
    const { weights, scales } = bytesOf(file);
    return {
      weights: readBytes(file.path, descriptor, file.offset, weights),
      scales: new Float32Array(readBytes(file.path, descriptor, file.scalesOffset ?? 0, scales)),
    };
  } finally {
    closeSync(descriptor);
  }
};
