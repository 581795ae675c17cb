/** A benchmark's comparisons: a line each as they come, and `bench/results/<name>.json` at the end. */
import { writeResults } from './onefold.mjs';

/** @returns {number} the middle value */
export const median = (values) => {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
};

/** Collects `{ name, ours, peer, unit, ratio, target, met }`. */
export const openReport = () => {
  const rows = [];
  const amount = (value, unit) => `${value.toPrecision(3)} ${unit}`;
  process.stdout.write(`${''.padEnd(78)}${'ours'.padStart(12)}${'peer'.padStart(12)}\n`);
  return {
    /**
     * Records a comparison. `target`: `{ atLeast }` or `{ atMost }` for `ratio`, or nothing where none was set. The ratio is
     * peer / ours, times as fast as the peer, unless another is given.
     */
    record(name, { ours, peer, unit, ratio = peer / ours, target, ...more }) {
      const limit = target?.atLeast ?? target?.atMost;
      const met = limit === undefined ? undefined : target.atLeast === undefined ? ratio <= limit : ratio >= limit;
      rows.push({ name, ours, peer, unit, ratio, ...(limit === undefined ? {} : { target: limit, met }), ...more });
      const verdict = limit === undefined ? '' : ` (target ${target.atLeast === undefined ? '≤' : '≥'} ${limit}: ${met ? 'met' : 'NOT met'})`;
      process.stdout.write(`${name.padEnd(78)}${amount(ours, unit).padStart(12)}${amount(peer, unit).padStart(12)}   ×${ratio.toFixed(2)}${verdict}\n`);
    },
    write: (name) => {
      writeResults(name, rows);
    },
  };
};
