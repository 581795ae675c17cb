/** Calibration against the true probabilities, where the data is simulated. */
import type { CalibrationReport } from '../../report.js';
import { html, NOTHING, type Html } from '../html.js';
import { mark } from '../marks.js';
import { between, count, fixed, signed } from '../numbers.js';
import { table } from '../table.js';

const ONE_PERCENT = 0.01;

/** Within 1 %, or an interval that holds 1. */
const nearTruth = ({ after, interval }: CalibrationReport['truth'][number]): Html => {
  if (Math.abs(after - 1) <= ONE_PERCENT) return mark('good', '✓ within 1 %');
  return interval !== null && interval.low <= 1 && interval.high >= 1 ? mark('good', '✓ interval holds 1') : mark('bad', '✕ off by more');
};

const lossVerdict = ({ interval }: CalibrationReport['truthLoss'][number]): Html => {
  if (interval === null) return mark('plain', 'no interval');
  if (interval.low > 0) return mark('good', '▲ better');
  return interval.high < 0 ? mark('bad', '▼ worse') : mark('plain', '≈ no difference');
};

/** Both tables, or nothing where the true probabilities are not known. */
export const truthPart = ({ truth, truthLoss }: CalibrationReport): Html => {
  if (truth.length === 0 && truthLoss.length === 0) return NOTHING;
  const number = (title: string) => ({ title, kind: 'number' as const });
  return html`<h3>Against the true probabilities</h3>
<p>This data is simulated, so the true probability of every label is known. Ratios are sums of predictions over sums of true probabilities; their intervals hold what refitting on other users would change.</p>
${table(
  'Ratio to the true probabilities',
  [{ title: 'view type' }, { title: 'task' }, number('rows'), number('before'), number('one layer'), number('per view type'), number('interval'), { title: '' }],
  truth.map((one) => [one.viewType, one.task, count(one.rows), fixed(one.before, 3), fixed(one.global, 3), fixed(one.after, 3), between(one.interval, (value) => fixed(value, 3)), nearTruth(one)]),
)}${table(
    'Log loss expected under the true probabilities',
    [{ title: 'log loss expected for' }, number('before'), number('one layer'), number('per view type'), number('one layer − per view type'), number('interval'), { title: 'per view type is' }],
    truthLoss.map((one) => [one.task, fixed(one.before, 5), fixed(one.global, 5), fixed(one.after, 5), signed(one.difference, 6), between(one.interval, (value) => signed(value, 6)), lossVerdict(one)]),
  )}`;
};
