/** Values stored in a model, or beside it. */
import { create } from '@bufbuild/protobuf';
import { GraphError } from '../errors.js';
import { formatShape, describeTensor, sameShape } from '../shapes.js';
import type { DType, Tensor } from '../tensor.js';
import { DTYPE_BYTES, ONNX_DTYPE } from './dtypes.js';
import type { StoredDType } from './dtypes.js';
import { TensorProto_DataLocation, TensorProtoSchema } from './onnx_pb.js';
import type { TensorProto } from './onnx_pb.js';

/** Typed arrays that hold stored values: half precision as `Uint16Array` of its bits, bool as `Uint8Array`. */
export type InitializerData = Float32Array | Float64Array | Uint16Array | BigInt64Array | Int32Array | Uint8Array;

interface StoredValues {
  /** Only of bytes: float32 `[rows, 2]`, what a row's codes of 0 to 255 mean: `code · first + second`. */
  readonly scales?: Initializer;
}

/** A parameter's values, inside the model. */
export interface InlineInitializer extends StoredValues {
  readonly dtype: StoredDType;
  readonly shape: readonly number[];
  readonly data: InitializerData;
}

/** A parameter's values, in a file beside the model. */
export interface ExternalInitializer extends StoredValues {
  readonly dtype: StoredDType;
  readonly shape: readonly number[];
  /** Relative to the folder of the model. */
  readonly externalFile: string;
  /** Bytes before it in the file. */
  readonly offset: number;
  /** Bytes it takes. */
  readonly length: number;
}

/** A parameter's values when serving. A float32 parameter can be stored as float16, or as bytes with scales. */
export type Initializer = InlineInitializer | ExternalInitializer;

const littleEndianBytes = (data: InitializerData): Uint8Array => new Uint8Array(data.buffer, data.byteOffset, data.byteLength);

const toTyped = (values: readonly number[], dtype: DType): InitializerData => {
  switch (dtype) {
    case 'float32':
      return Float32Array.from(values);
    case 'float64':
      return Float64Array.from(values);
    case 'int64':
      return BigInt64Array.from(values, (value) => BigInt(value));
    case 'int32':
      return Int32Array.from(values);
    case 'bool':
      return Uint8Array.from(values);
  }
};

/** Constant values as ONNX wants them. */
export const constantProto = (
  name: string | undefined,
  values: readonly number[],
  dtype: DType,
  shape: readonly number[],
): TensorProto =>
  create(TensorProtoSchema, {
    ...(name === undefined ? {} : { name }),
    dims: shape.map((dim) => BigInt(dim)),
    dataType: ONNX_DTYPE[dtype],
    rawData: littleEndianBytes(toTyped(values, dtype)),
  });

/**
 * An initializer as ONNX wants it.
 * @throws GraphError `shape` or `dtype` when it is not what the parameter declares, or its bytes do not fill it
 */
export const initializerProto = (parameter: Tensor, initializer: Initializer): TensorProto => {
  const { dtype, shape } = initializer;
  const given = `${dtype} ${formatShape(shape)}`;
  const isSmaller = dtype === 'float16' || (dtype === 'uint8' && initializer.scales !== undefined);
  if (dtype !== parameter.dtype && !(isSmaller && parameter.dtype === 'float32')) {
    throw new GraphError('dtype', `initializer of ${describeTensor(parameter)} is ${given}`);
  }
  if (!sameShape(shape, parameter.shape)) {
    throw new GraphError('shape', `initializer of ${describeTensor(parameter)} is ${given}`);
  }
  const expected = shape.reduce((product, dim) => product * dim, DTYPE_BYTES[dtype]);
  const bytes = 'data' in initializer ? initializer.data.byteLength : initializer.length;
  if (bytes !== expected) {
    throw new GraphError('shape', `initializer of ${describeTensor(parameter)} has ${bytes} bytes; ${given} takes ${expected}`);
  }
  const proto = create(TensorProtoSchema, {
    name: parameter.name!,
    dims: shape.map((dim) => BigInt(dim)),
    dataType: ONNX_DTYPE[dtype],
  });
  if ('data' in initializer) {
    proto.rawData = littleEndianBytes(initializer.data);
    return proto;
  }
  const location = create(TensorProtoSchema, {
    dataLocation: TensorProto_DataLocation.EXTERNAL,
    externalData: [
      { key: 'location', value: initializer.externalFile },
      { key: 'offset', value: String(initializer.offset) },
      { key: 'length', value: String(initializer.length) },
    ],
  });
  return Object.assign(proto, { dataLocation: location.dataLocation, externalData: location.externalData });
};
