/** Tables in files, as exports store them. */
import { writeFileSync } from 'node:fs';
import type { TableFile } from '../../src/kernels/embedding-kernel.js';
import { toHalves } from '../../src/kernels/half-precision.js';
import { encodeByteRow } from '../../src/kernels/quantized-table.js';

const bytesOf = (values: Float32Array | Uint16Array | Uint8Array): Buffer => Buffer.from(values.buffer, values.byteOffset, values.byteLength);

/**
 * Writes a file that holds a table and no byte after it.
 *
 * @param before bytes before its first row
 */
export const writeTableFile = (path: string, weights: Float32Array, width: number, precision: TableFile['precision'], before: number): TableFile => {
  const rows = weights.length / width;
  const table = { path, offset: before, width, rows, precision };
  const filler = Buffer.alloc(before, 0xa5);
  if (precision !== 'int8') {
    writeFileSync(path, Buffer.concat([filler, bytesOf(precision === 'fp32' ? weights : toHalves(weights))]));
    return table;
  }
  const codes = new Uint8Array(weights.length);
  const scales = new Float32Array(2 * rows);
  for (let row = 0; row < rows; row += 1) {
    const [from, to] = [row * width, (row + 1) * width];
    encodeByteRow(weights.subarray(from, to), codes.subarray(from, to), scales.subarray(2 * row, 2 * row + 2));
  }
  const gap = Buffer.alloc((4 - ((before + codes.length) % 4)) % 4, 0xa5);
  writeFileSync(path, Buffer.concat([filler, bytesOf(codes), gap, bytesOf(scales)]));
  return { ...table, scalesOffset: before + codes.length + gap.length };
};
