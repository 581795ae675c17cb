import type { OpDefinition } from '../definition.js';
import { emitAs, requireSameDType } from '../elementwise.js';
import { GraphError } from '../errors.js';
import { scalar } from '../inputs.js';
import { broadcastShapes, describeTensor } from '../shapes.js';
import { makeNode } from '../tensor.js';
import type { Tensor } from '../tensor.js';
import { sumTo } from './reduce-sum.js';

/** a where the condition holds, else b; all three broadcast. No gradient flows to the condition. */
export const where = (condition: Tensor, a: Tensor, b: Tensor): Tensor => {
  if (condition.dtype !== 'bool') throw new GraphError('dtype', `where: the condition is ${describeTensor(condition)}, not bool`);
  const dtype = requireSameDType('where', [a, b]);
  return makeNode('where', dtype, broadcastShapes('where', [condition.shape, a.shape, b.shape]), [condition, a, b]);
};

/** `where`. */
export const whereDefinition: OpDefinition = {
  kind: 'where',
  gradient: ({ inputs: [condition, a, b] }, gradient) => {
    const zero = scalar(0, gradient.dtype);
    return [
      undefined,
      sumTo(where(condition!, gradient, zero), a!.shape),
      sumTo(where(condition!, zero, gradient), b!.shape),
    ];
  },
  emit: emitAs('Where'),
};
