/** Which surfaces have a feature, and which features matter where. */
import type { FeatureCoverage, FeatureImportance, UnifyReport } from '../../report.js';
import { barChart, type Bar } from '../charts/bar-chart.js';
import { figure, gallery } from '../charts/figure.js';
import { BLUE, ORANGE } from '../charts/palette.js';
import { foldIf, screenFold } from '../fold.js';
import { html, NOTHING, type Html } from '../html.js';
import { percent, signed } from '../numbers.js';
import type { SectionOf } from '../section.js';
import { groupedTable, table, type RowGroup } from '../table.js';

const SIDES = ['request', 'candidate'] as const;
const COLORS = { request: BLUE, candidate: ORANGE } as const;
const MOST_BARS = 7;
const MOST_OPEN_ROWS = 30;

const shareCell = (share: number | undefined): Html =>
  share === undefined ? html`<span class="sub">absent</span>` : html`<span class="heat" style="--share:${share.toFixed(2)}">${percent(share, share > 0 && share < 0.01 ? 1 : 0)}</span>`;

const coveragePart = (coverage: readonly FeatureCoverage[], surfaces: readonly string[]): Html => {
  if (coverage.length === 0) return NOTHING;
  const groups = SIDES.map((side): RowGroup => ({
    name: `${side} side`,
    rows: coverage.filter((one) => one.side === side).map(({ feature, kind, present }) => [feature, kind, ...surfaces.map((surface) => shareCell(present[surface]))]),
  }));
  const heading = [{ title: 'side' }, { title: 'feature' }, { title: 'kind' }, ...surfaces.map((surface) => ({ title: surface, kind: 'number' as const }))];
  return html`<h3>Coverage</h3>
<p>Share of rows that have a value, by surface. What a surface lacks gets a learned <em>absent</em> row, never a silent 0.</p>
${foldIf(coverage.length > MOST_OPEN_ROWS, `${coverage.length} features`, groupedTable('Feature coverage', heading, groups))}`;
};

/** The features that matter most, each side under a heading of its own. */
const barsOf = (found: readonly FeatureImportance[]): readonly Bar[] =>
  SIDES.flatMap((side) => {
    const own = found.filter((one) => one.side === side).toSorted((a, b) => b.aucLoss - a.aucLoss || (a.feature < b.feature ? -1 : 1));
    return own.length === 0 ? [] : [{ name: `${side} side`, value: null }, ...own.slice(0, MOST_BARS).map(({ feature, aucLoss }) => ({ name: feature, value: aucLoss, color: COLORS[side] }))];
  });

const importancePart = (importance: readonly FeatureImportance[], surfaces: readonly string[], tasks: readonly string[]): Html => {
  const [first] = tasks;
  const charts = surfaces.flatMap((surface, index) => {
    const found = importance.filter((one) => one.surface === surface && one.task === first);
    return found.length === 0 ? [] : [figure({ title: surface, note: `AUC of ${first ?? ''} lost when shuffled; up to ${MOST_BARS} a side` }, barChart(`importance-${index}`, { bars: barsOf(found), format: (value) => signed(value, 4) }))];
  });
  if (importance.length === 0) return NOTHING;
  const rows = importance.map(({ surface, feature, side, task, aucLoss, logLossRise }) => [surface, feature, side, task, signed(aucLoss, 5), `${signed(100 * logLossRise, 2)} %`]);
  return html`<h3>What matters where</h3>
<p>Permutation importance of the final model: what it loses on held-out rows of a surface when a feature’s values are shuffled among them. Features that say the same cover for each other, and then each seems to matter little.</p>
${gallery(charts)}${screenFold(
    `All ${importance.length} numbers`,
    table(
      'Permutation importance',
      [{ title: 'surface' }, { title: 'feature' }, { title: 'side' }, { title: 'task' }, { title: 'AUC lost', kind: 'number' }, { title: 'rise of log loss', kind: 'number' }],
      rows,
    ),
  )}`;
};

export const featuresSection: SectionOf = ({ coverage, importance, surfaces, tasks }: UnifyReport) =>
  coverage.length + importance.length === 0 ? null : { id: 'features', title: 'Features', body: html`${coveragePart(coverage, surfaces)}${importancePart(importance, surfaces, tasks)}` };
