import type { Training } from '../config/project.js';

/** What early stopping remembers; plain JSON, so that a resumed run goes on from it. */
export interface EarlyStoppingState {
  /** Step and value of the best evaluation. */
  readonly best: { readonly step: number; readonly value: number } | undefined;
  /** Evaluations since. */
  readonly worse: number;
}

export const EARLY_STOPPING_START: EarlyStoppingState = { best: undefined, worse: 0 };

/** Whether the metric is better when it is smaller. */
const isSmallerBetter = (metric: NonNullable<Training['earlyStopping']>['metric']): boolean => metric === 'logLoss';

/** The state after an evaluation; a NaN counts as worse. */
export const afterEvaluation = (
  state: EarlyStoppingState,
  metric: NonNullable<Training['earlyStopping']>['metric'],
  step: number,
  value: number,
): EarlyStoppingState => {
  const { best } = state;
  const isBetter = !Number.isNaN(value) && (best === undefined || (isSmallerBetter(metric) ? value < best.value : value > best.value));
  return isBetter ? { best: { step, value }, worse: 0 } : { best, worse: state.worse + 1 };
};
