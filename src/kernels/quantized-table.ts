import { checkIds, checkShapes } from './check-block.js';
import type { EmbeddingTable, LookupTable, QuantizedPrecision, QuantizedTable, SlotIds, TableFile } from './embedding-kernel.js';
import { fromHalf, toHalf } from './half-precision.js';
import { KernelUseError } from './kernel-error.js';
import { lookupSlot, type RowSource } from './pooled-lookup.js';
import { readTableFile } from './table-file.js';

/** Rows read from a table at a time. */
const PIECE = 4096;

/** A row's codes, and how to get its weights back. */
interface EncodedRows extends RowSource {
  readonly bytes: number;
  encode(row: number, weights: Float32Array, from: number): void;
}

class HalfRows implements EncodedRows {
  readonly floats: Float32Array;
  readonly #codes: Uint16Array;

  constructor(width: number, codes: Uint16Array) {
    this.floats = new Float32Array(width);
    this.#codes = codes;
  }

  get bytes(): number {
    return this.#codes.byteLength;
  }

  encode(row: number, weights: Float32Array, from: number): void {
    const width = this.floats.length;
    for (let d = 0; d < width; d += 1) this.#codes[row * width + d] = toHalf(weights[from + d]!);
  }

  start(row: number): number {
    const width = this.floats.length;
    for (let d = 0; d < width; d += 1) this.floats[d] = fromHalf(this.#codes[row * width + d]!);
    return 0;
  }
}

/**
 * One row as bytes: its weights are `code · scale + lowest`, codes 0 to 255, as in FBGEMM's row-wise 8-bit tables.
 *
 * @param scales gets the row's scale and lowest weight
 */
export const encodeByteRow = (weights: Float32Array, codes: Uint8Array, scales: Float32Array): void => {
  let lowest = Infinity;
  let highest = -Infinity;
  for (const weight of weights) {
    lowest = Math.min(lowest, weight);
    highest = Math.max(highest, weight);
  }
  const scale = Math.fround(Math.fround(highest - lowest) / 255);
  const inverse = scale === 0 ? 0 : 1 / scale;
  scales[0] = scale;
  scales[1] = lowest;
  weights.forEach((weight, d) => {
    codes[d] = Math.min(255, Math.floor((weight - lowest) * inverse + 0.5));
  });
};

/** The weight of a code. */
export const decodeByte = (code: number, scale: number, lowest: number): number => Math.fround(Math.fround(code * scale) + lowest);

/** Rows of bytes. */
class ByteRows implements EncodedRows {
  readonly floats: Float32Array;
  readonly #codes: Uint8Array;
  /** Scale and lowest weight of each row. */
  readonly #scales: Float32Array;

  constructor(width: number, codes: Uint8Array, scales: Float32Array) {
    this.floats = new Float32Array(width);
    this.#codes = codes;
    this.#scales = scales;
  }

  get bytes(): number {
    return this.#codes.byteLength + this.#scales.byteLength;
  }

  encode(row: number, weights: Float32Array, from: number): void {
    const width = this.floats.length;
    encodeByteRow(weights.subarray(from, from + width), this.#codes.subarray(row * width, (row + 1) * width), this.#scales.subarray(2 * row, 2 * row + 2));
  }

  start(row: number): number {
    const width = this.floats.length;
    const scale = this.#scales[2 * row]!;
    const lowest = this.#scales[2 * row + 1]!;
    for (let d = 0; d < width; d += 1) this.floats[d] = decodeByte(this.#codes[row * width + d]!, scale, lowest);
    return 0;
  }
}

/** Rows that are read from a source. */
class SourcedTable implements LookupTable {
  readonly width: number;
  readonly rows: number;
  #source: RowSource | undefined;

  constructor(width: number, rows: number, source: RowSource) {
    this.width = width;
    this.rows = rows;
    this.#source = source;
  }

  lookup(slots: readonly SlotIds[], rowCount: number, out: Float32Array, stride: number): void {
    if (this.#source === undefined) throw new KernelUseError('the table is closed');
    checkShapes(this, slots, rowCount, out, stride, 'out');
    for (const slot of slots) checkIds(slot, rowCount);
    for (const slot of slots) lookupSlot(this.#source, this.width, slot, rowCount, out, stride);
  }

  close(): void {
    this.#source = undefined;
  }
}

class TypeScriptQuantizedTable extends SourcedTable implements QuantizedTable {
  readonly precision: QuantizedPrecision;
  readonly bytes: number;

  constructor(table: EmbeddingTable, precision: QuantizedPrecision) {
    const { width, rows } = table;
    const source = precision === 'fp16' ? new HalfRows(width, new Uint16Array(width * rows)) : new ByteRows(width, new Uint8Array(width * rows), new Float32Array(2 * rows));
    const piece = new Float32Array(Math.min(rows, PIECE) * width);
    for (let first = 0; first < rows; first += PIECE) {
      const count = Math.min(PIECE, rows - first);
      table.readRows('weights', first, piece.subarray(0, count * width));
      for (let i = 0; i < count; i += 1) source.encode(first + i, piece, i * width);
    }
    super(width, rows, source);
    this.precision = precision;
    this.bytes = source.bytes;
  }
}

/** A copy of a table's weights in reduced precision: halves are rounded to the nearest, bytes to the nearest of 256 levels. */
export const quantizeTable = (table: EmbeddingTable, precision: QuantizedPrecision): QuantizedTable =>
  new TypeScriptQuantizedTable(table, precision);

/** A table out of a file, in memory. */
export const readTable = (file: TableFile): LookupTable => {
  const { width, rows, precision } = file;
  const { weights, scales } = readTableFile(file);
  const sources: Readonly<Record<TableFile['precision'], () => RowSource>> = {
    fp32: () => ({ floats: new Float32Array(weights), start: (row) => row * width }),
    fp16: () => new HalfRows(width, new Uint16Array(weights)),
    int8: () => new ByteRows(width, new Uint8Array(weights), scales),
  };
  return new SourcedTable(width, rows, sources[precision]());
};
