/** Tensors as JSON has them: `data` nested or flat, null where a value is missing. */
import type { RawNumbers } from '../../data/raw-column.js';
import { RequestError } from '../request-error.js';
import { missingAtNaN, type Datatype, type IntegerDatatype, type TensorValues } from './tensors.js';

/** Least and largest integers that JSON may have: beyond ±2^53 it loses digits. */
const INTEGERS: Readonly<Record<IntegerDatatype, readonly [number, number]>> = {
  INT8: [-128, 127],
  INT16: [-32_768, 32_767],
  INT32: [-2_147_483_648, 2_147_483_647],
  INT64: [Number.MIN_SAFE_INTEGER, Number.MAX_SAFE_INTEGER],
  UINT8: [0, 255],
  UINT16: [0, 65_535],
  UINT32: [0, 4_294_967_295],
  UINT64: [0, Number.MAX_SAFE_INTEGER],
};

const outline = (value: unknown): unknown => {
  if (typeof value !== 'object' || value === null) return value;
  return Array.isArray(value) ? [] : {};
};

/** The start of a value. What is in it is outlined: a client may nest deeper than any stack. */
export const show = (value: unknown): string => {
  const text = JSON.stringify(Array.isArray(value) ? value.slice(0, 40).map(outline) : outline(value));
  return text.length > 40 ? `${text.slice(0, 40)}…` : text;
};

/** Elements of arrays nested as the shape says, in row-major order. */
const flatten = (data: readonly unknown[], shape: readonly number[], path: string): readonly unknown[] => {
  const flat: unknown[] = [];
  const walk = (array: unknown, depth: number, at: string): void => {
    const size = shape[depth]!;
    if (!Array.isArray(array) || array.length !== size) {
      throw new RequestError('invalid', Array.isArray(array) ? `there are ${array.length} elements` : `${show(array)} is no array`, { path: at, expected: `an array of ${size}, as the shape says` });
    }
    if (depth === shape.length - 1) for (const element of array as readonly unknown[]) flat.push(element);
    else for (const [index, inner] of (array as readonly unknown[]).entries()) walk(inner, depth + 1, `${at}[${index}]`);
  };
  walk(data, 0, path);
  return flat;
};

const wrong = (value: unknown, at: number, path: string, expected: string): RequestError =>
  new RequestError('invalid', `${show(value)} is no such element`, { path: `${path}[${at}]`, expected });

const texts = (data: readonly unknown[], path: string): TensorValues => {
  for (let at = 0; at < data.length; at += 1) if (typeof data[at] !== 'string' && data[at] !== null) throw wrong(data[at], at, path, 'a string or null');
  return { type: 'string', values: data as readonly (string | null)[] };
};

/** Numbers whose nulls are NaN. */
const floats = (data: readonly unknown[], values: Float64Array | Float32Array, path: string): RawNumbers => {
  for (let at = 0; at < data.length; at += 1) {
    const value = data[at];
    if (typeof value !== 'number' && value !== null) throw wrong(value, at, path, 'a number or null');
    values[at] = value ?? NaN;
  }
  return missingAtNaN(values, path);
};

const integers = (datatype: IntegerDatatype, data: readonly unknown[], path: string): RawNumbers => {
  const [least, largest] = INTEGERS[datatype];
  const values = new Float64Array(data.length);
  for (let at = 0; at < data.length; at += 1) {
    const value = data[at];
    if (value === null) values[at] = NaN;
    else if (typeof value === 'number' && Number.isInteger(value) && value >= least && value <= largest) values[at] = value;
    else throw wrong(value, at, path, `a whole number from ${least} to ${largest}, or null${datatype.endsWith('64') ? '; larger ids as BYTES' : ''}`);
  }
  return missingAtNaN(values, path);
};

const booleans = (data: readonly unknown[], path: string): RawNumbers => {
  const values = new Float64Array(data.length);
  for (let at = 0; at < data.length; at += 1) {
    const value = data[at];
    if (value !== null && typeof value !== 'boolean' && value !== 0 && value !== 1) throw wrong(value, at, path, 'true, false or null');
    values[at] = value === null ? NaN : Number(value);
  }
  return missingAtNaN(values, path);
};

/**
 * Values out of `data`.
 *
 * @param count elements that the shape has
 * @throws RequestError `invalid` naming the element
 */
export const decodeJson = (datatype: Datatype, data: unknown, shape: readonly number[], count: number, tensorPath: string): TensorValues => {
  const path = `${tensorPath}.data`;
  if (!Array.isArray(data)) throw new RequestError('invalid', data === undefined ? 'there is no data' : 'the data are no array', { path, expected: 'an array, flat or nested as the shape says' });
  const flat = shape.length > 1 && Array.isArray(data[0]) ? flatten(data, shape, path) : (data as readonly unknown[]);
  if (flat.length !== count) throw new RequestError('invalid', `there are ${flat.length} elements`, { path, expected: `${count}, as the shape [${shape.join(', ')}] says` });
  switch (datatype) {
    case 'BYTES':
      return texts(flat, path);
    case 'FP64':
      return floats(flat, new Float64Array(count), path);
    case 'FP32':
      return floats(flat, new Float32Array(count), path);
    case 'BOOL':
      return booleans(flat, path);
    case 'INT8':
    case 'INT16':
    case 'INT32':
    case 'INT64':
    case 'UINT8':
    case 'UINT16':
    case 'UINT32':
    case 'UINT64':
      return integers(datatype, flat, path);
  }
};
