import type { EmbeddingTable } from './embedding-kernel.js';

/** FNV-1a, 32 bits. */
const hashName = (name: string): number => {
  let hash = 0x811c9dc5;
  for (let i = 0; i < name.length; i += 1) hash = Math.imul(hash ^ name.charCodeAt(i), 0x01000193);
  return hash >>> 0;
};

/** Finalizer of MurmurHash3: every input bit reaches every output bit. */
const mix = (value: number): number => {
  let x = Math.imul(value ^ (value >>> 16), 0x85ebca6b);
  x = Math.imul(x ^ (x >>> 13), 0xc2b2ae35);
  return x ^ (x >>> 16);
};

/** Bound of the initial weights of a table of this width: small beside the first Adagrad step. */
export const initialBound = (width: number): number => 0.1 / Math.sqrt(width);

/** Floats drawn before they are written to the table. */
const PIECE = 1 << 18;

/**
 * Draws rows `[base, base + rows)` of a fused table uniformly from `±bound`. A value depends only on the seed, the
 * table's name, the row within the table and the dimension: a table that grows keeps its old rows.
 *
 * @param slice `from`: the first row to draw, where those before it are to keep their weights
 */
export const initializeRows = (
  table: EmbeddingTable,
  slice: { readonly name: string; readonly base: number; readonly rows: number; readonly from?: number },
  seed: number,
  bound = initialBound(table.width),
): void => {
  const { width } = table;
  const origin = mix(hashName(slice.name) ^ mix(seed));
  const scale = (2 * bound) / 4294967296;
  const first = slice.from ?? 0;
  const pieceRows = Math.max(1, Math.min(slice.rows - first, Math.floor(PIECE / width)));
  const piece = new Float32Array(pieceRows * width);
  for (let start = first; start < slice.rows; start += pieceRows) {
    const end = Math.min(start + pieceRows, slice.rows);
    let to = 0;
    for (let row = start; row < end; row += 1) {
      // A stream per row: its start is mixed from the row, then advances by the golden ratio (Weyl sequence).
      let state = mix(origin + Math.imul(row, 0x9e3779b1));
      for (let d = 0; d < width; d += 1, to += 1) {
        state = (state + 0x9e3779b9) | 0;
        piece[to] = (mix(state ^ origin) >>> 0) * scale - bound;
      }
    }
    table.writeRows('weights', slice.base + start, piece.subarray(0, to));
  }
};
