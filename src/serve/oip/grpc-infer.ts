/** Infer calls and answers as gRPC messages: tensors as raw bytes, or as the repeated fields of their datatypes. */
import { create } from '@bufbuild/protobuf';
import { RequestError } from '../request-error.js';
import { checkInputs, refuseParameters, type InferAnswer, type InferCall } from './infer-call.js';
import { ModelInferResponseSchema, type InferParameter, type InferTensorContents, type ModelInferRequest, type ModelInferRequest_InferInputTensor, type ModelInferResponse } from './open_inference_pb.js';
import { deadlineOf } from './rest-infer.js';
import { countElements, decodeRaw, decodeText, encodeFp32, missingAtNaN, readDatatype, type Datatype, type InputTensor, type TensorValues } from './tensors.js';

type Parameters = Readonly<Record<string, InferParameter>>;

const always = (): boolean => true;

const timeoutOf = ({ timeout }: Parameters): unknown => {
  const value = timeout?.parameterChoice.value;
  return typeof value === 'bigint' ? Number(value) : value;
};

/** 64-bit integers, as doubles where all of them fit exactly and as text otherwise. */
const integers64 = (given: readonly bigint[]): TensorValues => {
  const values = Float64Array.from(given, Number);
  return values.every(Number.isSafeInteger) ? { type: 'number', values, valid: always } : { type: 'string', values: given.map(String) };
};

const fieldOf = (datatype: Datatype, contents: InferTensorContents): readonly unknown[] => {
  switch (datatype) {
    case 'BOOL':
      return contents.boolContents;
    case 'INT8':
    case 'INT16':
    case 'INT32':
      return contents.intContents;
    case 'UINT8':
    case 'UINT16':
    case 'UINT32':
      return contents.uintContents;
    case 'INT64':
      return contents.int64Contents;
    case 'UINT64':
      return contents.uint64Contents;
    case 'FP32':
      return contents.fp32Contents;
    case 'FP64':
      return contents.fp64Contents;
    case 'BYTES':
      return contents.bytesContents;
  }
};

/** @throws RequestError `invalid` when the field of the datatype has not as many elements as the shape */
const decodeContents = (datatype: Datatype, contents: InferTensorContents | undefined, count: number, path: string): TensorValues => {
  const field = contents === undefined ? [] : fieldOf(datatype, contents);
  if (field.length !== count) throw new RequestError('invalid', `there are ${field.length} elements of ${datatype}`, { path: `${path}.contents`, expected: `${count}, as the shape says` });
  switch (datatype) {
    case 'BYTES':
      return { type: 'string', values: (field as readonly Uint8Array[]).map((bytes, element) => decodeText(bytes, element, path)) };
    case 'INT64':
    case 'UINT64':
      return integers64(field as readonly bigint[]);
    case 'FP32':
      return missingAtNaN(Float32Array.from(field as readonly number[]), path);
    case 'FP64':
    case 'BOOL':
    case 'INT8':
    case 'INT16':
    case 'INT32':
    case 'UINT8':
    case 'UINT16':
    case 'UINT32':
      return missingAtNaN(Float64Array.from(field as readonly (number | boolean)[], Number), path);
  }
};

const readInput = (input: ModelInferRequest_InferInputTensor, raw: Uint8Array | undefined, path: string): InputTensor => {
  refuseParameters(input.parameters, path);
  const { name } = input;
  const datatype = readDatatype(input.datatype, path);
  const shape = input.shape.map(Number);
  const count = countElements(shape, path);
  if (raw !== undefined && input.contents !== undefined) throw new RequestError('invalid', 'contents are given beside raw_input_contents', { path: `${path}.contents`, expected: 'one of them' });
  return { name, datatype, shape, values: raw === undefined ? decodeContents(datatype, input.contents, count, path) : decodeRaw(datatype, raw, count, path), path };
};

/** @throws RequestError `invalid` naming the field; `too_large` */
export const readGrpcInfer = (message: ModelInferRequest): InferCall => {
  const { inputs, rawInputContents, outputs, parameters, modelVersion, id } = message;
  checkInputs(inputs.length);
  const isRaw = rawInputContents.length > 0;
  if (isRaw && rawInputContents.length !== inputs.length) {
    throw new RequestError('invalid', `there are ${rawInputContents.length} raw contents of ${inputs.length} inputs`, { path: 'raw_input_contents', expected: 'one for each input, or none' });
  }
  for (const [index, output] of outputs.entries()) refuseParameters(output.parameters, `outputs[${index}]`);
  const deadline = deadlineOf(timeoutOf(parameters));
  return {
    model: message.modelName,
    inputs: inputs.map((input, index) => readInput(input, rawInputContents[index], `inputs[${index}]`)),
    outputs: [...new Set(outputs.map(({ name }) => name))],
    ...(modelVersion === '' ? {} : { version: modelVersion }),
    ...(id === '' ? {} : { id }),
    ...(deadline === undefined ? {} : { deadline }),
  };
};

/** @param isRaw outputs are bytes, as the request's inputs were */
export const writeGrpcAnswer = ({ model, version, id, parameters, outputs }: InferAnswer, isRaw: boolean): ModelInferResponse =>
  create(ModelInferResponseSchema, {
    modelName: model,
    modelVersion: version,
    id: id ?? '',
    parameters: Object.fromEntries(Object.entries(parameters).map(([name, value]) => [name, { parameterChoice: { case: 'stringParam' as const, value } }])),
    outputs: outputs.map(({ name, values }) => ({
      name,
      datatype: 'FP32',
      shape: [BigInt(values.length)],
      ...(isRaw ? {} : { contents: { fp32Contents: Array.from(values) } }),
    })),
    rawOutputContents: isRaw ? outputs.map(({ values }) => encodeFp32(values)) : [],
  });
