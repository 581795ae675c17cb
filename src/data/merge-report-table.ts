/** The merge report for people at a terminal. */
import Table from 'cli-table3';
import type { ColumnOnSurface, MergeReport } from './merge-report.js';

const percent = (share: number): string => `${(share * 100).toFixed(share > 0 && share < 0.1 ? 1 : 0)}%`;

const compact = new Intl.NumberFormat('en', { notation: 'compact', maximumFractionDigits: 1 });

const cell = (column: ColumnOnSurface | undefined): string => {
  if (column === undefined) return '–';
  const parts = [`${percent(column.missing)} missing`];
  if (column.numbers !== undefined) parts.push(`median ${compact.format(column.numbers.median)}`);
  else if (column.distinct !== undefined) parts.push(`~${compact.format(column.distinct)} values`);
  if (column.meanLength !== undefined) parts.push(`${column.meanLength.toFixed(1)} long`);
  return parts.join(', ');
};

/** Renders the report: a row per feature, shared ones first, a column per surface, then the rows left out. */
export const renderMergeReport = (report: MergeReport): string => {
  const names = report.surfaces.map((surface) => surface.name);
  const table = new Table({ head: ['feature', 'kind', 'side', 'shared', 'coverage', ...names], style: { head: [], border: [] } });
  const ordered = [...report.columns].sort((a, b) => Number(b.shared) - Number(a.shared));
  for (const column of ordered) {
    table.push([
      column.name,
      column.kind,
      column.side,
      column.shared ? `${Object.keys(column.surfaces).length} surfaces` : 'one surface',
      percent(column.coverage),
      ...names.map((name) => cell(column.surfaces[name])),
    ]);
  }
  const shared = report.columns.filter((column) => column.shared).length;
  const lines = [
    `${shared} of ${report.columns.length} columns are shared.`,
    ...report.surfaces.map((surface) => {
      const outside = surface.requestsOutsideRange === 0 ? '' : `, ${surface.requestsOutsideRange} requests outside the split's range left out`;
      return `${surface.name}: ${surface.requests} requests, ${surface.candidates} candidates${outside}`;
    }),
    ...report.badRows.map((bad) => `quarantined ${bad.rows} rows of ${bad.owner}: ${bad.reason}`),
  ];
  return `${table.toString()}\n${lines.join('\n')}`;
};
