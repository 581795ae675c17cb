import type { OpDefinition } from '../definition.js';
import { requireNumeric } from '../elementwise.js';
import { normalizeAxes } from '../shapes.js';
import { booleanAttribute, makeNode, numbersAttribute } from '../tensor.js';
import type { Tensor } from '../tensor.js';
import { div } from './div.js';
import { expand, reducedShape } from './reduce-sum.js';
import { sizeOf } from './size-of.js';
import { unsqueeze } from './squeeze.js';

/** Mean over `axes`, which vanish unless `keepDims`; NaN over no elements. */
export const reduceMean = (x: Tensor, axes: readonly number[], options: { readonly keepDims?: boolean } = {}): Tensor => {
  const { keepDims = false } = options;
  requireNumeric('reduceMean', x);
  if (axes.length === 0) return x;
  const normalized = normalizeAxes('reduceMean', axes, x.shape.length);
  return makeNode('reduceMean', x.dtype, reducedShape(x.shape, normalized, keepDims), [x], { axes: normalized, keepDims });
};

/** `reduceMean`. */
export const reduceMeanDefinition: OpDefinition = {
  kind: 'reduceMean',
  gradient: (node, gradient) => {
    const x = node.inputs[0]!;
    const axes = numbersAttribute(node, 'axes');
    const share = div(gradient, sizeOf(x, axes, x.dtype));
    return [expand(booleanAttribute(node, 'keepDims') ? share : unsqueeze(share, axes), x.shape, x)];
  },
  emit: (node, emitter) =>
    emitter.node('ReduceMean', [emitter.value(node.inputs[0]!), emitter.int64(numbersAttribute(node, 'axes'))], {
      keepdims: { int: booleanAttribute(node, 'keepDims') ? 1 : 0 },
    }),
};
