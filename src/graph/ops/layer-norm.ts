import type { OpDefinition } from '../definition.js';
import { requireSameDType } from '../elementwise.js';
import { GraphError } from '../errors.js';
import { part } from '../part.js';
import { describeTensor, sameShape } from '../shapes.js';
import { makeNode, numberAttribute } from '../tensor.js';
import type { Tensor } from '../tensor.js';
import { cast } from './cast.js';
import { mul } from './mul.js';
import { reduceMean } from './reduce-mean.js';
import { sumTo } from './reduce-sum.js';
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

/** `layerNorm`: its parts are the result, the mean and 1/deviation of each row; only the first has a gradient. */
export const layerNormDefinition: OpDefinition = {
  kind: 'layerNorm',
  partsGradient: (node, [gradient]) => {
    const [x, scale] = node.inputs as [Tensor, Tensor];
    if (gradient === undefined) return [];
    const rows = [...x.shape.slice(0, -1), 1];
    const last = [x.shape.length - 1];
    // ONNX keeps the statistics in single precision whatever the dtype of x.
    const mean = cast(part(node, 1, 'float32', rows), x.dtype);
    const inverseDeviation = cast(part(node, 2, 'float32', rows), x.dtype);
    const normalized = mul(sub(x, mean), inverseDeviation);
    const scaled = mul(gradient, scale);
    const share = reduceMean(scaled, last, { keepDims: true });
    const projection = reduceMean(mul(scaled, normalized), last, { keepDims: true });
    return [
      mul(inverseDeviation, sub(sub(scaled, share), mul(normalized, projection))),
      sumTo(mul(gradient, normalized), scale.shape),
      sumTo(gradient, scale.shape),
    ];
  },
  emit: (node, emitter) => {
    const wanted = [true, emitter.usesPart(node, 1), emitter.usesPart(node, 2)];
    return emitter.nodes('LayerNormalization', node.inputs.map((operand) => emitter.value(operand)), wanted, {
      axis: { int: -1 },
      epsilon: { float: numberAttribute(node, 'epsilon') },
    });
  },
};
