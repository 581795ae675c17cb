/**
 * An encoded request as one buffer: it moves to a worker thread without a copy, where a map of arrays would be cloned one by one.
 * Words of 32 bits: candidates, view-type index, then each column's rows; of lists first `rows + 1` boundaries.
 */
import type { Column, Columns } from '../../data/columns.js';
import type { ColumnState } from '../../data/encoder-state.js';
import { joinColumn } from '../../data/join-shards.js';

/** An encoded column, as far as its place in a packed request depends on it. */
export interface PackedColumn {
  readonly name: string;
  readonly side: 'request' | 'candidate';
  readonly kind: Column['kind'];
  /** Of vectors. */
  readonly size: number;
}

/** One request out of its buffer: views on it. */
export interface UnpackedRequest {
  readonly candidateCount: number;
  readonly viewType: number;
  /** In the order of the columns it was packed with. */
  readonly columns: readonly Column[];
  /** The words of the request side and the view type alone: equal for requests whose request side is encoded alike. */
  readonly requestWords: Int32Array;
}

/** An encoded request before it is packed. */
export interface EncodedRequest {
  readonly candidateCount: number;
  readonly viewType: number;
  readonly requestColumns: Columns;
  readonly candidateColumns: Columns;
}

/** Columns of an encoder set in the order they are packed: the request's first. */
export const packedColumns = (columns: readonly ColumnState[]): readonly PackedColumn[] =>
  (['request', 'candidate'] as const).flatMap((side) =>
    columns.filter((column) => column.side === side).map((column) => ({ name: column.name, side, kind: column.kind, size: column.kind === 'vector' ? column.size : 1 })),
  );

const wordsOf = (column: Column): number => (column.kind === 'ids' ? column.offsets.length + column.offsets.at(-1)! - column.offsets[0]! : column.values.length);

/** @throws TypeError when a column is not there: the encoder makes them all */
export const packRequest = (specs: readonly PackedColumn[], request: EncodedRequest): ArrayBuffer => {
  const columns = specs.map(({ name, side }) => {
    const column = (side === 'request' ? request.requestColumns : request.candidateColumns).get(name);
    if (column === undefined) throw new TypeError(`the encoders make no column "${name}"`);
    return column;
  });
  const buffer = new ArrayBuffer(4 * columns.reduce((sum, column) => sum + wordsOf(column), 2));
  const [words, floats] = [new Int32Array(buffer), new Float32Array(buffer)];
  words[0] = request.candidateCount;
  words[1] = request.viewType;
  let at = 2;
  for (const column of columns) {
    if (column.kind === 'id') words.set(column.values, at);
    else if (column.kind === 'ids') {
      const first = column.offsets[0]!;
      for (const [row, offset] of column.offsets.entries()) words[at + row] = offset - first;
      words.set(column.values.subarray(first, column.offsets.at(-1)!), at + column.offsets.length);
    } else floats.set(column.values, at);
    at += wordsOf(column);
  }
  return buffer;
};

export const unpackRequest = (specs: readonly PackedColumn[], buffer: ArrayBuffer): UnpackedRequest => {
  const words = new Int32Array(buffer);
  const candidateCount = words[0]!;
  let at = 2;
  let requestEnd = at;
  const columns = specs.map(({ side, kind, size }): Column => {
    const rows = side === 'request' ? 1 : candidateCount;
    const start = at;
    let column: Column;
    if (kind === 'ids') {
      const offsets = words.subarray(start, start + rows + 1);
      at += rows + 1 + offsets[rows]!;
      column = { kind, offsets, values: words.subarray(start + rows + 1, at) };
    } else {
      at += rows * size;
      if (kind === 'id') column = { kind, values: words.subarray(start, at) };
      else {
        const values = new Float32Array(buffer, 4 * start, at - start);
        column = kind === 'number' ? { kind, values } : { kind, size, values };
      }
    }
    if (side === 'request') requestEnd = at;
    return column;
  });
  return { candidateCount, viewType: words[1]!, columns, requestWords: words.subarray(1, requestEnd) };
};

/** Several requests' columns under each other. */
export const joinRequests = (specs: readonly PackedColumn[], requests: readonly UnpackedRequest[]): { readonly requestColumns: Columns; readonly candidateColumns: Columns } => {
  const joined = { request: new Map<string, Column>(), candidate: new Map<string, Column>() };
  for (const [index, { name, side }] of specs.entries()) {
    joined[side].set(name, requests.length === 1 ? requests[0]!.columns[index]! : joinColumn(requests.map(({ columns }) => columns[index]!)));
  }
  return { requestColumns: joined.request, candidateColumns: joined.candidate };
};
