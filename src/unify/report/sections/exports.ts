/** The files that serving loads. */
import { html } from '../html.js';
import { bytes, fixed } from '../numbers.js';
import type { SectionOf } from '../section.js';
import { table } from '../table.js';

export const exportsSection: SectionOf = ({ exports }) => {
  if (exports.length === 0) return null;
  return {
    id: 'exports',
    title: 'Exports',
    body: html`<p>One self-contained checkpoint per surface, with its own tower, features and tables alone. Held-out rows were replayed through each, and its predictions compared with the trained model’s.</p>
${table(
  'Exports',
  [
    { title: 'surface' },
    { title: 'folder, in the workspace' },
    { title: 'size', kind: 'number' },
    { title: 'features', kind: 'number' },
    { title: 'tables' },
    { title: 'dense layers' },
    { title: 'largest difference', kind: 'number' },
    { title: 'AUC lost', kind: 'number' },
  ],
  exports.map((one) => [one.surface, html`<code>${one.directory}</code>`, bytes(one.bytes), String(one.features), one.tables, one.dense, one.maxDifference.toExponential(1), fixed(one.aucLoss, 6)]),
)}`,
  };
};
