import type { Training } from '../config/project.js';

/** The part of {@link Training} that shapes the learning rate. */
export type ScheduleOptions = Pick<Training, 'warmupSteps' | 'decay' | 'finalLearningRate'>;

/**
 * Factor of the learning rate at a step: rises linearly over `warmupSteps`, then stays, falls linearly or along half a
 * cosine (Loshchilov & Hutter 2017) to `finalLearningRate` at `totalSteps`, and stays there.
 *
 * @param step 1 for the first step
 */
export const scheduleFactor = (step: number, totalSteps: number, options: ScheduleOptions): number => {
  const { warmupSteps, decay, finalLearningRate } = options;
  if (step <= warmupSteps) return step / warmupSteps;
  if (decay === 'constant') return 1;
  const progress = Math.min(1, (step - warmupSteps) / Math.max(1, totalSteps - warmupSteps));
  const remaining = decay === 'linear' ? 1 - progress : 0.5 * (1 + Math.cos(Math.PI * progress));
  return finalLearningRate + (1 - finalLearningRate) * remaining;
};
