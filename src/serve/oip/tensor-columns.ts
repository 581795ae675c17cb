/** Tensors as raw columns: shapes become rows, and lists of any length come with a tensor of their lengths. */
import type { RawColumn, RawLists } from '../../data/raw-column.js';
import { canonicalText } from '../../data/table-rows.js';
import type { RawInput } from '../raw-request.js';
import { RequestError } from '../request-error.js';
import type { InputTensor, TensorValues } from './tensors.js';

const always = (): boolean => true;

const shapeError = ({ name, shape, path }: InputTensor, expected: string): RequestError =>
  new RequestError('invalid', `input "${name}" has shape [${shape.join(', ')}]`, { path: `${path}.shape`, expected });

/**
 * A tensor's whole numbers.
 *
 * @throws RequestError `invalid`
 */
export const wholeNumbers = ({ name, values, path }: InputTensor): Float64Array => {
  if (values.type !== 'number') throw new RequestError('invalid', `input "${name}" does not hold numbers`, { path, expected: 'whole numbers from 0 on, of INT32 or INT64' });
  const whole = new Float64Array(values.values.length);
  for (let at = 0; at < whole.length; at += 1) {
    const value = values.values[at]!;
    if (!values.valid(at) || !Number.isSafeInteger(value) || value < 0) {
      throw new RequestError('invalid', `element ${at} of input "${name}" is ${values.valid(at) ? String(value) : 'missing'}`, { path, expected: 'whole numbers from 0 on' });
    }
    whole[at] = value;
  }
  return whole;
};

/** Texts of a scalar tensor: ids as training writes them, 5 is "5". */
export const textsOf = ({ values }: InputTensor): readonly (string | null)[] => {
  if (values.type === 'string') return values.values;
  return Array.from(values.values, (value, row) => (values.valid(row) ? canonicalText(value) : null));
};

/** Booleans as training writes them where a text is wanted; numbers are left to the encoder, which knows their text. */
const asText = ({ datatype, values }: InputTensor): TensorValues =>
  datatype === 'BOOL' && values.type === 'number' ? { type: 'string', values: Array.from(values.values, (value, row) => (values.valid(row) ? String(value === 1) : null)) } : values;

const typed = (tensor: InputTensor, type: RawInput['type']): TensorValues => {
  if (type === 'text') return asText(tensor);
  if (tensor.datatype !== 'BYTES') return tensor.values;
  throw new RequestError('invalid', `input "${tensor.name}" has datatype BYTES`, { path: tensor.path, expected: 'numbers: FP64, FP32, BOOL, or an integer datatype' });
};

const fitsScalar = ({ shape }: InputTensor, rows: number): boolean =>
  (shape.length === 0 && rows === 1) || (shape[0] === rows && (shape.length === 1 || (shape.length === 2 && shape[1] === 1)));

/** @throws RequestError `invalid` unless the tensor is `[rows]` or `[rows, 1]`, or `[]` where there is one row */
export const checkScalar = (tensor: InputTensor, rows: number): void => {
  if (!fitsScalar(tensor, rows)) throw shapeError(tensor, `[${rows}]`);
};

/** Values of the rows that have one, missing ones on the others. */
const spread = (values: TensorValues, { offsets }: RawLists): TensorValues => {
  const rows = offsets.length - 1;
  const place = (row: number): number => (offsets[row + 1]! > offsets[row]! ? offsets[row]! : -1);
  if (values.type === 'string') return { type: 'string', values: Array.from({ length: rows }, (_, row) => values.values[place(row)] ?? null) };
  const spreadOut = new Float64Array(rows);
  for (let row = 0; row < rows; row += 1) spreadOut[row] = values.values[place(row)] ?? NaN;
  return { type: 'number', values: spreadOut, valid: (row) => place(row) >= 0 && values.valid(place(row)) };
};

/**
 * A scalar a row.
 *
 * @param lengths 1 where a row has a value and 0 where it is missing; the values are flat then
 * @throws RequestError `invalid`
 */
export const scalarColumn = (tensor: InputTensor, lengths: InputTensor | undefined, rows: number, type: RawInput['type']): RawColumn => {
  const values = typed(tensor, type);
  if (lengths !== undefined) {
    const lists = raggedColumn(tensor, lengths, rows, values);
    const several = lists.offsets.findIndex((offset, row) => row > 0 && offset - lists.offsets[row - 1]! > 1);
    if (several > 0) throw new RequestError('invalid', `element ${several - 1} of input "${lengths.name}" is more than 1`, { path: lengths.path, expected: `0 or 1, as "${tensor.name}" has one value a row` });
    return spread(values, lists);
  }
  checkScalar(tensor, rows);
  return values;
};

const fitsList = ({ shape }: InputTensor, rows: number, isBare: boolean): boolean => (shape.length === 2 && shape[0] === rows) || (shape.length === 1 && isBare && rows === 1);

const evenLists = (child: RawColumn, rows: number, length: number): RawLists => {
  const offsets = new Int32Array(rows + 1);
  for (let row = 1; row <= rows; row += 1) offsets[row] = row * length;
  return { type: 'list', offsets, valid: always, child };
};

/**
 * A list a row.
 *
 * @param lengths tensor of how many elements each row has; the values are flat then
 * @param isBare one list may come as `[length]`
 * @throws RequestError `invalid` unless the tensor is `[rows, length]`, or flat with lengths that add up to it
 */
export const listColumn = (tensor: InputTensor, lengths: InputTensor | undefined, rows: number, { type, form }: Pick<RawInput, 'type' | 'form'>, isBare: boolean): RawColumn => {
  const { shape } = tensor;
  const values = typed(tensor, type);
  const size = typeof form === 'object' ? form.vector : undefined;
  if (lengths !== undefined) {
    const lists = raggedColumn(tensor, lengths, rows, values);
    // A list may be empty, a vector is there or is not.
    return size === undefined ? lists : { ...lists, valid: (row) => lists.offsets[row + 1]! > lists.offsets[row]! };
  }
  const length = shape.at(-1);
  if (!fitsList(tensor, rows, isBare) || (size !== undefined && length !== size)) {
    throw shapeError(tensor, size === undefined ? `[${rows}, length], or flat with an input "${tensor.name}.lengths"` : `[${rows}, ${size}]`);
  }
  return evenLists(values, rows, length!);
};

const raggedColumn = (tensor: InputTensor, lengths: InputTensor, rows: number, child: TensorValues): RawLists => {
  if (tensor.shape.length !== 1) throw shapeError(tensor, `one dimension, as "${lengths.name}" is given`);
  const each = wholeNumbers(lengths);
  if (each.length !== rows) throw shapeError(lengths, `[${rows}]`);
  const offsets = new Int32Array(rows + 1);
  const total = tensor.shape[0]!;
  let at = 0;
  for (let row = 0; row < rows; row += 1) {
    at += each[row]!;
    if (at > total) break;
    offsets[row + 1] = at;
  }
  if (at !== total) throw new RequestError('invalid', `input "${lengths.name}" does not add up to the ${total} elements of "${tensor.name}"`, { path: lengths.path, expected: `lengths with a sum of ${total}` });
  return { type: 'list', offsets, valid: always, child };
};

/** Rows `from` to before `to` of a column of `rows` rows, as a column of their own. */
export const sliceRows = (column: RawColumn, from: number, to: number, rows: number): RawColumn => {
  if (from === 0 && to === rows) return column;
  switch (column.type) {
    case 'string':
      return { type: 'string', values: column.values.slice(from, to) };
    case 'number':
      return { type: 'number', values: column.values.subarray(from, to), valid: (row) => column.valid(from + row) };
    case 'list': {
      const { child } = column;
      const [first, end] = [column.offsets[from]!, column.offsets[to]!];
      const offsets = column.offsets.slice(from, to + 1);
      for (let row = 0; row < offsets.length; row += 1) offsets[row]! -= first;
      const elements = child.type === 'list' ? child.offsets.length - 1 : child.values.length;
      return { type: 'list', offsets, valid: (row) => column.valid(from + row), child: sliceRows(child, first, end, elements) };
    }
  }
};
