import type { DType } from '../tensor.js';
import { TensorProto_DataType } from './onnx_pb.js';

/** How an initializer can be stored: half precision and bytes beside the dtypes of the graph. */
export type StoredDType = DType | 'float16' | 'uint8';

/** Numbers of the dtypes in ONNX. */
export const ONNX_DTYPE: Readonly<Record<StoredDType, TensorProto_DataType>> = {
  float32: TensorProto_DataType.FLOAT,
  float64: TensorProto_DataType.DOUBLE,
  float16: TensorProto_DataType.FLOAT16,
  uint8: TensorProto_DataType.UINT8,
  int64: TensorProto_DataType.INT64,
  int32: TensorProto_DataType.INT32,
  bool: TensorProto_DataType.BOOL,
};

/** Bytes of one element. */
export const DTYPE_BYTES: Readonly<Record<StoredDType, number>> = {
  float32: 4,
  float64: 8,
  float16: 2,
  uint8: 1,
  int64: 8,
  int32: 4,
  bool: 1,
};
