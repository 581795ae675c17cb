/** Infer calls and answers over REST: JSON, alone or followed by the bytes of tensors (the binary tensor data extension). */
import { performance } from 'node:perf_hooks';
import { scoresText } from '../json/scores-text.js';
import { RequestError } from '../request-error.js';
import { checkInputs, refuseParameters, type InferAnswer, type InferCall } from './infer-call.js';
import { decodeJson, show } from './rest-tensors.js';
import { countElements, decodeRaw, encodeFp32, readDatatype, type InputTensor } from './tensors.js';

/** Bytes of the JSON, where bytes of tensors follow it. */
export const HEADER_LENGTH = 'inference-header-content-length';

type JsonObject = Readonly<Record<string, unknown>>;

/** A call, and which of its outputs are wanted as bytes. */
export interface RestInfer {
  readonly call: InferCall;
  readonly isBinary: (output: string) => boolean;
}

const utf8 = new TextDecoder('utf-8', { fatal: true });

const objectAt = (value: unknown, path: string): JsonObject => {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as JsonObject;
  throw new RequestError('invalid', 'another value is given', { path, expected: 'an object' });
};

const arrayAt = (value: unknown, path: string): readonly unknown[] => {
  if (Array.isArray(value)) return value as readonly unknown[];
  throw new RequestError('invalid', value === undefined ? 'nothing is given' : 'another value is given', { path, expected: 'an array' });
};

const textAt = (value: unknown, path: string): string => {
  if (typeof value === 'string') return value;
  throw new RequestError('invalid', 'another value is given', { path, expected: 'a string' });
};

const parametersOf = (of: JsonObject, path: string): JsonObject => {
  const parameters = objectAt(of['parameters'] ?? {}, `${path}.parameters`);
  refuseParameters(parameters, path);
  return parameters;
};

/** Parts of a body: its JSON, and the bytes after it. */
const splitBody = (body: Buffer, headerLength: string | undefined): { readonly json: Uint8Array; readonly binary: Buffer } => {
  if (headerLength === undefined) return { json: body, binary: body.subarray(body.length) };
  const length = /^\d{1,15}$/.test(headerLength) ? Number(headerLength) : NaN;
  if (!(length <= body.length)) {
    throw new RequestError('invalid', `the header says that ${headerLength.slice(0, 40)} of ${body.length} bytes are JSON`, { path: 'Inference-Header-Content-Length', expected: 'the number of bytes of the JSON' });
  }
  return { json: body.subarray(0, length), binary: body.subarray(length) };
};

const parse = (bytes: Uint8Array): JsonObject => {
  let value: unknown;
  try {
    value = JSON.parse(utf8.decode(bytes));
  } catch (cause) {
    throw new RequestError('invalid', `the body is no JSON: ${(cause as Error).message}`, { expected: 'an infer request: a JSON object', cause });
  }
  return objectAt(value, 'the body');
};

/** Cuts tensors off the bytes after the JSON, in the order of the inputs. */
class BinaryTensors {
  #rest: Buffer;

  constructor(bytes: Buffer) {
    this.#rest = bytes;
  }

  take(size: unknown, path: string): Uint8Array {
    if (typeof size !== 'number' || !Number.isInteger(size) || size < 0 || size > this.#rest.length) {
      throw new RequestError('invalid', `binary_data_size is ${show(size)}, and ${this.#rest.length} bytes are left`, { path: `${path}.parameters.binary_data_size`, expected: 'the number of bytes of the tensor' });
    }
    const taken = this.#rest.subarray(0, size);
    this.#rest = this.#rest.subarray(size);
    return taken;
  }

  end(): void {
    if (this.#rest.length > 0) throw new RequestError('invalid', `${this.#rest.length} bytes follow the last tensor`, { path: 'inputs', expected: 'a binary_data_size for each tensor whose bytes are in the body' });
  }
}

const readInput = (value: unknown, path: string, binary: BinaryTensors): InputTensor => {
  const input = objectAt(value, path);
  const name = textAt(input['name'], `${path}.name`);
  const datatype = readDatatype(input['datatype'], path);
  const shape = arrayAt(input['shape'], `${path}.shape`) as readonly number[];
  const count = countElements(shape, path);
  const size = parametersOf(input, path)['binary_data_size'];
  const values = size === undefined ? decodeJson(datatype, input['data'], shape, count, path) : decodeRaw(datatype, binary.take(size, path), count, path);
  return { name, datatype, shape, values, path };
};

/** @throws RequestError `invalid` unless the timeout is a number of microseconds; 0 is none */
export const deadlineOf = (timeout: unknown): number | undefined => {
  if (timeout === undefined || timeout === null || timeout === 0) return undefined;
  if (typeof timeout === 'number' && timeout > 0 && Number.isFinite(timeout)) return performance.now() + timeout / 1000;
  throw new RequestError('invalid', 'the timeout is no such number', { path: 'parameters.timeout', expected: 'microseconds' });
};

/**
 * Reads the body of an infer request.
 *
 * @param headerLength value of the header {@link HEADER_LENGTH}
 * @throws RequestError `invalid` naming the field; `too_large`
 */
export const readRestInfer = (body: Buffer, headerLength: string | undefined, model: string, version: string | undefined): RestInfer => {
  const { json, binary } = splitBody(body, headerLength);
  const message = parse(json);
  const parameters = parametersOf(message, 'the body');
  const tensors = new BinaryTensors(binary);
  const given = arrayAt(message['inputs'], 'inputs');
  checkInputs(given.length);
  const inputs = given.map((input, index) => readInput(input, `inputs[${index}]`, tensors));
  tensors.end();
  const byDefault = parameters['binary_data_output'] === true;
  const binaryOf = new Map<string, boolean>();
  for (const [index, value] of arrayAt(message['outputs'] ?? [], 'outputs').entries()) {
    const path = `outputs[${index}]`;
    const output = objectAt(value, path);
    const own = parametersOf(output, path)['binary_data'];
    binaryOf.set(textAt(output['name'], `${path}.name`), typeof own === 'boolean' ? own : byDefault);
  }
  const id = textAt(message['id'] ?? '', 'id');
  const deadline = deadlineOf(parameters['timeout']);
  return {
    call: {
      model,
      inputs,
      outputs: [...binaryOf.keys()],
      ...(version === undefined ? {} : { version }),
      ...(id === '' ? {} : { id }),
      ...(deadline === undefined ? {} : { deadline }),
    },
    isBinary: (output) => binaryOf.get(output) ?? byDefault,
  };
};

/** A body, and how many bytes of it are JSON where others follow. */
export interface RestAnswer {
  readonly body: Buffer | string;
  readonly headerLength: number | undefined;
}

/** Writes an answer: outputs wanted as bytes follow the JSON, in the order it names them. */
export const writeRestAnswer = ({ model, version, id, parameters, outputs }: InferAnswer, isBinary: RestInfer['isBinary']): RestAnswer => {
  const binary = outputs.filter(({ name }) => isBinary(name));
  const head = JSON.stringify({ model_name: model, model_version: version, ...(id === undefined ? {} : { id }), parameters });
  const tensors = outputs.map(({ name, values }) => {
    const described = JSON.stringify({ name, datatype: 'FP32', shape: [values.length], ...(isBinary(name) ? { parameters: { binary_data_size: values.byteLength } } : {}) });
    return isBinary(name) ? described : `${described.slice(0, -1)},"data":${scoresText(values)}}`;
  });
  const json = `${head.slice(0, -1)},"outputs":[${tensors.join(',')}]}`;
  if (binary.length === 0) return { body: json, headerLength: undefined };
  const header = Buffer.from(json);
  return { body: Buffer.concat([header, ...binary.map(({ values }) => encodeFp32(values))]), headerLength: header.length };
};
