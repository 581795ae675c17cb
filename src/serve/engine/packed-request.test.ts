import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Column } from '../../data/columns.js';
import { joinRequests, packRequest, unpackRequest, type EncodedRequest, type PackedColumn } from './packed-request.js';

const SPECS: readonly PackedColumn[] = [
  { name: 'user', side: 'request', kind: 'id', size: 1 },
  { name: 'history', side: 'request', kind: 'ids', size: 1 },
  { name: 'age', side: 'request', kind: 'number', size: 1 },
  { name: 'ad', side: 'candidate', kind: 'id', size: 1 },
  { name: 'tags', side: 'candidate', kind: 'ids', size: 1 },
  { name: 'creative', side: 'candidate', kind: 'vector', size: 3 },
];

const lists = (rows: number): fc.Arbitrary<Column> =>
  fc.tuple(fc.array(fc.array(fc.nat(), { maxLength: 5 }), { minLength: rows, maxLength: rows }), fc.nat(3)).map(([values, skipped]): Column => {
    // As a slice of a longer column: its first list does not begin at 0.
    const offsets = new Int32Array(rows + 1).fill(skipped);
    values.forEach((list, row) => (offsets[row + 1] = offsets[row]! + list.length));
    return { kind: 'ids', offsets, values: Int32Array.from([...new Array<number>(skipped).fill(7), ...values.flat()]) };
  });

const ints = (count: number): fc.Arbitrary<Int32Array> => fc.array(fc.nat(), { minLength: count, maxLength: count }).map((values) => Int32Array.from(values));
const floats = (count: number): fc.Arbitrary<Float32Array> => fc.array(fc.float(), { minLength: count, maxLength: count }).map((values) => Float32Array.from(values));

const request: fc.Arbitrary<EncodedRequest> = fc.nat(6).chain((candidateCount) =>
  fc.record({
    candidateCount: fc.constant(candidateCount),
    viewType: fc.nat(5),
    requestColumns: fc.tuple(ints(1), lists(1), floats(1)).map(([user, history, age]) => new Map<string, Column>([['user', { kind: 'id', values: user }], ['history', history], ['age', { kind: 'number', values: age }]])),
    candidateColumns: fc
      .tuple(ints(candidateCount), lists(candidateCount), floats(3 * candidateCount))
      .map(([ad, tags, creative]) => new Map<string, Column>([['ad', { kind: 'id', values: ad }], ['tags', tags], ['creative', { kind: 'vector', size: 3, values: creative }]])),
  }),
);

/** Rows of a column as plain values. */
const rowsOf = (column: Column): readonly (readonly number[])[] => {
  if (column.kind === 'ids') return Array.from({ length: column.offsets.length - 1 }, (_, row) => [...column.values.subarray(column.offsets[row], column.offsets[row + 1])]);
  const size = column.kind === 'vector' ? column.size : 1;
  return Array.from({ length: column.values.length / size }, (_, row) => [...column.values.subarray(row * size, (row + 1) * size)]);
};

const columnOf = ({ requestColumns, candidateColumns }: Pick<EncodedRequest, 'requestColumns' | 'candidateColumns'>, { name, side }: PackedColumn): Column =>
  (side === 'request' ? requestColumns : candidateColumns).get(name)!;

describe('packed requests', () => {
  it('hold every value, alone and joined', () => {
    fc.assert(
      fc.property(fc.array(request, { minLength: 1, maxLength: 4 }), (requests) => {
        const unpacked = requests.map((one) => unpackRequest(SPECS, packRequest(SPECS, one)));
        for (const [index, one] of requests.entries()) {
          expect([unpacked[index]!.candidateCount, unpacked[index]!.viewType]).toEqual([one.candidateCount, one.viewType]);
          SPECS.forEach((spec, place) => expect(rowsOf(unpacked[index]!.columns[place]!)).toEqual(rowsOf(columnOf(one, spec))));
        }
        const joined = joinRequests(SPECS, unpacked);
        for (const spec of SPECS) expect(rowsOf(columnOf(joined, spec))).toEqual(requests.flatMap((one) => rowsOf(columnOf(one, spec))));
      }),
    );
  });

  it('have the words of the request side apart from the candidates', () => {
    fc.assert(
      fc.property(request, request, (one, other) => {
        const words = (of: EncodedRequest): readonly number[] => [...unpackRequest(SPECS, packRequest(SPECS, of)).requestWords];
        expect(words({ ...other, viewType: one.viewType, requestColumns: one.requestColumns })).toEqual(words(one));
      }),
    );
  });

  it('need every column', () => {
    expect(() => packRequest(SPECS, { candidateCount: 0, viewType: 0, requestColumns: new Map(), candidateColumns: new Map() })).toThrow('no column "user"');
  });
});
