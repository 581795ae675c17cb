import type { Training } from '../config/project.js';

/** Adam's constants (Kingma & Ba 2015, the values everyone uses); of dense parameters and of embedding rows alike. */
export const ADAM = { beta1: 0.9, beta2: 0.999, epsilon: 1e-8 } as const;

/** How dense parameters are optimized. */
export type DenseOptimizer = Pick<Training, 'optimizer' | 'weightDecay' | 'clipNorm'>;
