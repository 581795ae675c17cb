import type { Trial } from '../report.js';
import { html, type Html } from './html.js';
import { mark } from './marks.js';
import { fixed, percent } from './numbers.js';
import { table } from './table.js';

const settingsText = ({ settings }: Trial): string => {
  const entries = Object.entries(settings);
  return entries.length === 0 ? 'as declared' : entries.map(([path, value]) => `${path} ${typeof value === 'string' ? value : JSON.stringify(value)}`).join(', ');
};

/** A sweep's settings and their validation losses. */
export const trialTable = (label: string, trials: readonly Trial[]): Html =>
  table(
    label,
    [{ title: 'settings' }, { title: 'part of the steps', kind: 'number' }, { title: 'validation loss', kind: 'number' }, { title: '' }],
    trials.map((trial) => [settingsText(trial), percent(trial.budget), fixed(trial.loss, 5), trial.chosen ? mark('good', '✓ chosen') : html``]),
  );
