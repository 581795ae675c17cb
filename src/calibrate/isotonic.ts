/** Isotonic calibration as a monotone piecewise-linear curve of the logit. */
import { applyLayer, sigmoid } from './apply-layer.js';
import type { CalibrationLayer } from './calibration.js';
import type { BinnedRows } from './binned-rows.js';

/** Knots of a curve, at most: exports keep as many slots. */
export const MOST_KNOTS = 16;

/**
 * Pool-adjacent-violators (Ayer et al. 1955): the non-decreasing values nearest to `values` in weighted squares.
 *
 * @returns for each block of equal values, where it begins
 */
export const poolAdjacentViolators = (values: ArrayLike<number>, weights: ArrayLike<number>): { readonly starts: readonly number[]; readonly values: readonly number[] } => {
  const blocks: { start: number; value: number; weight: number }[] = [];
  for (let i = 0; i < values.length; i += 1) {
    let block = { start: i, value: values[i]!, weight: weights[i]! };
    for (let last = blocks.at(-1); last !== undefined && last.value >= block.value; last = blocks.at(-1)) {
      const weight = last.weight + block.weight;
      block = { start: last.start, value: (last.value * last.weight + block.value * block.weight) / weight, weight };
      blocks.pop();
    }
    blocks.push(block);
  }
  return { starts: blocks.map(({ start }) => start), values: blocks.map(({ value }) => value) };
};

interface Cell {
  weight: number;
  positives: number;
  /** Sum of the logits. */
  logits: number;
  /** Sum of the parent's calibrated probabilities. */
  parent: number;
}

/** Rows in cells of equal information `Σ p(1 − p)`, ascending: as many positives and negatives to tell a rate from in each. */
const cellsOf = ({ logits, weights, positives }: BinnedRows, parent: CalibrationLayer): readonly Cell[] => {
  const probabilities = logits.map((logit) => sigmoid(applyLayer(parent, logit)));
  const information = weights.map((weight, i) => weight * probabilities[i]! * (1 - probabilities[i]!));
  const total = information.reduce((sum, value) => sum + value, 0);
  const cells: Cell[] = [];
  let passed = 0;
  for (let i = 0; i < logits.length; i += 1) {
    const index = Math.min(MOST_KNOTS - 1, Math.floor((MOST_KNOTS * (passed + information[i]! / 2)) / total));
    passed += information[i]!;
    const cell = (cells[index] ??= { weight: 0, positives: 0, logits: 0, parent: 0 });
    cell.weight += weights[i]!;
    cell.positives += positives[i]!;
    cell.logits += weights[i]! * logits[i]!;
    cell.parent += weights[i]! * probabilities[i]!;
  }
  return cells.filter((cell) => cell !== undefined);
};

/** A curve through points ascending in both coordinates, of slope 1 outside them. */
const curve = (points: readonly { readonly x: number; readonly y: number }[]): CalibrationLayer => {
  const [first] = points;
  if (first === undefined) return { offset: 0, below: 1, above: 1, knots: [], rises: [] };
  const slopes = [1, ...points.slice(1).map(({ x, y }, i) => (y - points[i]!.y) / (x - points[i]!.x)), 1];
  return { offset: first.y - first.x, below: 1, above: 1, knots: points.map(({ x }) => x), rises: points.map((_, i) => slopes[i + 1]! - slopes[i]!) };
};

/**
 * Fits a curve, drawn towards the parent's by pseudo-rows: each of the rows counts a part more, with the parent's calibrated
 * probability for a label.
 *
 * @param pseudo information `Σ p(1 − p)` of the pseudo-rows together; above 0
 */
export const fitIsotonic = (rows: BinnedRows, parent: CalibrationLayer, pseudo: number): CalibrationLayer => {
  const cells = cellsOf(rows, parent);
  const information = cells.reduce((sum, { weight, parent: predicted }) => sum + predicted * (1 - predicted / weight), 0);
  const share = information === 0 ? 1 : pseudo / information;
  const rates = cells.map(({ weight, positives, parent: predicted }) => (positives + share * predicted) / ((1 + share) * weight));
  const { starts, values } = poolAdjacentViolators(rates, cells.map(({ weight }) => weight));
  const points = starts.map((start, block) => {
    const own = cells.slice(start, starts[block + 1] ?? cells.length);
    const weight = own.reduce((sum, cell) => sum + cell.weight, 0);
    const rate = Math.min(Math.max(values[block]!, 1e-7), 1 - 1e-7);
    return { x: own.reduce((sum, cell) => sum + cell.logits, 0) / weight, y: Math.log(rate / (1 - rate)) };
  });
  return curve(points);
};
