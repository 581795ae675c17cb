import type { NumberState } from './encoder-state.js';
import { countAtMost } from './table-rows.js';

/**
 * Place of `value` among ascending quantiles, mapped to [−1, 1] and interpolated linearly between them; values that
 * several quantiles share sit in the middle of these (as scikit-learn's QuantileTransformer does).
 */
const quantilePlace = (quantiles: Float64Array, value: number): number => {
  const last = quantiles.length - 1;
  if (last < 1) return 0;
  const above = countAtMost(quantiles, value);
  if (above === 0) return -1;
  let first = above;
  while (first > 0 && quantiles[first - 1] === value) first -= 1;
  let place: number;
  if (first < above) place = (first + above - 1) / 2;
  else if (above > last) place = last;
  else place = above - 1 + (value - quantiles[above - 1]!) / (quantiles[above]! - quantiles[above - 1]!);
  return (2 * place) / last - 1;
};

/** The function that maps a raw finite number to the encoded one; anything that is not finite becomes NaN, missing. */
export const createNumberEncoding = (state: NumberState): ((value: number) => number) => {
  if (state.type === 'quantile') {
    const quantiles = Float64Array.from(state.quantiles);
    return (value) => (Number.isFinite(value) ? quantilePlace(quantiles, value) : NaN);
  }
  const { mean, deviation } = state;
  if (state.log) {
    return (value) => (Number.isFinite(value) ? (Math.sign(value) * Math.log1p(Math.abs(value)) - mean) / deviation : NaN);
  }
  return (value) => (Number.isFinite(value) ? (value - mean) / deviation : NaN);
};
