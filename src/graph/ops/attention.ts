/** Scaled dot-product attention with a gradient of its own, which passes over the score matrices as seldom as it can. */
import type { OpDefinition } from '../definition.js';
import { requireSameDType } from '../elementwise.js';
import { GraphError } from '../errors.js';
import { part } from '../part.js';
import { broadcastShapes, describeTensor, sameShape } from '../shapes.js';
import { makeNode, numberAttribute } from '../tensor.js';
import type { Dim, Tensor } from '../tensor.js';
import { emitProduct, matmul } from './matmul.js';
import { mul } from './mul.js';
import { reduceSum, sumTo } from './reduce-sum.js';
import { sub } from './sub.js';

/** How `attention` turns products into scores. */
export interface AttentionOptions {
  /** What the products of queries and keys are multiplied by: 1/√d as a rule. */
  readonly scale: number;
  /**
   * Added to the scaled scores; each broadcasts to `[B, H, Tq, Tk]`. Their sum is bounded below by {@link HIDDEN}: any entry
   * at or under it hides a key.
   */
  readonly biases?: readonly Tensor[];
}

/**
 * What a hidden key's score is lowered by: it keeps e⁻⁶⁰ of its weight, which is nothing in single precision, but a normal
 * number. Lower scores make numbers so small that the processor computes them apart: softmax took 4 times as long.
 */
export const HIDDEN = -60;

const misfit = (tensors: readonly Tensor[]): GraphError =>
  new GraphError('shape', `attention: expected q [B, H, Tq, d], k and v [B, H, Tk, d] and biases that broadcast to [B, H, Tq, Tk]; got ${tensors.map(describeTensor).join(' and ')}`);

/**
 * softmax(scale · q·kᵀ + biases)·v (Vaswani et al. 2017), per batch and head. Any dim may be 0 when the graph runs.
 *
 * @param q `[B, H, Tq, d]`
 * @param k `[B, H, Tk, d]`
 * @param v `[B, H, Tk, d]`
 * @returns `[B, H, Tq, d]`
 * @throws GraphError `shape` or `dtype` when the operands do not fit together
 */
export const attention = (q: Tensor, k: Tensor, v: Tensor, options: AttentionOptions): Tensor => {
  const { scale, biases = [] } = options;
  const operands = [q, k, v, ...biases];
  const dtype = requireSameDType('attention', operands);
  const [batch, heads, queries, width] = q.shape as [Dim, Dim, Dim, Dim];
  const keys = k.shape[2];
  if (q.shape.length !== 4 || keys === undefined || !sameShape(k.shape, [batch, heads, keys, width]) || !sameShape(v.shape, k.shape)) throw misfit(operands);
  const scores = [batch, heads, queries, keys];
  if (!biases.every((bias) => sameShape(broadcastShapes('attention', [bias.shape, scores]), scores))) throw misfit(operands);
  return part(makeNode('attention', dtype, q.shape, operands, { scale }), 0, dtype, q.shape);
};

/**
 * `attention`: its parts are the result O and the probabilities P. With D = Σ dO⊙O over d in place of Σ dP⊙P over the keys,
 * as FlashAttention has it (Dao et al. 2022), the row term costs nothing beside the matrices: dV = Pᵀ·dO, dP = dO·vᵀ,
 * dS = P⊙(dP − D), dq = scale·dS·k, dk = scale·dSᵀ·q.
 */
export const attentionDefinition: OpDefinition = {
  kind: 'attention',
  partsGradient: (node, [gradient]) => {
    if (gradient === undefined) return [];
    const [q, k, v, ...biases] = node.inputs as [Tensor, Tensor, Tensor, ...Tensor[]];
    const scale = numberAttribute(node, 'scale');
    const result = part(node, 0, node.dtype, q.shape);
    const probabilities = part(node, 1, node.dtype, [...q.shape.slice(0, 3), k.shape[2]!]);
    const rowTerm = reduceSum(mul(gradient, result), [3], { keepDims: true });
    const ofScores = mul(probabilities, sub(matmul(gradient, v, { transposeB: true }), rowTerm));
    return [
      matmul(ofScores, k, { scale }),
      matmul(ofScores, q, { transposeA: true, scale }),
      matmul(probabilities, gradient, { transposeA: true }),
      ...biases.map((bias) => sumTo(ofScores, bias.shape)),
    ];
  },
  emit: (node, emitter) => {
    const [q, k, v, ...biases] = node.inputs as [Tensor, Tensor, Tensor, ...Tensor[]];
    const products = emitProduct(q, k, { transposeA: false, transposeB: true, scale: numberAttribute(node, 'scale') }, emitter);
    // Biases together first: they are smaller than the scores.
    const bias = biases.map((one) => emitter.value(one)).reduce<string | undefined>((sum, one) => (sum === undefined ? one : emitter.node('Add', [sum, one])), undefined);
    const scores = bias === undefined ? products : emitter.node('Add', [products, emitter.node('Max', [bias, emitter.constant([HIDDEN], node.dtype, [])])]);
    const probabilities = emitter.node('Softmax', [scores], { axis: { int: 3 } });
    return [emitter.node('MatMul', [probabilities, emitter.value(v)]), probabilities];
  },
};
