/** What was unified, in which order and why. */
import type { SurfaceProfile, UnifyReport } from '../../report.js';
import { barChart } from '../charts/bar-chart.js';
import { figure, gallery } from '../charts/figure.js';
import { html, NOTHING, type Html } from '../html.js';
import { MEASURED } from '../marks.js';
import { bytes, count, fixed, flops, milliseconds, seconds } from '../numbers.js';
import type { SectionOf } from '../section.js';
import { table, type Column } from '../table.js';
import { listed } from '../words.js';

const COUNTED: readonly Column[] = [
  { title: 'surface' },
  { title: 'candidates / request', kind: 'number' },
  { title: 'events / request', kind: 'number' },
  { title: 'scoring a candidate', kind: 'number' },
  { title: 'training', kind: 'number' },
  { title: 'parameters', kind: 'number' },
  { title: 'tables', kind: 'number' },
];
const CLOCKED: readonly Column[] = [
  { title: 'training time *', kind: 'number' },
  { title: 'median latency *', kind: 'number' },
  { title: 'p99 latency *', kind: 'number' },
];

const profileTable = (profile: readonly SurfaceProfile[]): Html => {
  const isMeasured = profile.some(({ measured }) => measured !== undefined);
  const rows = profile.map((one) => [
    one.surface,
    fixed(one.candidatesPerRequest, 1),
    fixed(one.tokensPerRequest, 1),
    flops(one.flopsPerCandidate),
    one.trainingFlops === 0 ? null : flops(one.trainingFlops),
    count(one.parameters),
    bytes(one.tableBytes),
    ...(isMeasured ? [seconds(one.measured?.trainingSeconds), milliseconds(one.measured?.latency.p50), milliseconds(one.measured?.latency.p99)] : []),
  ]);
  return html`${table('Cost of each separate model', [...COUNTED, ...(isMeasured ? CLOCKED : [])], rows)}${isMeasured ? html`<p class="note">* ${MEASURED}</p>` : null}`;
};

const profileChart = (profile: readonly SurfaceProfile[], groups: readonly (readonly string[])[]): Html => {
  const placed = groups.flat();
  const ordered = profile.toSorted((a, b) => placed.indexOf(a.surface) - placed.indexOf(b.surface));
  return figure(
    { title: 'Scoring a candidate with the surface’s own model', note: 'FLOPs, in the order of unification' },
    barChart('order-profile', { bars: ordered.map(({ surface, flopsPerCandidate }) => ({ name: surface, value: flopsPerCandidate })), format: flops }),
  );
};

export const orderSection: SectionOf = ({ order }: UnifyReport) => {
  const { groups, reason, source, profile } = order;
  if (groups.length === 0) return null;
  return {
    id: 'order',
    title: 'What was unified, and in which order',
    body: html`<p>${reason}</p>
<ol class="steps">${groups.map((group) => html`<li>${listed(group)}</li>`)}</ol>
${source === 'cost' ? html`<p class="note">The order follows from the cost profile below.</p>\n` : null}${profile.length === 0 ? NOTHING : html`${gallery([profileChart(profile, groups)])}${profileTable(profile)}`}`,
  };
};
