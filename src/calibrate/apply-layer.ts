import type { CalibrationLayer } from './calibration.js';

/** `ln(1 + eˣ)`, without overflow. */
export const softplus = (x: number): number => Math.max(x, 0) + Math.log1p(Math.exp(-Math.abs(x)));

export const sigmoid = (logit: number): number => 1 / (1 + Math.exp(-logit));

/** A probability's logit; one stored as exactly 0 or 1 in float32 is as far out as that type can tell. */
export const logitOf = (probability: number): number => {
  const inside = Math.min(Math.max(probability, 2 ** -24), 1 - 2 ** -24);
  return Math.log(inside) - Math.log1p(-inside);
};

/** The calibrated logit. */
export const applyLayer = ({ offset, below, above, knots, rises }: CalibrationLayer, logit: number): number => {
  let calibrated = below === above ? offset + below * logit : offset - below * softplus(-logit) + above * softplus(logit);
  for (let k = 0; k < knots.length && logit > knots[k]!; k += 1) calibrated += rises[k]! * (logit - knots[k]!);
  return calibrated;
};

/** The layer after a shift of what it gives. */
export const shiftLayer = (layer: CalibrationLayer, shift: number): CalibrationLayer => ({ ...layer, offset: layer.offset + shift });
