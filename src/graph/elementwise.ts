/** What all elementwise ops share: broadcasting, dtype checks, and emission as one ONNX node. */
import type { Emitter, NodeAttributes } from './definition.js';
import { GraphError } from './errors.js';
import { broadcastShapes, describeTensor, sameShape } from './shapes.js';
import { makeNode } from './tensor.js';
import type { DType, Tensor } from './tensor.js';

/** Throws a `dtype` error unless all tensors have the first one's dtype, and a numeric one where asked. */
export const requireSameDType = (op: string, tensors: readonly Tensor[]): DType => {
  const dtype = tensors[0]!.dtype;
  if (tensors.some((tensor) => tensor.dtype !== dtype)) {
    throw new GraphError('dtype', `${op}: dtypes differ: ${tensors.map(describeTensor).join(' and ')}; cast one`);
  }
  return dtype;
};

/** Throws a `dtype` error for a bool tensor. */
export const requireNumeric = (op: string, tensor: Tensor): void => {
  if (tensor.dtype === 'bool') throw new GraphError('dtype', `${op}: got ${describeTensor(tensor)}; cast it to a number first`);
};

/**
 * An operand that was only expanded to a shape which the others force anyway: what it was expanded from broadcasts the
 * same way without a copy.
 */
const withoutExpansions = (op: string, operands: readonly Tensor[]): readonly Tensor[] => {
  const shape = broadcastShapes(op, operands.map((operand) => operand.shape));
  let result = operands;
  operands.forEach((operand, position) => {
    if (operand.kind !== 'expand') return;
    const candidate = result.map((other, index) => (index === position ? operand.inputs[0]! : other));
    if (sameShape(broadcastShapes(op, candidate.map((other) => other.shape)), shape)) result = candidate;
  });
  return result;
};

/** Makes an elementwise node over operands of one dtype; `dtype` is the result's where it differs. */
export const elementwise = (kind: string, operands: readonly Tensor[], dtype?: DType): Tensor => {
  const common = requireSameDType(kind, operands);
  requireNumeric(kind, operands[0]!);
  const lean = operands.length === 1 ? operands : withoutExpansions(kind, operands);
  return makeNode(kind, dtype ?? common, broadcastShapes(kind, lean.map((operand) => operand.shape)), lean);
};

/** Emits a node as the ONNX op of the same inputs. */
export const emitAs =
  (opType: string, attributes?: NodeAttributes) =>
  (node: Tensor, emitter: Emitter): string =>
    emitter.node(opType, node.inputs.map((operand) => emitter.value(operand)), attributes);
