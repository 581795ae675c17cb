import type { OpDefinition } from '../definition.js';
import { elementwise, emitAs } from '../elementwise.js';
import { scalar } from '../inputs.js';
import type { Tensor } from '../tensor.js';
import { cast } from './cast.js';
import { greater } from './comparison.js';
import { mul } from './mul.js';

/** max(x, 0); the gradient at 0 is 0. */
export const relu = (x: Tensor): Tensor => elementwise('relu', [x]);

/** `relu`. Compare and cast run on all threads; ONNX Runtime's Sign and Where take four times as long. */
export const reluDefinition: OpDefinition = {
  kind: 'relu',
  gradient: (node, gradient) => [mul(gradient, cast(greater(node, scalar(0, node.dtype)), node.dtype))],
  emit: emitAs('Relu'),
};
