/** Random batches of the small project, for its models as they are trained. */
import { xoroshiro128plus } from 'pure-rand/generator/xoroshiro128plus';
import { uniformFloat64 } from 'pure-rand/distribution/uniformFloat64';
import type { Batch } from '../../src/data/batch.js';
import type { Column } from '../../src/data/columns.js';
import { SMALL_ENCODERS, SMALL_SURFACES } from './small-model.js';

/** A batch with requests of every surface, histories of 0 to 3 events and up to four candidates a request; seeded. */
export const smallBatch = (seed: number, requestCount = 12): Batch => {
  const generator = xoroshiro128plus(seed + 1);
  const below = (count: number): number => Math.floor(uniformFloat64(generator) * count);
  const surfaces = Int32Array.from({ length: requestCount }, (_, request) => Math.floor((request * SMALL_SURFACES.length) / requestCount));
  const counts = Array.from({ length: requestCount }, () => 1 + below(4));
  const rowToRequest = Int32Array.from(counts.flatMap((count, request) => new Array<number>(count).fill(request)));
  const histories = Array.from({ length: requestCount }, () => below(4));
  const rowsOf = (table: string): number => SMALL_ENCODERS.tables.find(({ name }) => name === table)!.rows;
  const lists = (lengths: readonly number[], rows: number): Column => {
    const offsets = new Int32Array(lengths.length + 1);
    lengths.forEach((length, index) => (offsets[index + 1] = offsets[index]! + length));
    return { kind: 'ids', offsets, values: Int32Array.from({ length: offsets.at(-1)! }, () => below(rows)) };
  };
  const draw = (side: 'request' | 'candidate', count: number): Map<string, Column> =>
    new Map(
      SMALL_ENCODERS.columns.filter((column) => column.side === side).map((column): [string, Column] => {
        switch (column.kind) {
          case 'id':
            return [column.name, { kind: 'id', values: Int32Array.from({ length: count }, () => below(rowsOf(column.table))) }];
          case 'ids':
            return [column.name, lists(side === 'request' ? histories : Array.from({ length: count }, () => below(4)), rowsOf(column.table))];
          case 'number':
            return [column.name, { kind: 'number', values: Float32Array.from({ length: count }, () => (below(5) === 0 ? NaN : below(100) / 50 - 1)) }];
          case 'vector':
            return [column.name, { kind: 'vector', size: column.size, values: Float32Array.from({ length: count * column.size }, () => below(100) / 50 - 1) }];
        }
      }),
    );
  const candidateCount = rowToRequest.length;
  const surfaceCandidates = new Int32Array(SMALL_SURFACES.length);
  for (const request of rowToRequest) surfaceCandidates[surfaces[request]!] = surfaceCandidates[surfaces[request]!]! + 1;
  return {
    requestCount,
    candidateCount,
    rowToRequest,
    surfaceCandidates,
    surfaces,
    viewTypes: Int32Array.from(surfaces, (surface) => (surface === 0 ? 1 + below(2) : surface + 2)),
    requestColumns: draw('request', requestCount),
    candidateColumns: draw('candidate', candidateCount),
    labels: [0, 1].map(() => Float32Array.from({ length: candidateCount }, () => (below(8) === 0 ? NaN : below(2)))),
    weights: new Float32Array(candidateCount).fill(1),
    requestIndex: Int32Array.from({ length: requestCount }, (_, request) => request),
  };
};
