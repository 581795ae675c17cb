/** Golden requests as named tensors of the Open Inference Protocol, written by code of its own. */
import type { RawInput } from '../../src/serve/raw-request.js';
import { valueOf, type GoldenRequest } from './served-shop.js';

/** A tensor before it is JSON or bytes; null where a value is missing. */
export interface GivenTensor {
  readonly name: string;
  readonly datatype: 'BYTES' | 'FP64' | 'FP32' | 'INT64' | 'INT32' | 'BOOL';
  readonly shape: readonly number[];
  /** Flat, row-major. */
  readonly data: readonly (string | number | boolean | null)[];
}

type Value = string | number | null;

const tensorsOf = (input: RawInput, rows: readonly unknown[], hasNulls: boolean): readonly GivenTensor[] => {
  const isText = input.type === 'text';
  const { name, form } = input;
  const named = (data: readonly unknown[], shape: readonly number[]): GivenTensor => {
    const values = data as readonly Value[];
    return isText ? { name, datatype: 'BYTES', shape, data: values.map((value) => (value === null ? null : String(value))) } : { name, datatype: name.endsWith('@time') ? 'INT64' : 'FP64', shape, data: values };
  };
  const lengths = (of: readonly number[]): GivenTensor => ({ name: `${name}.lengths`, datatype: 'INT32', shape: [of.length], data: of });
  if (form === 'scalar') {
    // Bytes have no null: a text is missing where it has no element.
    const present = rows.filter((value) => value !== null);
    if ((!isText && hasNulls) || present.length === rows.length) return [named(rows, [rows.length])];
    return [named(present, [present.length]), lengths(rows.map((value) => (value === null ? 0 : 1)))];
  }
  const lists = rows as readonly (readonly unknown[])[];
  const elements = lists.flat();
  // Nor have bytes a null within a list.
  const valid: readonly GivenTensor[] = hasNulls || !isText || !elements.includes(null) ? [] : [{ name: `${name}.valid`, datatype: 'BOOL', shape: [elements.length], data: elements.map((element) => element !== null) }];
  if (form === 'list' || (!hasNulls && lists.some((list) => list.length === 0))) return [named(elements, [elements.length]), lengths(lists.map((list) => list.length)), ...valid];
  return [named(lists.flatMap((list) => (list.length === 0 ? new Array<null>(form.vector).fill(null) : list)), [rows.length, form.vector])];
};

/**
 * Requests of one surface as one call.
 *
 * @param hasNulls numbers may be null; else they are missing as texts are
 */
export const callTensors = (requests: readonly GoldenRequest[], inputs: readonly RawInput[], hasNulls = true): readonly GivenTensor[] => {
  const { columns } = requests[0]!.rows;
  const tensors = inputs.flatMap((input) => {
    const column = columns.get(input.name)!;
    const rows = requests.flatMap(({ from, to }) => (input.side === 'request' ? [from] : Array.from({ length: to - from }, (_, k) => from + k)));
    return tensorsOf(input, rows.map((row) => valueOf(column, row)), hasNulls);
  });
  const perRequest = (name: string, datatype: GivenTensor['datatype'], data: GivenTensor['data']): GivenTensor => ({ name, datatype, shape: [requests.length], data });
  const owners = requests.flatMap(({ from, to }, index) => new Array<number>(to - from).fill(index));
  return [
    ...tensors,
    perRequest('@view_type', 'BYTES', requests.map(({ viewType }) => viewType)),
    perRequest('@time', 'INT64', requests.map(({ time }) => time)),
    ...(requests.length === 1 ? [] : [{ name: 'row_to_request', datatype: 'INT32' as const, shape: [owners.length], data: owners }]),
  ];
};

const numberBytes = (datatype: Exclude<GivenTensor['datatype'], 'BYTES'>, value: number): Buffer => {
  const bytes = Buffer.alloc(8);
  switch (datatype) {
    case 'FP64':
      bytes.writeDoubleLE(value);
      return bytes;
    case 'FP32':
      bytes.writeFloatLE(value);
      return bytes.subarray(0, 4);
    case 'INT64':
      bytes.writeBigInt64LE(BigInt(value));
      return bytes;
    case 'INT32':
      bytes.writeInt32LE(value);
      return bytes.subarray(0, 4);
    case 'BOOL':
      return Buffer.of(value === 0 ? 0 : 1);
  }
};

/** A tensor's bytes as the binary extension and gRPC have them. */
export const tensorBytes = ({ datatype, data }: GivenTensor): Buffer =>
  Buffer.concat(
    data.map((value) => {
      if (datatype !== 'BYTES') return numberBytes(datatype, value === null ? NaN : Number(value));
      const text = Buffer.from(value === null ? '' : String(value));
      const length = Buffer.alloc(4);
      length.writeUInt32LE(text.length);
      return Buffer.concat([length, text]);
    }),
  );

/** A body of the binary extension, and the value of its header. */
export const binaryBody = (tensors: readonly GivenTensor[], message: Readonly<Record<string, unknown>> = {}): { readonly payload: Buffer; readonly headers: Readonly<Record<string, string>> } => {
  const bytes = tensors.map(tensorBytes);
  const inputs = tensors.map(({ name, datatype, shape }, index) => ({ name, datatype, shape, parameters: { binary_data_size: bytes[index]!.length } }));
  const json = Buffer.from(JSON.stringify({ ...message, inputs }));
  return { payload: Buffer.concat([json, ...bytes]), headers: { 'content-type': 'application/octet-stream', 'inference-header-content-length': String(json.length) } };
};
