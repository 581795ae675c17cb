import type { Emitter, OpDefinition } from '../definition.js';
import { requireSameDType } from '../elementwise.js';
import { GraphError } from '../errors.js';
import { broadcastShapes, describeTensor, dimProduct } from '../shapes.js';
import { booleanAttribute, makeNode, numberAttribute } from '../tensor.js';
import type { Dim, Tensor } from '../tensor.js';
import { sumTo } from './reduce-sum.js';
import { reshape } from './reshape.js';

/** Which operands of `matmul` are used with their last two axes swapped, and what the product is multiplied by. */
export interface MatmulOptions {
  readonly transposeA?: boolean;
  readonly transposeB?: boolean;
  /** Default 1. */
  readonly scale?: number;
}

const describe = (tensor: Tensor, transposed: boolean): string => `${describeTensor(tensor)}${transposed ? ' transposed' : ''}`;

/**
 * Matrix product over the last two axes; leading axes are batches and broadcast.
 * @throws GraphError `shape` when the inner dims differ or an operand has rank below 2.
 */
export const matmul = (a: Tensor, b: Tensor, options: MatmulOptions = {}): Tensor => {
  const { transposeA = false, transposeB = false, scale = 1 } = options;
  const dtype = requireSameDType('matmul', [a, b]);
  if (a.shape.length < 2 || b.shape.length < 2) {
    throw new GraphError('shape', `matmul: ${describeTensor(a)} and ${describeTensor(b)} need rank 2 or more`);
  }
  const [rows, inner] = matrixDims(a, transposeA);
  const [innerOfB, columns] = matrixDims(b, transposeB);
  if (inner !== innerOfB) {
    throw new GraphError(
      'shape',
      `matmul: inner dims differ (${inner} and ${innerOfB}): ${describe(a, transposeA)} and ${describe(b, transposeB)}`,
    );
  }
  const batch = broadcastShapes('matmul', [a.shape.slice(0, -2), b.shape.slice(0, -2)]);
  return makeNode('matmul', dtype, [...batch, rows, columns], [a, b], { transposeA, transposeB, scale });
};

const matrixDims = (tensor: Tensor, transposed: boolean): [Dim, Dim] => {
  const [rows, columns] = tensor.shape.slice(-2) as [Dim, Dim];
  return transposed ? [columns, rows] : [rows, columns];
};

/** All but the last axis as one: the batches of a product with one matrix are more rows of it. */
const flattened = (tensor: Tensor): Tensor =>
  reshape(tensor, [dimProduct(tensor.shape.slice(0, -1)), tensor.shape[tensor.shape.length - 1]!]);

/** `matmul`: dA = G·Bᵀ, dB = Aᵀ·G, summed over batches along which an operand was broadcast. */
export const matmulDefinition: OpDefinition = {
  kind: 'matmul',
  gradient: (node, gradient) => {
    const [a, b] = node.inputs as [Tensor, Tensor];
    const [transposeA, transposeB] = [booleanAttribute(node, 'transposeA'), booleanAttribute(node, 'transposeB')];
    const scale = numberAttribute(node, 'scale');
    const ofA = transposeA
      ? matmul(b, gradient, { transposeA: transposeB, transposeB: true, scale })
      : matmul(gradient, b, { transposeB: !transposeB, scale });
    const flat = b.shape.length === 2 && a.shape.length > 2 && !transposeA;
    const [left, right] = flat ? [flattened(a), flattened(gradient)] : [a, gradient];
    const ofB = transposeB
      ? matmul(right, left, { transposeA: true, transposeB: transposeA, scale })
      : matmul(left, right, { transposeA: !transposeA, scale });
    return [sumTo(ofA, a.shape), sumTo(ofB, b.shape)];
  },
  emit: (node, emitter) => {
    const [a, b] = node.inputs as [Tensor, Tensor];
    return emitProduct(a, b, {
      transposeA: booleanAttribute(node, 'transposeA'),
      transposeB: booleanAttribute(node, 'transposeB'),
      scale: numberAttribute(node, 'scale'),
    }, emitter);
  },
};

const emitOperand = (tensor: Tensor, transposed: boolean, emitter: Emitter): string => {
  if (!transposed) return emitter.value(tensor);
  const perm = tensor.shape.map((_, axis) => axis);
  perm.push(...perm.splice(-2).reverse());
  return emitter.node('Transpose', [emitter.value(tensor)], { perm: { ints: perm } });
};

/**
 * Whether aᵀ·b has far fewer rows than columns. ONNX Runtime copies b into blocks whatever it is multiplied by, which few
 * rows do not repay: as (bᵀ·a)ᵀ the product of 4096 × 64 and 4096 × 1280 took 5.9 ms against 7.1 on one thread.
 */
const isWide = (a: Tensor, b: Tensor, { transposeA, transposeB }: Required<MatmulOptions>): boolean => {
  const [rows, columns] = [a.shape.at(-1)!, b.shape.at(-1)!];
  return transposeA && !transposeB && a.shape.length === 2 && b.shape.length === 2 && typeof rows === 'number' && typeof columns === 'number' && columns >= 3 * rows;
};

/** Emits scale · a·b as one node where ONNX Runtime has it. */
export const emitProduct = (a: Tensor, b: Tensor, options: Required<MatmulOptions>, emitter: Emitter): string => {
  const { transposeA, transposeB, scale } = options;
  // ONNX Runtime has FusedMatMul on the CPU for single precision alone. Plain products take it too: a MatMul and the Add
  // after it would become a Gemm, whose bias is copied by one thread, which takes longer than the Add.
  if (emitter.allowContrib && a.dtype === 'float32') {
    const attributes = { transA: { int: transposeA ? 1 : 0 }, transB: { int: transposeB ? 1 : 0 }, ...(scale === 1 ? {} : { alpha: { float: scale } }) };
    const [left, right] = [emitter.value(a), emitter.value(b)];
    if (!isWide(a, b, options)) return emitter.node('FusedMatMul', [left, right], attributes, 'com.microsoft');
    return emitter.node('Transpose', [emitter.node('FusedMatMul', [right, left], attributes, 'com.microsoft')], { perm: { ints: [1, 0] } });
  }
  const product = emitter.node('MatMul', [emitOperand(a, transposeA, emitter), emitOperand(b, transposeB, emitter)]);
  return scale === 1 ? product : emitter.node('Mul', [product, emitter.constant([scale], a.dtype, [])]);
};
