import type { OpDefinition } from '../definition.js';
import { elementwise } from '../elementwise.js';
import type { Tensor } from '../tensor.js';
import { mul } from './mul.js';
import { neg } from './neg.js';
import { sumTo } from './reduce-sum.js';
import { sigmoid } from './sigmoid.js';
import { sub } from './sub.js';

/** −y·log σ(z) − (1 − y)·log(1 − σ(z)) of logits z and labels y, elementwise, without overflow or cancellation. */
export const sigmoidCrossEntropy = (logits: Tensor, labels: Tensor): Tensor =>
  elementwise('sigmoidCrossEntropy', [logits, labels]);

/** `sigmoidCrossEntropy`: max(z, 0) − z·y + log(1 + e^−|z|); the derivative by z is σ(z) − y, that by y is −z. */
export const sigmoidCrossEntropyDefinition: OpDefinition = {
  kind: 'sigmoidCrossEntropy',
  gradient: ({ inputs: [logits, labels] }, gradient) => [
    sumTo(mul(gradient, sub(sigmoid(logits!), labels!)), logits!.shape),
    sumTo(mul(gradient, neg(logits!)), labels!.shape),
  ],
  emit: (node, emitter) => {
    const [logits, labels] = node.inputs.map((operand) => emitter.value(operand)) as [string, string];
    const linear = emitter.node('Sub', [emitter.node('Relu', [logits]), emitter.node('Mul', [logits, labels])]);
    const distance = emitter.node('Neg', [emitter.node('Abs', [logits])]);
    // Softplus keeps digits that log(1 + e) loses, but ONNX Runtime has it for single precision alone.
    const tail =
      node.dtype === 'float32'
        ? emitter.node('Softplus', [distance])
        : emitter.node('Log', [emitter.node('Add', [emitter.node('Exp', [distance]), emitter.constant([1], node.dtype, [])])]);
    return emitter.node('Add', [linear, tail]);
  },
};
