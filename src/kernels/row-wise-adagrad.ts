import type { RowWiseAdagrad } from './embedding-kernel.js';

/**
 * One row-wise Adagrad step (Duchi et al. 2011, one accumulator a row as in FBGEMM) on distinct rows.
 *
 * @param rows fused row of each gradient, distinct
 * @param gradients `[count, width]`
 */
export const applyRowWiseAdagrad = (
  table: { readonly width: number; readonly weights: Float32Array; readonly accumulators: Float32Array },
  rows: Int32Array,
  gradients: Float32Array,
  count: number,
  optimizer: RowWiseAdagrad,
): void => {
  const { width, weights, accumulators } = table;
  const { learningRate, epsilon, weightDecay, decayMode } = optimizer;
  const l2 = decayMode === 'l2' ? weightDecay : 0;
  for (let i = 0; i < count; i += 1) {
    const row = rows[i]!;
    const from = i * width;
    const to = row * width;
    let squares = 0;
    if (l2 === 0) {
      for (let d = 0; d < width; d += 1) {
        const gradient = gradients[from + d]!;
        squares += gradient * gradient;
      }
    } else {
      for (let d = 0; d < width; d += 1) {
        const gradient = gradients[from + d]! + l2 * weights[to + d]!;
        squares += gradient * gradient;
      }
    }
    const accumulated = Math.fround(accumulators[row]! + squares / width);
    accumulators[row] = accumulated;
    const multiplier = learningRate / (Math.sqrt(accumulated) + epsilon);
    const correction = 1 - (decayMode === 'l2' ? multiplier : learningRate) * weightDecay;
    for (let d = 0; d < width; d += 1) weights[to + d] = correction * weights[to + d]! - multiplier * gradients[from + d]!;
  }
};
