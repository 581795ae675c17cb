import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { RequestError } from '../request-error.js';
import { decodeJson } from './rest-tensors.js';
import { DATATYPES, decodeRaw, encodeFp32, type Datatype, type TensorValues } from './tensors.js';

type Write = (view: DataView, value: number | bigint) => void;

/** Bytes of an element, how it is written, and values that it can have. */
const NUMBERS: Readonly<Record<Exclude<Datatype, 'BYTES'>, readonly [number, Write, fc.Arbitrary<number | bigint>]>> = {
  BOOL: [1, (view, value) => { view.setUint8(0, Number(value)); }, fc.nat(1)],
  UINT8: [1, (view, value) => { view.setUint8(0, Number(value)); }, fc.nat(255)],
  UINT16: [2, (view, value) => { view.setUint16(0, Number(value), true); }, fc.nat(65_535)],
  UINT32: [4, (view, value) => { view.setUint32(0, Number(value), true); }, fc.nat(4_294_967_295)],
  UINT64: [8, (view, value) => { view.setBigUint64(0, BigInt(value), true); }, fc.bigInt({ min: 0n, max: 2n ** 64n - 1n })],
  INT8: [1, (view, value) => { view.setInt8(0, Number(value)); }, fc.integer({ min: -128, max: 127 })],
  INT16: [2, (view, value) => { view.setInt16(0, Number(value), true); }, fc.integer({ min: -32_768, max: 32_767 })],
  INT32: [4, (view, value) => { view.setInt32(0, Number(value), true); }, fc.integer()],
  INT64: [8, (view, value) => { view.setBigInt64(0, BigInt(value), true); }, fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n })],
  FP32: [4, (view, value) => { view.setFloat32(0, Number(value), true); }, fc.float({ noDefaultInfinity: true })],
  FP64: [8, (view, value) => { view.setFloat64(0, Number(value), true); }, fc.double({ noDefaultInfinity: true })],
};

const numberTypes = Object.keys(NUMBERS) as Exclude<Datatype, 'BYTES'>[];

/** Bytes at an odd place of a larger buffer, as they are in a body. */
const placed = (parts: readonly Uint8Array[], shift: number): Uint8Array => Buffer.concat([Buffer.alloc(shift), ...parts]).subarray(shift);

const numberBytes = (datatype: Exclude<Datatype, 'BYTES'>, values: readonly (number | bigint)[], shift: number): Uint8Array => {
  const [width, write] = NUMBERS[datatype];
  const parts = values.map((value) => {
    const bytes = new Uint8Array(width);
    write(new DataView(bytes.buffer), value);
    return bytes;
  });
  return placed(parts, shift);
};

const textBytes = (values: readonly string[], shift: number): Uint8Array =>
  placed(
    values.flatMap((value) => {
      const text = new TextEncoder().encode(value);
      const length = new Uint8Array(4);
      new DataView(length.buffer).setUint32(0, text.length, true);
      return [length, text];
    }),
    shift,
  );

/** Elements as they were given; null where one is missing. */
const elements = (values: TensorValues): readonly (string | number | null)[] =>
  values.type === 'string' ? values.values : Array.from(values.values, (value, row) => (values.valid(row) ? value : null));

const expectRequestError = (work: () => unknown): void => {
  try {
    work();
  } catch (error) {
    expect(error).toBeInstanceOf(RequestError);
    expect((error as RequestError).path).toMatch(/^inputs\[0\]/);
  }
};

const graphemes = fc.string({ unit: 'grapheme', maxLength: 60 });

describe('raw bytes', () => {
  it.each(numberTypes)('of %s hold the numbers they were made of', (datatype) => {
    fc.assert(
      fc.property(fc.array(NUMBERS[datatype][2], { maxLength: 20 }), fc.nat(9), (given, shift) => {
        const decoded = decodeRaw(datatype, numberBytes(datatype, given, shift), given.length, 'inputs[0]');
        const isExact = given.every((value) => typeof value === 'number' || Number.isSafeInteger(Number(value)));
        expect(decoded.type).toBe(isExact ? 'number' : 'string');
        // Zeros have no sign here: training knows none.
        const expected = given.map((value) => (typeof value === 'bigint' && !isExact ? String(value) : Number.isNaN(value) ? null : Number(value)));
        expect(elements(decoded).map((value) => (value === 0 ? 0 : value))).toEqual(expected.map((value) => (value === 0 ? 0 : value)));
      }),
    );
  });

  it('of texts hold the texts they were made of', () => {
    fc.assert(
      fc.property(fc.array(fc.oneof(graphemes, fc.constantFrom('', '\uFEFFx', 'é', '\u0000')), { maxLength: 20 }), fc.nat(9), (given, shift) => {
        expect(decodeRaw('BYTES', textBytes(given, shift), given.length, 'inputs[0]')).toEqual({ type: 'string', values: given });
      }),
    );
  });

  it('are refused unless they are those of so many elements', () => {
    for (const datatype of numberTypes) expect(() => decodeRaw(datatype, new Uint8Array(NUMBERS[datatype][0] * 2 + 1), 2, 'inputs[0]')).toThrow(RequestError);
    expect(() => decodeRaw('BYTES', textBytes(['a', 'b'], 0), 1, 'inputs[0]')).toThrow('5 bytes follow the last element');
    expect(() => decodeRaw('BYTES', textBytes(['a', 'b'], 0), 3, 'inputs[0]')).toThrow('element 2 ends after');
    expect(() => decodeRaw('BYTES', textBytes(['a', 'b'], 0).subarray(0, -1), 2, 'inputs[0]')).toThrow('element 1 ends after');
    expect(() => decodeRaw('BYTES', new Uint8Array(8), 1e15, 'inputs[0]')).toThrow('element 2 ends after');
    expect(() => decodeRaw('BOOL', Uint8Array.of(0, 2), 2, 'inputs[0]')).toThrow('element 1 is 2');
    expect(() => decodeRaw('FP32', encodeFp32(Float32Array.of(1, -Infinity)), 2, 'inputs[0]')).toThrow('element 1 is infinite');
  });

  it('of any kind are values or a request error', () => {
    fc.assert(
      fc.property(fc.constantFrom(...DATATYPES), fc.uint8Array({ maxLength: 64 }), fc.nat(20), (datatype, bytes, count) => {
        expectRequestError(() => expect(decodeRaw(datatype, bytes, count, 'inputs[0]').values.length).toBe(count));
      }),
      { numRuns: 2000 },
    );
  });

  it('of what is answered are little-endian floats', () => {
    expect([...encodeFp32(Float32Array.of(7, 1, -2).subarray(1))]).toEqual([0, 0, 0x80, 0x3f, 0, 0, 0, 0xc0]);
  });
});

describe('JSON data', () => {
  const decode = (datatype: Datatype, data: unknown, shape: readonly number[]): TensorValues => decodeJson(datatype, data, shape, shape.reduce((product, size) => product * size, 1), 'inputs[0]');

  it.each(numberTypes)('of %s are what the same bytes are', (datatype) => {
    const arbitrary = NUMBERS[datatype][2].filter((value) => !Number.isNaN(value) && (typeof value === 'number' || Number.isSafeInteger(Number(value)))).map(Number);
    fc.assert(
      fc.property(fc.array(arbitrary, { maxLength: 20 }), (given) => {
        expect(elements(decode(datatype, given, [given.length]))).toEqual(elements(decodeRaw(datatype, numberBytes(datatype, given, 0), given.length, 'inputs[0]')));
      }),
    );
  });

  it('may be nested as the shape says, with nulls', () => {
    expect(elements(decode('INT32', [[1, null, 3], [4, 5, 6]], [2, 3]))).toEqual([1, null, 3, 4, 5, 6]);
    expect(elements(decode('INT32', [1, null, 3, 4, 5, 6], [2, 3]))).toEqual([1, null, 3, 4, 5, 6]);
    expect(elements(decode('BYTES', [[['a'], [null]]], [1, 2, 1]))).toEqual(['a', null]);
    expect(elements(decode('BOOL', [true, null, 0], [3]))).toEqual([1, null, 0]);
    expect(elements(decode('FP64', [[], []], [2, 0]))).toEqual([]);
  });

  it.each<readonly [Datatype, unknown, readonly number[], string, string]>([
    ['FP32', undefined, [1], 'there is no data', 'inputs[0].data'],
    ['FP32', { 0: 1 }, [1], 'the data are no array', 'inputs[0].data'],
    ['FP32', ['1'], [1], '"1" is no such element', 'inputs[0].data[0]'],
    ['INT64', [2 ** 53], [1], '9007199254740992 is no such element', 'inputs[0].data[0]'],
    ['INT8', [1, 1.5], [2], '1.5 is no such element', 'inputs[0].data[1]'],
    ['FP64', [[1, 2], [3]], [2, 2], 'there are 1 elements', 'inputs[0].data[1]'],
    ['FP64', [[1, 2], 3], [2, 2], '3 is no array', 'inputs[0].data[1]'],
    ['FP64', [[[1]], [[2]]], [2, 1], '[1] is no such element', 'inputs[0].data[0]'],
  ])('of %s that are %j for shape %j are refused', (datatype, data, shape, message, path) => {
    expect(() => decode(datatype, data, shape)).toThrow(expect.objectContaining({ code: 'invalid', message, path }) as Error);
  });

  it('of any kind are values or a request error', () => {
    fc.assert(
      fc.property(fc.constantFrom(...DATATYPES), fc.jsonValue(), fc.array(fc.nat(3), { maxLength: 3 }), (datatype, data, shape) => {
        expectRequestError(() => decode(datatype, data, shape));
      }),
      { numRuns: 2000 },
    );
  });
});
