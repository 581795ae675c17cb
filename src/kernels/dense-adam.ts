import { checkDense } from './check-block.js';
import type { DenseAdamStep } from './embedding-kernel.js';

/**
 * One Adam (Kingma and Ba 2015) or AdamW (Loshchilov and Hutter 2019) step, in place. Arrays are `[n]`.
 *
 * @throws KernelUseError when the lengths differ.
 */
export const denseAdam = (
  parameter: Float32Array,
  first: Float32Array,
  second: Float32Array,
  gradient: Float32Array,
  step: DenseAdamStep,
): void => {
  checkDense(parameter, first, second, gradient);
  const { learningRate, beta1, beta2, epsilon, weightDecay, decoupled, firstCorrection, secondCorrection, gradientScale } = step;
  const kept = decoupled ? 1 - learningRate * weightDecay : 1;
  const l2 = decoupled ? 0 : weightDecay;
  for (let i = 0; i < parameter.length; i += 1) {
    const weight = parameter[i]!;
    const g = gradientScale * gradient[i]! + l2 * weight;
    const m = Math.fround(beta1 * first[i]! + (1 - beta1) * g);
    const v = Math.fround(beta2 * second[i]! + (1 - beta2) * g * g);
    first[i] = m;
    second[i] = v;
    parameter[i] = kept * weight - (learningRate * (m / firstCorrection)) / (Math.sqrt(v / secondCorrection) + epsilon);
  }
};
