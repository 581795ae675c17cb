import type { OpDefinition } from '../definition.js';
import { requireSameDType } from '../elementwise.js';
import { GraphError } from '../errors.js';
import { scalar } from '../inputs.js';
import { part } from '../part.js';
import { describeTensor, dimProduct, sameShape } from '../shapes.js';
import { makeNode, numberAttribute, numbersAttribute } from '../tensor.js';
import type { Tensor } from '../tensor.js';
import { cast } from './cast.js';
import { matmul } from './matmul.js';
import { mul } from './mul.js';
import { reduceSum } from './reduce-sum.js';
import { reshape } from './reshape.js';
import { square } from './square.js';
import { sub } from './sub.js';

/**
 * (x − mean) / √(variance + epsilon) · scale + bias over the last axis (Ba et al. 2016).
 * @param scale and bias of shape `[size of the last axis]`
 */
export const layerNorm = (x: Tensor, scale: Tensor, bias: Tensor, epsilon = 1e-5): Tensor => {
  const dtype = requireSameDType('layerNorm', [x, scale, bias]);
  const width = x.shape.slice(-1);
  if (x.shape.length === 0 || !sameShape(scale.shape, width) || !sameShape(bias.shape, width)) {
    throw new GraphError(
      'shape',
      `layerNorm: scale ${describeTensor(scale)} and bias ${describeTensor(bias)} do not fit the last axis of ${describeTensor(x)}`,
    );
  }
  return part(makeNode('layerNorm', dtype, x.shape, [x, scale, bias], { epsilon }), 0, dtype, x.shape);
};

const isOnes = (scale: Tensor): boolean => scale.kind === 'constant' && numbersAttribute(scale, 'values').every((value) => value === 1);

/** Gradients of the rows `[n, d]` given those of the result, the mean and 1/deviation of each row `[n, 1]`. */
const rowGradients = (gradient: Tensor, x: Tensor, scale: Tensor, mean: Tensor, inverse: Tensor): [Tensor, Tensor, Tensor] => {
  const width = scale.shape[0] as number;
  const share = reshape(mul(scale, scalar(1 / width, x.dtype)), [width, 1]);
  const products = mul(gradient, x);
  const meanGradient = matmul(gradient, share);
  const projection = mul(inverse, sub(matmul(products, share), mul(mean, meanGradient)));
  const slope = mul(square(inverse), projection);
  const offset = sub(mul(inverse, meanGradient), mul(slope, mean));
  const ofScale = sub(matmul(products, inverse, { transposeA: true }), matmul(gradient, mul(mean, inverse), { transposeA: true }));
  // A scale of constant ones is no pass of its own.
  const scaled = isOnes(scale) ? gradient : mul(gradient, scale);
  return [sub(sub(mul(scaled, inverse), mul(x, slope)), offset), reshape(ofScale, [width]), reduceSum(gradient, [0])];
};

/**
 * `layerNorm`: its parts are the result, the mean m and 1/deviation r of each row; only the first has a gradient. With
 * g the gradient and s the scale, dx = r·(g·s − mean(g·s) − x̂·mean(g·s·x̂)) with x̂ = r·(x − m). Normalized rows x̂ are
 * never made: every sum over them is a product of g or g·x with one column, and dx is g·s·r − a·x − b with two numbers a row.
 */
export const layerNormDefinition: OpDefinition = {
  kind: 'layerNorm',
  partsGradient: (node, [gradient]) => {
    const [x, scale] = node.inputs as [Tensor, Tensor];
    if (gradient === undefined) return [];
    const rows = dimProduct(x.shape.slice(0, -1));
    // ONNX keeps the statistics in single precision whatever the dtype of x.
    const [mean, inverse] = [1, 2].map((index) => cast(reshape(part(node, index, 'float32', [...x.shape.slice(0, -1), 1]), [rows, 1]), x.dtype)) as [Tensor, Tensor];
    const flat = (tensor: Tensor): Tensor => reshape(tensor, [rows, ...scale.shape]);
    const [ofX, ofScale, ofBias] = rowGradients(flat(gradient), flat(x), scale, mean, inverse);
    return [reshape(ofX, x.shape, x), ofScale, ofBias];
  },
  emit: (node, emitter) => {
    const wanted = [true, emitter.usesPart(node, 1), emitter.usesPart(node, 2)];
    return emitter.nodes('LayerNormalization', node.inputs.map((operand) => emitter.value(operand)), wanted, {
      axis: { int: -1 },
      epsilon: { float: numberAttribute(node, 'epsilon') },
    });
  },
};
