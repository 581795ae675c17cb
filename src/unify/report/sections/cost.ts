/** What N models cost, and what one does. */
import type { CostColumn, UnifyReport } from '../../report.js';
import { barChart, type Bar } from '../charts/bar-chart.js';
import { figure, gallery } from '../charts/figure.js';
import { BLUE, ORANGE } from '../charts/palette.js';
import { html, NOTHING, type Html } from '../html.js';
import { MEASURED } from '../marks.js';
import { bytes, count, fixed, flops, milliseconds, ratioOf, seconds, times } from '../numbers.js';
import type { SectionOf } from '../section.js';
import { table, type Row } from '../table.js';

interface Measure {
  readonly title: string;
  readonly read: (column: CostColumn) => number | null | undefined;
  readonly text: (value: number | null | undefined) => string;
  readonly clocked?: boolean;
}

const MEASURES: readonly Measure[] = [
  { title: 'models', read: ({ models }) => models, text: (value) => fixed(value, 0) },
  { title: 'parameters', read: ({ parameters }) => parameters, text: count },
  { title: 'embedding tables', read: ({ tableBytes }) => tableBytes, text: bytes },
  { title: 'all exports', read: ({ exportBytes }) => exportBytes, text: bytes },
  { title: 'training', read: ({ trainingFlops }) => trainingFlops, text: flops },
  { title: 'scoring a candidate', read: ({ scoringFlops }) => scoringFlops, text: flops },
  { title: 'scoring, not broadcast', read: ({ expandedScoringFlops }) => expandedScoringFlops, text: flops },
  { title: 'training time', read: ({ measured }) => measured.trainingSeconds, text: seconds, clocked: true },
  { title: 'scoring memory', read: ({ measured }) => measured.scoringMemory, text: bytes, clocked: true },
];

const latencyMeasures = (surface: string): readonly Measure[] =>
  (['p50', 'p99'] as const).map((quantile) => ({ title: `${surface}: ${quantile === 'p50' ? 'median' : '99th percentile'} latency`, read: ({ measured }) => measured.latency[surface]?.[quantile], text: milliseconds, clocked: true }));

const measuresOf = (costs: readonly CostColumn[], surfaces: readonly string[]): readonly Measure[] => [
  ...MEASURES.filter(({ read }) => costs.some((column) => typeof read(column) === 'number')),
  ...surfaces.filter((surface) => costs.some(({ measured }) => measured.latency[surface] !== undefined)).flatMap(latencyMeasures),
];

const tableOf = (costs: readonly CostColumn[], measures: readonly Measure[]): Html => {
  const [first, second] = costs;
  const rows = measures.map((measure): Row => [measure.clocked === true ? `${measure.title} *` : measure.title, ...costs.map((column) => measure.text(measure.read(column))), ...(second === undefined ? [] : [times(ratioOf(measure.read(second), measure.read(first!)))])]);
  return table(
    'Costs',
    [{ title: '' }, ...costs.map(({ name, models }) => ({ title: `${name} (${models})`, kind: 'number' as const })), ...(second === undefined ? [] : [{ title: `${second.name} / ${first!.name}`, kind: 'number' as const }])],
    rows,
  );
};

const ratioChart = (separate: CostColumn, unified: CostColumn): Html => {
  const bars = MEASURES.filter(({ title }) => title !== 'models').flatMap(({ title, read, clocked = false }): readonly Bar[] => {
    const ratio = ratioOf(read(unified), read(separate));
    return ratio === null ? [] : [{ name: title, value: ratio, color: clocked ? ORANGE : BLUE }];
  });
  return figure(
    {
      title: 'Unified over separate, all models together',
      note: 'bars that end left of the line, at 1, are cheaper',
      legend: [{ name: 'counted', look: { color: BLUE, shape: 'square' } }, { name: 'measured on one machine', look: { color: ORANGE, shape: 'square' } }],
    },
    barChart('cost-ratios', { bars, format: times, reference: 1 }),
  );
};

const latencyChart = (separate: CostColumn, unified: CostColumn, surfaces: readonly string[]): Html => {
  const bars = surfaces.flatMap((surface): readonly Bar[] => {
    const [before, after] = [separate.measured.latency[surface], unified.measured.latency[surface]];
    if (before === undefined || after === undefined) return [];
    return [{ name: surface, value: null }, { name: 'separate', value: before.p50, color: ORANGE }, { name: 'unified', value: after.p50, color: BLUE }];
  });
  return bars.length === 0
    ? NOTHING
    : figure({ title: 'Median latency of scoring a request', note: 'one request at a time on one thread, measured on one machine' }, barChart('cost-latency', { bars, format: milliseconds }));
};

export const costSection: SectionOf = ({ costs, surfaces }: UnifyReport) => {
  if (costs.length === 0) return null;
  const [separate, unified] = ['separate', 'unified'].map((wanted) => costs.find(({ name }) => name === wanted));
  return {
    id: 'cost',
    title: 'Cost, many models against one',
    body: html`<p>FLOPs and bytes are counted, and are the same on any machine. Times, latencies and memory were ${MEASURED}: they compare the two columns, and are no promise for another machine.</p>
${separate === undefined || unified === undefined ? null : gallery([ratioChart(separate, unified), latencyChart(separate, unified, surfaces)])}${tableOf(costs, measuresOf(costs, surfaces))}<p class="note">* ${MEASURED}</p>\n`,
  };
};
