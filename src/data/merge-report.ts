/** What the merge found: which features the surfaces share, and how each looks on each surface. */
import type { Feature, Project } from '../config/project.js';
import type { BadRowCount } from './bad-rows.js';
import { quoteIdentifier, type Database } from './duckdb.js';
import type { DescribedSurface } from './merge-declarations.js';
import { queryStep } from './sql-step.js';
import { STAGED_CANDIDATES, STAGED_REQUESTS, stagedColumns, type StagedColumn } from './staged.js';

/** One column of the merged schema on one surface; shares are of its requests or candidates, by the feature's side. */
export interface ColumnOnSurface {
  /** Column or expression it is mapped from; `undefined` for fields of joined events. */
  readonly column: string | undefined;
  /** Its type in the source. */
  readonly type: string | undefined;
  readonly rows: number;
  /** Share of rows without a value (for lists: NULL or empty). */
  readonly missing: number;
  /** Approximate number of distinct values (of lists: of their elements); `undefined` for numbers, vectors and times. */
  readonly distinct: number | undefined;
  /** Of numbers. */
  readonly numbers?: { readonly min: number; readonly median: number; readonly max: number; readonly typicalMagnitude: number; readonly nonZero: number };
  /** Of lists. */
  readonly meanLength?: number;
}

export interface MergedColumn {
  readonly name: string;
  readonly feature: string;
  readonly kind: Feature['kind'];
  readonly side: 'request' | 'candidate';
  /** On more than one surface. */
  readonly shared: boolean;
  /** Share of the rows of all surfaces that have a value. */
  readonly coverage: number;
  readonly surfaces: Readonly<Record<string, ColumnOnSurface>>;
}

export interface MergeReport {
  readonly version: 1;
  readonly project: string;
  readonly surfaces: readonly {
    readonly name: string;
    readonly requests: number;
    readonly candidates: number;
    /** Good requests outside the split's range, which are left out. */
    readonly requestsOutsideRange: number;
  }[];
  readonly columns: readonly MergedColumn[];
  /** Rows set aside, by source and reason. */
  readonly badRows: readonly BadRowCount[];
}

interface Statistics {
  readonly rows: number;
  readonly present: readonly number[];
  readonly distinct: readonly (number | null)[];
  readonly numbers: readonly (ColumnOnSurface['numbers'] | null)[];
  readonly lengths: readonly (number | null)[];
}

const isList = (column: StagedColumn): boolean => column.type.endsWith('[]');

const tableOf = (side: 'request' | 'candidate'): string => (side === 'request' ? STAGED_REQUESTS : STAGED_CANDIDATES);

/** Requests of a surface that medians are taken from, at most about this many: they need no more, and cost most here. */
const MEDIAN_REQUESTS = 50_000;

const aggregates = (column: StagedColumn, index: number, sampled: string): readonly string[] => {
  const name = quoteIdentifier(column.name);
  if (isList(column)) return [`count(*) FILTER (len(${name}) > 0) AS p${index}`, `avg(len(${name})) AS l${index}`];
  if (column.type !== 'DOUBLE') return [`count(${name}) AS p${index}`, `approx_count_distinct(${name}) AS d${index}`];
  return [
    `count(${name}) AS p${index}`,
    `min(${name}) AS min${index}`,
    `approx_quantile(${name}, 0.5) FILTER (${sampled}) AS median${index}`,
    `max(${name}) AS max${index}`,
    `approx_quantile(abs(${name}), 0.5) FILTER (${name} <> 0 AND ${sampled}) AS magnitude${index}`,
    `count(*) FILTER (${name} <> 0) AS nonzero${index}`,
  ];
};

type Row = Readonly<Record<string, number | null>>;

const numbersOf = (row: Row, index: number): ColumnOnSurface['numbers'] | null =>
  row[`min${index}`] === undefined || row[`min${index}`] === null
    ? null
    : {
        min: row[`min${index}`]!,
        median: row[`median${index}`]!,
        max: row[`max${index}`]!,
        typicalMagnitude: row[`magnitude${index}`] ?? 0,
        nonZero: row[`nonzero${index}`]!,
      };

/** Statistics of one side's columns by surface index: one scan, and one more for each column of id lists. */
const scanSide = async (database: Database, side: 'request' | 'candidate', columns: readonly StagedColumn[]): Promise<ReadonlyMap<number, Statistics>> => {
  const counts = await queryStep<{ surface: number; requests: number }>(database, 'the merge report', `SELECT "@surface" AS surface, count(*) AS requests FROM ${STAGED_REQUESTS} GROUP BY 1`);
  const strides = counts.map(({ surface, requests }) => `WHEN ${surface} THEN ${Math.ceil(requests / MEDIAN_REQUESTS)}`).join(' ');
  const sampled = `hash("@key") % CASE "@surface" ${strides} END = 0`;
  const list = columns.flatMap((column, index) => aggregates(column, index, sampled)).map((sql) => `, ${sql}`);
  const rows = await queryStep<Row>(database, 'the merge report', `SELECT "@surface" AS surface, count(*) AS rows${list.join('')} FROM ${tableOf(side)} GROUP BY 1`);
  const elements = new Map<string, number>();
  for (const [index, column] of columns.entries()) {
    if (column.type !== 'VARCHAR[]') continue;
    const distinct = await queryStep<{ surface: number; distinct: number }>(
      database,
      'the merge report',
      `SELECT surface, approx_count_distinct(value) AS distinct FROM (SELECT "@surface" AS surface, unnest(${quoteIdentifier(column.name)}) AS value FROM ${tableOf(side)}) GROUP BY 1`,
    );
    for (const found of distinct) elements.set(`${found.surface}/${index}`, found.distinct);
  }
  return new Map(
    rows.map((row) => [
      row['surface']!,
      {
        rows: row['rows']!,
        present: columns.map((_, index) => row[`p${index}`]!),
        distinct: columns.map((column, index) => (column.type === 'VARCHAR[]' ? (elements.get(`${row['surface']}/${index}`) ?? 0) : (row[`d${index}`] ?? null))),
        numbers: columns.map((_, index) => numbersOf(row, index)),
        lengths: columns.map((_, index) => row[`l${index}`] ?? null),
      },
    ]),
  );
};

const onSurface = (statistics: Statistics, index: number, described: DescribedSurface, column: StagedColumn): ColumnOnSurface => {
  const source = described.columns.find((candidate) => candidate.id === column.name);
  const numbers = statistics.numbers[index];
  const meanLength = statistics.lengths[index];
  return {
    column: source?.text,
    type: source?.type.sql,
    rows: statistics.rows,
    missing: (statistics.rows - statistics.present[index]!) / statistics.rows,
    distinct: statistics.distinct[index] ?? undefined,
    ...(numbers === null || numbers === undefined ? {} : { numbers }),
    ...(meanLength === null || meanLength === undefined ? {} : { meanLength }),
  };
};

/** What else the report tells. */
export interface MergeReportFacts {
  readonly described: readonly DescribedSurface[];
  readonly outsideRange: Readonly<Record<string, number>>;
  readonly badRows: readonly BadRowCount[];
}

/** Reads the merge report off the staging tables. */
export const buildMergeReport = async (database: Database, project: Project, facts: MergeReportFacts): Promise<MergeReport> => {
  const merged = new Map<string, MergedColumn>();
  const rowCounts = new Map<'request' | 'candidate', ReadonlyMap<number, Statistics>>();
  for (const side of ['request', 'candidate'] as const) {
    const columns = stagedColumns(project).filter((column) => column.side === side);
    const statistics = await scanSide(database, side, columns);
    rowCounts.set(side, statistics);
    const total = [...statistics.values()].reduce((sum, { rows }) => sum + rows, 0);
    for (const [index, column] of columns.entries()) {
      const feature = project.features.find((candidate) => candidate.name === column.feature)!;
      const own = project.surfaces.flatMap((surface, position) =>
        feature.surfaces.includes(surface.name) ? [[surface.name, onSurface(statistics.get(position)!, index, facts.described[position]!, column)] as const] : [],
      );
      const present = [...statistics.values()].reduce((sum, surface) => sum + surface.present[index]!, 0);
      merged.set(column.name, { name: column.name, feature: feature.name, kind: feature.kind, side, shared: own.length > 1, coverage: present / total, surfaces: Object.fromEntries(own) });
    }
  }
  return {
    version: 1,
    project: project.name,
    surfaces: project.surfaces.map((surface, index) => ({
      name: surface.name,
      requests: rowCounts.get('request')!.get(index)!.rows,
      candidates: rowCounts.get('candidate')!.get(index)!.rows,
      requestsOutsideRange: facts.outsideRange[surface.name] ?? 0,
    })),
    columns: stagedColumns(project).map((column) => merged.get(column.name)!),
    badRows: facts.badRows,
  };
};
