import type { RowAdam, RowOptimizer, RowSgd, RowWiseAdagrad, TablePart } from './embedding-kernel.js';

/** A table's arrays by part. */
export type PartArrays = Readonly<Partial<Record<TablePart['name'], Float32Array>>> & { readonly weights: Float32Array };

/** Row-wise Adagrad: Duchi et al. 2011 with one accumulator a row, as in FBGEMM. */
const adagradStep = (parts: PartArrays, width: number, { learningRate, epsilon, weightDecay, decayMode }: RowWiseAdagrad) => {
  const { weights } = parts;
  const accumulators = parts.accumulators!;
  const l2 = decayMode === 'l2' ? weightDecay : 0;
  return (row: number, gradients: Float32Array, from: number): void => {
    const to = row * width;
    let squares = 0;
    for (let d = 0; d < width; d += 1) {
      const gradient = l2 === 0 ? gradients[from + d]! : gradients[from + d]! + l2 * weights[to + d]!;
      squares += gradient * gradient;
    }
    const accumulated = Math.fround(accumulators[row]! + squares / width);
    accumulators[row] = accumulated;
    const multiplier = learningRate / (Math.sqrt(accumulated) + epsilon);
    const correction = 1 - (decayMode === 'l2' ? multiplier : learningRate) * weightDecay;
    for (let d = 0; d < width; d += 1) weights[to + d] = correction * weights[to + d]! - multiplier * gradients[from + d]!;
  };
};

/** Adam: Kingma and Ba 2015, on the rows of a step alone, as FBGEMM's ADAM. */
const adamStep = (parts: PartArrays, width: number, { learningRate, beta1, beta2, epsilon, weightDecay, step }: RowAdam) => {
  const { weights } = parts;
  const first = parts.first!;
  const second = parts.second!;
  const firstCorrection = 1 - beta1 ** step;
  const secondCorrection = 1 - beta2 ** step;
  return (row: number, gradients: Float32Array, from: number): void => {
    const to = row * width;
    for (let d = 0; d < width; d += 1) {
      const gradient = gradients[from + d]!;
      const m = Math.fround(beta1 * first[to + d]! + (1 - beta1) * gradient);
      const v = Math.fround(beta2 * second[to + d]! + (1 - beta2) * gradient * gradient);
      first[to + d] = m;
      second[to + d] = v;
      const weight = weights[to + d]!;
      weights[to + d] = weight - learningRate * (m / firstCorrection / (Math.sqrt(v / secondCorrection) + epsilon) + weightDecay * weight);
    }
  };
};

const sgdStep = ({ weights }: PartArrays, width: number, { learningRate, weightDecay }: RowSgd) => {
  const kept = 1 - learningRate * weightDecay;
  return (row: number, gradients: Float32Array, from: number): void => {
    const to = row * width;
    for (let d = 0; d < width; d += 1) weights[to + d] = kept * weights[to + d]! - learningRate * gradients[from + d]!;
  };
};

const stepOf = (parts: PartArrays, width: number, optimizer: RowOptimizer) => {
  switch (optimizer.type) {
    case 'adagrad':
      return adagradStep(parts, width, optimizer);
    case 'adam':
      return adamStep(parts, width, optimizer);
    case 'sgd':
      return sgdStep(parts, width, optimizer);
  }
};

/**
 * One optimizer step on distinct rows.
 *
 * @param rows fused row of each gradient, distinct
 * @param gradients `[count, width]`
 */
export const applyRowOptimizer = (
  parts: PartArrays,
  width: number,
  rows: Float64Array,
  gradients: Float32Array,
  count: number,
  optimizer: RowOptimizer,
): void => {
  const step = stepOf(parts, width, optimizer);
  for (let i = 0; i < count; i += 1) step(rows[i]!, gradients, i * width);
};
