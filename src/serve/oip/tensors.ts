/** Tensors of the Open Inference Protocol: their datatypes, and the raw bytes of the binary extension and of gRPC. */
import { fromInt64 } from '../../data/int64.js';
import type { RawNumbers, RawStrings } from '../../data/raw-column.js';
import { RequestError } from '../request-error.js';

/** Datatypes that inputs may have. */
export const DATATYPES = ['BOOL', 'UINT8', 'UINT16', 'UINT32', 'UINT64', 'INT8', 'INT16', 'INT32', 'INT64', 'FP32', 'FP64', 'BYTES'] as const;
export type Datatype = (typeof DATATYPES)[number];
export type IntegerDatatype = Extract<Datatype, `INT${string}` | `UINT${string}`>;

/** Values of a tensor, flat in row-major order. Integers beyond ±2^53 arrive as text, as raw columns have them. */
export type TensorValues = RawNumbers | RawStrings;

/** An input of an infer call, its values checked against shape and datatype. */
export interface InputTensor {
  readonly name: string;
  readonly datatype: Datatype;
  readonly shape: readonly number[];
  readonly values: TensorValues;
  /** Of the input in its message, e.g. `inputs[3]`. */
  readonly path: string;
}

/** Bytes of an element; of BYTES, those of its length. */
const WIDTHS: Readonly<Record<Datatype, number>> = { BOOL: 1, UINT8: 1, UINT16: 2, UINT32: 4, UINT64: 8, INT8: 1, INT16: 2, INT32: 4, INT64: 8, FP32: 4, FP64: 8, BYTES: 4 };

/** No input has more than two; what is nested deeper is not worth following. */
const MOST_DIMENSIONS = 8;

const isDatatype = (text: unknown): text is Datatype => (DATATYPES as readonly unknown[]).includes(text);

/** @throws RequestError `invalid` */
export const readDatatype = (text: unknown, path: string): Datatype => {
  if (isDatatype(text)) return text;
  throw new RequestError('invalid', typeof text === 'string' ? `"${text.slice(0, 40)}" is no datatype that inputs can have` : 'the datatype is no string', { path: `${path}.datatype`, expected: `one of ${DATATYPES.join(', ')}` });
};

/**
 * Elements that a shape has.
 *
 * @throws RequestError `invalid` when a dimension is no whole number from 0 on, or there are too many; `too_large`
 */
export const countElements = (shape: readonly number[], path: string): number => {
  if (shape.length > MOST_DIMENSIONS) throw new RequestError('invalid', `the shape has ${shape.length} dimensions`, { path: `${path}.shape`, expected: `at most ${MOST_DIMENSIONS}` });
  let count = 1;
  for (const size of shape) {
    if (!Number.isSafeInteger(size) || size < 0) throw new RequestError('invalid', typeof size === 'number' ? `a dimension is ${size}` : 'a dimension is no number', { path: `${path}.shape`, expected: 'whole numbers from 0 on' });
    count *= size;
  }
  if (!Number.isSafeInteger(count)) throw new RequestError('too_large', 'the shape has too many elements', { path: `${path}.shape` });
  return count;
};

const always = (): boolean => true;

/**
 * Numbers where NaN is a missing one: raw bytes have no other way to say so.
 *
 * @throws RequestError `invalid` at an infinite number
 */
export const missingAtNaN = (values: Float64Array | Float32Array, path: string): RawNumbers => {
  let missing = 0;
  for (let at = 0; at < values.length; at += 1) {
    const value = values[at]!;
    // Both are false for NaN; the second is all that infinite numbers fail.
    if (value !== value) missing += 1;
    else if (value - value !== 0) throw new RequestError('invalid', `element ${at} is infinite`, { path, expected: 'finite numbers, or NaN where one is missing' });
  }
  return { type: 'number', values, valid: missing === 0 ? always : (row) => !Number.isNaN(values[row]!) };
};

const numbers = (values: RawNumbers['values']): RawNumbers => ({ type: 'number', values, valid: always });

const booleans = (bytes: Uint8Array, path: string): RawNumbers => {
  const values = Int32Array.from(bytes);
  const other = values.findIndex((value) => value > 1);
  if (other >= 0) throw new RequestError('invalid', `element ${other} is ${values[other]!}`, { path, expected: 'bytes 0 and 1' });
  return numbers(values);
};

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** @throws RequestError `invalid` when the bytes are no UTF-8 */
export const decodeText = (bytes: Uint8Array, element: number, path: string): string => {
  try {
    return utf8.decode(bytes);
  } catch (cause) {
    throw new RequestError('invalid', `element ${element} is no UTF-8`, { path, expected: 'text in UTF-8', cause });
  }
};

/** Texts, each after its length in 4 bytes. */
const texts = (bytes: Uint8Array, count: number, path: string): RawStrings => {
  const torn = (element: number): RequestError =>
    new RequestError('invalid', `element ${element} ends after the tensor's ${bytes.length} bytes`, { path, expected: 'each element after its length in 4 bytes, little-endian' });
  // Before anything of that size is made: shapes are cheap to claim.
  if (count > bytes.length / 4) throw torn(Math.floor(bytes.length / 4));
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  // One character a byte: texts are cut out of it, which is far quicker than a decoder's call for each.
  const characters = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('latin1');
  const values = new Array<string | null>(count);
  let at = 0;
  for (let element = 0; element < count; element += 1) {
    if (at + 4 > bytes.length) throw torn(element);
    const start = at + 4;
    const end = start + view.getUint32(at, true);
    if (end > bytes.length) throw torn(element);
    let seen = 0;
    for (let byte = start; byte < end; byte += 1) seen |= bytes[byte]!;
    values[element] = seen < 128 ? characters.slice(start, end) : decodeText(bytes.subarray(start, end), element, path);
    at = end;
  }
  if (at !== bytes.length) throw new RequestError('invalid', `${bytes.length - at} bytes follow the last element`, { path, expected: `${count} elements` });
  return { type: 'string', values };
};

/**
 * Values out of a tensor's raw bytes, little-endian and row-major. Numbers of 4 and 8 bytes stay where they are if they are
 * aligned there.
 *
 * @param count elements that its shape has
 * @throws RequestError `invalid` when the bytes are not those of so many elements
 */
export const decodeRaw = (datatype: Datatype, given: Uint8Array, count: number, path: string): TensorValues => {
  if (datatype === 'BYTES') return texts(given, count, path);
  const width = WIDTHS[datatype];
  if (given.length !== count * width) {
    throw new RequestError('invalid', `${given.length} bytes are given`, { path, expected: `${count * width} bytes: ${count} elements of ${datatype}` });
  }
  const bytes = given.byteOffset % width === 0 ? given : new Uint8Array(given);
  const [buffer, offset] = [bytes.buffer as ArrayBuffer, bytes.byteOffset];
  switch (datatype) {
    case 'FP64':
      return missingAtNaN(new Float64Array(buffer, offset, count), path);
    case 'FP32':
      return missingAtNaN(new Float32Array(buffer, offset, count), path);
    case 'INT64':
      return fromInt64(buffer, offset, count, true, always);
    case 'UINT64':
      return fromInt64(buffer, offset, count, false, always);
    case 'INT32':
      return numbers(new Int32Array(buffer, offset, count));
    case 'UINT32':
      return numbers(Float64Array.from(new Uint32Array(buffer, offset, count)));
    case 'INT16':
      return numbers(Int32Array.from(new Int16Array(buffer, offset, count)));
    case 'UINT16':
      return numbers(Int32Array.from(new Uint16Array(buffer, offset, count)));
    case 'INT8':
      return numbers(Int32Array.from(new Int8Array(buffer, offset, count)));
    case 'UINT8':
      return numbers(Int32Array.from(bytes));
    case 'BOOL':
      return booleans(bytes, path);
  }
};

/** Raw bytes of an FP32 output: a view on it. */
export const encodeFp32 = (values: Float32Array): Uint8Array => new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
