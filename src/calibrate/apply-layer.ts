/** What a layer does to a logit. */
import type { CalibrationLayer } from './calibration.js';

/** `ln(1 + eˣ)`, without overflow. */
export const softplus = (x: number): number => Math.max(x, 0) + Math.log1p(Math.exp(-Math.abs(x)));

export const sigmoid = (logit: number): number => 1 / (1 + Math.exp(-logit));

/** A probability's logit; one at 0 or 1 is as far out as float32 can tell from 1, on either side. */
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

/** What a straight line makes of a layer's logits, as one layer: shifts, temperatures and affine corrections of a layer. */
export const lineAfter = (line: CalibrationLayer, layer: CalibrationLayer): CalibrationLayer => ({
  offset: line.offset + line.below * layer.offset,
  below: line.below * layer.below,
  above: line.below * layer.above,
  knots: layer.knots,
  rises: layer.rises.map((rise) => line.below * rise),
});

/** A layer whose logits are all higher by `shift`. */
export const shiftLayer = (layer: CalibrationLayer, shift: number): CalibrationLayer => ({ ...layer, offset: layer.offset + shift });
