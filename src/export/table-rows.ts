/** How an export stores rows of embedding tables. */
import { decodeByte, encodeByteRow } from '../kernels/quantized-table.js';
import { fromHalf, toHalf, toHalves } from '../kernels/half-precision.js';
import type { ExportManifest } from './manifest.js';

/** Rows as they are stored; `scales` only with bytes: a row's scale and lowest value. */
export interface StoredRows {
  readonly values: Float32Array | Uint16Array | Uint8Array;
  readonly scales?: Float32Array;
}

export const encodeRows = (rows: Float32Array, width: number, precision: ExportManifest['precision']): StoredRows => {
  if (precision === 'fp32') return { values: rows };
  if (precision === 'fp16') return { values: toHalves(rows) };
  const values = new Uint8Array(rows.length);
  const scales = new Float32Array((2 * rows.length) / width);
  for (let row = 0; row * width < rows.length; row += 1) {
    const [from, to] = [row * width, (row + 1) * width];
    encodeByteRow(rows.subarray(from, to), values.subarray(from, to), scales.subarray(2 * row, 2 * row + 2));
  }
  return { values, scales };
};

/** Makes rows what is read of them once they are stored. */
export const roundRows = (rows: Float32Array, width: number, precision: ExportManifest['precision']): void => {
  if (precision === 'fp16') for (let at = 0; at < rows.length; at += 1) rows[at] = fromHalf(toHalf(rows[at]!));
  if (precision !== 'int8') return;
  const { values, scales } = encodeRows(rows, width, precision);
  for (let at = 0; at < rows.length; at += 1) {
    const row = Math.floor(at / width);
    rows[at] = decodeByte(values[at]!, scales![2 * row]!, scales![2 * row + 1]!);
  }
};
