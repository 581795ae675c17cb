import type { Random } from './random.js';
import type { RequestState } from './request-state.js';

/**
 * Draws a request's labels from its true probabilities: long clicks only among clicks, saves mostly there, hides only
 * among ads not clicked. Each label's own frequency is its probability.
 */
export const drawLabels = (request: RequestState, random: Random): void => {
  const [clickLabel, longLabel, saveLabel, hideLabel] = request.label;
  const [click, longClick, save, hide] = request.probability;
  for (let i = 0; i < request.count; i++) {
    const clickProbability = click![i]!;
    const savedAfterClick = request.saveAfterClick[i]!;
    const clicked = random.uniform() < clickProbability;
    const saveOdds = clicked ? savedAfterClick : (save![i]! - clickProbability * savedAfterClick) / (1 - clickProbability);
    clickLabel![i] = clicked ? 1 : 0;
    longLabel![i] = clicked && random.uniform() < longClick![i]! / clickProbability ? 1 : 0;
    saveLabel![i] = random.uniform() < saveOdds ? 1 : 0;
    hideLabel![i] = !clicked && hide![i]! > 0 && random.uniform() < hide![i]! / (1 - clickProbability) ? 1 : 0;
  }
};
