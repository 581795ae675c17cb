/** Isotonic calibration as a monotone piecewise-linear curve of the logit. */
import { applyLayer, sigmoid } from './apply-layer.js';
import type { CalibrationLayer } from './calibration.js';
import type { BinnedRows } from './binned-rows.js';
import { totalOf } from './sum.js';

/** Knots of a curve, at most: exports keep as many slots. */
export const MOST_KNOTS = 16;

/** Knots are at least this far apart, so that float32 tells their logits from each other well. */
const NARROWEST = 1 / 32;

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

/** Neighbouring bins together. */
interface Cell {
  readonly weight: number;
  readonly positives: number;
  /** Sum of the target's probabilities. */
  readonly expected: number;
  readonly lowest: number;
  readonly highest: number;
}

const joinCells = (cells: readonly Cell[]): Cell => ({
  weight: cells.reduce((sum, { weight }) => sum + weight, 0),
  positives: cells.reduce((sum, { positives }) => sum + positives, 0),
  expected: cells.reduce((sum, { expected }) => sum + expected, 0),
  lowest: cells[0]!.lowest,
  highest: cells.at(-1)!.highest,
});

/**
 * The logit that stands for a cell: where the target gives the cell's mean probability. A curve through such points leaves the
 * mean of a wide cell as right as that of a narrow one.
 */
const middleOf = ({ weight, expected, lowest, highest }: Cell, target: CalibrationLayer): number => {
  let [low, high] = [lowest, highest];
  for (let halvings = 0; halvings < 50; halvings += 1) {
    const middle = (low + high) / 2;
    if (sigmoid(applyLayer(target, middle)) * weight < expected) low = middle;
    else high = middle;
  }
  return (low + high) / 2;
};

/** Bins in cells of equal information `Σ p(1 − p)`, ascending: as much to tell a rate from in each. */
const cellsOf = ({ logits, weights, positives }: BinnedRows, target: CalibrationLayer): readonly Cell[] => {
  const probabilities = logits.map((logit) => sigmoid(applyLayer(target, logit)));
  const information = weights.map((weight, i) => weight * probabilities[i]! * (1 - probabilities[i]!));
  const total = totalOf(information);
  const slots: Cell[][] = Array.from({ length: MOST_KNOTS }, () => []);
  let passed = 0;
  for (let i = 0; i < logits.length; i += 1) {
    const slot = Math.min(MOST_KNOTS - 1, Math.floor((MOST_KNOTS * (passed + information[i]! / 2)) / total));
    passed += information[i]!;
    slots[slot]!.push({ weight: weights[i]!, positives: positives[i]!, expected: weights[i]! * probabilities[i]!, lowest: logits[i]!, highest: logits[i]! });
  }
  const cells: Cell[] = [];
  for (const slot of slots) {
    if (slot.length === 0) continue;
    const cell = joinCells(slot);
    const last = cells.at(-1);
    if (last !== undefined && middleOf(cell, target) - middleOf(last, target) < NARROWEST) cells[cells.length - 1] = joinCells([last, cell]);
    else cells.push(cell);
  }
  return cells;
};

/** A curve through points ascending in both coordinates, of slope 1 outside them. */
const curve = (points: readonly { readonly x: number; readonly y: number }[]): CalibrationLayer => {
  const [first] = points;
  const slopes = [1, ...points.slice(1).map(({ x, y }, i) => (y - points[i]!.y) / (x - points[i]!.x)), 1];
  return { offset: first!.y - first!.x, below: 1, above: 1, knots: points.map(({ x }) => x), rises: points.map((_, i) => slopes[i + 1]! - slopes[i]!) };
};

const FARTHEST = 1e-7;

/**
 * Fits a curve, drawn towards a target by pseudo-rows: each of the rows counts a part more, with the target's probability for a
 * label.
 *
 * @param pseudo information `Σ p(1 − p)` of the pseudo-rows together
 */
export const fitIsotonic = (rows: BinnedRows, target: CalibrationLayer, pseudo: number): CalibrationLayer => {
  const cells = cellsOf(rows, target);
  if (cells.length === 0) return target;
  const information = cells.reduce((sum, { weight, expected }) => sum + expected * (1 - expected / weight), 0);
  const share = pseudo / Math.max(information, 1e-9);
  const rates = cells.map(({ weight, positives, expected }) => (positives + share * expected) / ((1 + share) * weight));
  const { starts, values } = poolAdjacentViolators(rates, cells.map(({ weight }) => weight));
  return curve(
    starts.map((start, block) => {
      const rate = Math.min(Math.max(values[block]!, FARTHEST), 1 - FARTHEST);
      return { x: middleOf(joinCells(cells.slice(start, starts[block + 1] ?? cells.length)), target), y: Math.log(rate) - Math.log1p(-rate) };
    }),
  );
};
