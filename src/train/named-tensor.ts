/** Tensors on their way between memory and files, a piece at a time: a table may be larger than any single buffer. */

/** A named float32 tensor, row-major, that is nowhere needed as one array. */
export interface NamedTensor {
  readonly name: string;
  readonly shape: readonly number[];
  /** Copies whole rows out, from row `first` on. A row is everything under one index of the first dim. */
  readonly read: (first: number, values: Float32Array) => void;
}

/** One whose values can be replaced. */
export interface WritableTensor extends NamedTensor {
  /** Copies whole rows in, from row `first` on. */
  readonly write: (first: number, values: Float32Array) => void;
}

/** Values of one row. */
export const rowSize = ({ shape }: Pick<NamedTensor, 'shape'>): number => shape.slice(1).reduce((product, dim) => product * dim, 1);

export const elementCount = ({ shape }: Pick<NamedTensor, 'shape'>): number => shape.reduce((product, dim) => product * dim, 1);

/** A tensor that is one array. */
export const arrayTensor = (name: string, shape: readonly number[], data: Float32Array): WritableTensor => {
  const size = rowSize({ shape });
  return {
    name,
    shape,
    read: (first, values) => {
      values.set(data.subarray(first * size, first * size + values.length));
    },
    write: (first, values) => {
      data.set(values, first * size);
    },
  };
};

/** Floats moved at a time: 16 MB. */
const PIECE_FLOATS = 4 * 2 ** 20;

/** Ranges of whole rows of about 16 MB that cover a tensor. */
export function* rowRanges(tensor: Pick<NamedTensor, 'shape'>): Generator<{ readonly first: number; readonly rows: number; readonly floats: number }, void, undefined> {
  // A scalar is one row.
  const count = tensor.shape[0] ?? 1;
  const size = rowSize(tensor);
  if (size === 0) return;
  const step = Math.max(1, Math.floor(PIECE_FLOATS / size));
  for (let first = 0; first < count; first += step) {
    const rows = Math.min(step, count - first);
    yield { first, rows, floats: rows * size };
  }
}
