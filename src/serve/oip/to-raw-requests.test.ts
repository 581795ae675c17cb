import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { INPUT } from '../../../test/support/search-surface.js';
import type { RawColumn } from '../../data/raw-column.js';
import type { RawInput, RawRequest, ServedSurface } from '../raw-request.js';
import type { InferCall } from './infer-call.js';
import { decodeJson } from './rest-tensors.js';
import { countElements, type Datatype, type InputTensor } from './tensors.js';
import { toRawRequests } from './to-raw-requests.js';

const INPUTS: readonly RawInput[] = [
  INPUT.age,
  { name: 'seen.item', side: 'request', type: 'text', form: 'list', sequence: 'seen' },
  { name: 'seen.@time', side: 'request', type: 'number', form: 'list', sequence: 'seen' },
  INPUT.price,
  INPUT.brand,
  INPUT.tags,
  INPUT.shape,
];

const SURFACE: ServedSurface = { surface: 'feed', version: '1', digest: '', isCurrent: true, tasks: ['click', 'save'], viewTypes: [], inputs: INPUTS };

const tensor = (name: string, datatype: Datatype, shape: readonly number[], data: readonly unknown[]): InputTensor => {
  const path = `inputs[${name}]`;
  return { name, datatype, shape, path, values: decodeJson(datatype, data, shape, countElements(shape, path), path) };
};

const convert = (inputs: readonly InputTensor[], call: Partial<InferCall> = {}): readonly RawRequest[] => toRawRequests({ model: 'feed', inputs, outputs: [], ...call }, SURFACE, { maxCandidates: 100 }, {});

const values = (column: RawColumn, row: number): unknown => {
  if (column.type === 'string') return column.values[row];
  if (!column.valid(row)) return null;
  if (column.type === 'number') return column.values[row];
  return Array.from({ length: column.offsets[row + 1]! - column.offsets[row]! }, (_, k) => values(column.child, column.offsets[row]! + k));
};

/** What a request says, as plain values. */
const said = ({ requestColumns, candidateColumns, candidateCount, viewType, userId, time, itemIds }: RawRequest): unknown => ({
  request: Object.fromEntries([...requestColumns].map(([name, column]) => [name, values(column, 0)])),
  candidates: Array.from({ length: candidateCount }, (_, row) => Object.fromEntries([...candidateColumns].map(([name, column]) => [name, values(column, row)]))),
  ...{ viewType, userId, time, itemIds },
});

interface Candidate {
  readonly price: number | null;
  readonly brand: string | null;
  readonly tags: readonly string[];
  readonly shape: readonly [number, number] | null;
}
interface Given {
  readonly age: number | null;
  readonly seen: readonly { readonly item: string; readonly time: number }[];
  readonly viewType: string;
  readonly userId: string;
  readonly time: number;
  readonly candidates: readonly Candidate[];
}

const price = fc.option(fc.integer({ min: 0, max: 99 }));
const candidate: fc.Arbitrary<Candidate> = fc.record({ price, brand: fc.option(fc.string()), tags: fc.array(fc.string(), { maxLength: 3 }), shape: fc.option(fc.tuple(fc.nat(9), fc.nat(9))) });
const given: fc.Arbitrary<Given> = fc.record({
  age: price,
  seen: fc.array(fc.record({ item: fc.string(), time: fc.nat() }), { maxLength: 4 }),
  viewType: fc.string(),
  userId: fc.string(),
  time: fc.nat(),
  candidates: fc.array(candidate, { maxLength: 4 }),
});

const present = (name: string, datatype: Datatype, rows: readonly unknown[]): readonly InputTensor[] => {
  const there = rows.filter((value) => value !== null);
  return [tensor(name, datatype, [there.length], there), tensor(`${name}.lengths`, 'INT32', [rows.length], rows.map((value) => (value === null ? 0 : 1)))];
};

const ragged = (name: string, datatype: Datatype, rows: readonly (readonly unknown[])[], lengths = `${name}.lengths`): readonly InputTensor[] => [
  tensor(name, datatype, [rows.flat().length], rows.flat()),
  ...(lengths === '' ? [] : [tensor(lengths, 'INT64', [rows.length], rows.map((row) => row.length))]),
];

/** One call of several requests: nulls either as such or by lengths. */
const callOf = (requests: readonly Given[], byLengths: boolean): readonly InputTensor[] => {
  const candidates = requests.flatMap((request) => request.candidates);
  const scalar = (name: string, datatype: Datatype, rows: readonly unknown[]): readonly InputTensor[] => (byLengths ? present(name, datatype, rows) : [tensor(name, datatype, [rows.length], rows)]);
  return [
    tensor('row_to_request', 'INT32', [candidates.length], requests.flatMap((request, index) => request.candidates.map(() => index))),
    tensor('@view_type', 'BYTES', [requests.length], requests.map(({ viewType }) => viewType)),
    tensor('@user_id', 'BYTES', [requests.length, 1], requests.map(({ userId }) => userId)),
    tensor('@time', 'INT64', [requests.length], requests.map(({ time }) => time)),
    tensor('@item_id', 'INT32', [candidates.length], candidates.map((_, row) => row)),
    ...scalar('age', 'FP64', requests.map(({ age }) => age)),
    ...ragged('seen.item', 'BYTES', requests.map(({ seen }) => seen.map(({ item }) => item)), byLengths ? 'seen.lengths' : 'seen.item.lengths'),
    ...ragged('seen.@time', 'INT64', requests.map(({ seen }) => seen.map(({ time }) => time)), byLengths ? '' : 'seen.@time.lengths'),
    ...scalar('price', 'FP32', candidates.map((one) => one.price)),
    ...scalar('brand', 'BYTES', candidates.map(({ brand }) => brand)),
    ...ragged('tags', 'BYTES', candidates.map(({ tags }) => tags)),
    ...ragged('shape', 'FP64', candidates.map(({ shape }) => shape ?? [])),
  ];
};

describe('a call of several requests', () => {
  it('is the requests it was made of, whichever way missing values are said', () => {
    fc.assert(
      fc.property(fc.array(given, { minLength: 1, maxLength: 4 }), fc.boolean(), (requests, byLengths) => {
        let row = 0;
        const expected = requests.map(({ age, seen, viewType, userId, time, candidates }) => ({
          request: { age, 'seen.item': seen.map(({ item }) => item), 'seen.@time': seen.map((event) => event.time) },
          candidates: candidates.map(({ price: cost, brand, tags, shape }) => ({ price: cost, brand, tags, shape })),
          ...{ viewType, userId, time },
          itemIds: candidates.map(() => String(row++)),
        }));
        expect(convert(callOf(requests, byLengths)).map(said)).toEqual(expected);
      }),
    );
  });
});

it('a call of many requests has one list of what this version does not read, not one for each', () => {
  const names = Array.from({ length: 1000 }, (_, index) => `x${index}`);
  const requests = convert([tensor('row_to_request', 'INT32', [1], [99]), ...names.map((name) => tensor(name, 'INT8', [0], []))]);
  expect(requests).toHaveLength(100);
  expect(requests[0]!.unread).toEqual(names);
  for (const { unread, requestColumns, candidateColumns } of requests) expect([unread === requests[0]!.unread, requestColumns.size, candidateColumns.size]).toEqual([true, 0, 0]);
});

it('a call of more requests than may wait is refused before they are made', () => {
  const inputs = [tensor('row_to_request', 'INT32', [1], [3])];
  const made = (maxQueue: number): number => toRawRequests({ model: 'feed', inputs, outputs: [] }, SURFACE, { maxCandidates: 100, maxQueue }, {}).length;
  expect(made(4)).toBe(4);
  expect(() => made(3)).toThrow(expect.objectContaining({ code: 'too_large', message: 'the call has 4 requests', expected: 'at most 3: --max-queue of the server' }) as Error);
});

describe('a call of one request', () => {
  const one = [tensor('brand', 'BYTES', [2], ['a', 'b'])];

  it('takes a list without the dimension of requests', () => {
    const wanted = { 'seen.item': ['x', 'y'] };
    expect(said(convert([...one, tensor('seen.item', 'BYTES', [1, 2], ['x', 'y'])])[0]!)).toMatchObject({ request: wanted });
    expect(said(convert([...one, tensor('seen.item', 'BYTES', [2], ['x', 'y'])])[0]!)).toMatchObject({ request: wanted });
  });

  it('has the time of its arrival, the id of the call and every task where it names none', () => {
    const before = Date.now();
    const [request] = convert(one, { id: 'i7' });
    expect(request!.time).toBeGreaterThanOrEqual(before);
    expect(request!.time).toBeLessThanOrEqual(Date.now());
    expect(request).toMatchObject({ surface: 'feed', requestId: 'i7', candidateCount: 2 });
    for (const absent of ['version', 'viewType', 'userId', 'itemIds', 'tasks', 'deadline', 'signal']) expect(request).not.toHaveProperty(absent);
  });

  it('counts its candidates by ids alone', () => {
    expect(convert([tensor('@item_id', 'BYTES', [3], ['a', 'b', 'c'])])[0]).toMatchObject({ candidateCount: 3, itemIds: ['a', 'b', 'c'] });
  });

  it('keeps of what this version does not read the names alone', () => {
    const [request] = convert([
      ...one,
      tensor('colour', 'BYTES', [2], ['red', 'blue']),
      tensor('device', 'BYTES', [1], ['phone']),
      tensor('words', 'BYTES', [3], ['a', 'b', 'c']),
      tensor('words.lengths', 'INT32', [2], [1, 2]),
      tensor('cube', 'FP32', [3, 1, 1], [1, 2, 3]),
    ]);
    expect(said(request!)).toMatchObject({ request: {}, candidates: [{ brand: 'a' }, { brand: 'b' }] });
    expect(request!.unread).toEqual(['colour', 'device', 'words', 'cube']);
  });

  it.each<readonly [string, InputTensor, string]>([
    ['a vector of another size', tensor('shape', 'FP32', [2, 3], [1, 2, 3, 4, 5, 6]), 'inputs[shape].shape'],
    ['a list of the candidates without their dimension', tensor('tags', 'BYTES', [2], ['a', 'b']), 'inputs[tags].shape'],
    ['several ages', tensor('age', 'FP32', [2], [1, 2]), 'inputs[age].shape'],
    ['a time that is no whole number', tensor('@time', 'FP64', [1], [0.5]), 'inputs[@time]'],
    ['a time that is missing', tensor('@time', 'INT64', [1], [null]), 'inputs[@time]'],
    ['several view types', tensor('@view_type', 'BYTES', [2], ['a', 'b']), 'inputs[@view_type].shape'],
  ])('with %s is refused', (_, input, path) => {
    expect(() => convert([...one, input])).toThrow(expect.objectContaining({ code: 'invalid', path }) as Error);
  });
});
