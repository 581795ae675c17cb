import type { Training } from '../config/project.js';
import type { RowOptimizer } from '../kernels/embedding-kernel.js';
import { ADAM } from './dense-optimizer.js';

/** FBGEMM's default for row-wise Adagrad. */
const ADAGRAD_EPSILON = 1e-8;

/**
 * The settings of one step of the embedding rows' optimizer.
 *
 * @param step optimizer steps taken, this one included
 */
export const rowOptimizer = (
  { embeddingOptimizer, embeddingWeightDecay: weightDecay }: Pick<Training, 'embeddingOptimizer' | 'embeddingWeightDecay'>,
  learningRate: number,
  step: number,
): RowOptimizer => {
  switch (embeddingOptimizer) {
    case 'adagrad':
      return { type: 'adagrad', learningRate, epsilon: ADAGRAD_EPSILON, weightDecay, decayMode: 'l2' };
    case 'adam':
      return { type: 'adam', learningRate, ...ADAM, weightDecay, step };
    case 'sgd':
      return { type: 'sgd', learningRate, weightDecay };
  }
};
