import type { Feature, Project } from '../config/project.js';
import { quoteIdentifier, type Database } from './duckdb.js';
import { FIRST_VALUE_ROW, type NumberState, type TableState } from './encoder-state.js';
import { stagedTable, trainingRows } from './fit-vocabularies.js';
import type { StagedTables } from './staged.js';

type NumberFeature = Extract<Feature, { kind: 'number' }>;

/** How a number feature is encoded: as a number, or as a row of a bucket table. */
export type FittedNumber = { readonly type: 'number'; readonly encoding: NumberState } | { readonly type: 'bucket'; readonly table: TableState };

const DEFAULT_QUANTILES = 100;
const DEFAULT_BUCKETS = 10;

interface Moments {
  readonly mean: number | null;
  readonly deviation: number | null;
  readonly low: number | null;
  readonly high: number | null;
}

const quantiles = async (database: Database, staged: StagedTables, feature: NumberFeature, points: readonly number[]): Promise<readonly number[]> => {
  if (points.length === 0) return [];
  const [row] = await database.rows<{ points: number[] | null }>(
    `SELECT quantile_cont(${quoteIdentifier(feature.name)}, [${points.join(', ')}]) AS points
     FROM ${stagedTable(feature.side)} WHERE ${trainingRows(staged)}`,
  );
  return row?.points ?? [];
};

/** Mean, population deviation and range of a side's `standard` and `log` features, in one scan. */
const fitMoments = async (database: Database, staged: StagedTables, features: readonly NumberFeature[]): Promise<readonly Moments[]> => {
  const [first] = features;
  if (first === undefined) return [];
  const selected = features.map((feature, index) => {
    const column = quoteIdentifier(feature.name);
    const x = feature.encoding.type === 'log' ? `(sign(${column}) * ln(1 + abs(${column})))` : column;
    return `avg(${x}) AS mean${index}, stddev_pop(${x}) AS deviation${index}, min(${x}) AS low${index}, max(${x}) AS high${index}`;
  });
  const [row] = await database.rows<Record<string, number | null>>(
    `SELECT ${selected.join(', ')} FROM ${stagedTable(first.side)} WHERE ${trainingRows(staged)}`,
  );
  const value = (name: string): number | null => row?.[name] ?? null;
  return features.map((_, index) => ({
    mean: value(`mean${index}`),
    deviation: value(`deviation${index}`),
    low: value(`low${index}`),
    high: value(`high${index}`),
  }));
};

const affine = (log: boolean, { mean, deviation, low, high }: Moments): NumberState => ({
  type: 'affine',
  log,
  mean: mean ?? 0,
  // A constant has nothing to scale; rounding may leave it a deviation that is not quite 0.
  deviation: deviation === null || deviation === 0 || low === high ? 1 : deviation,
});

const fitBuckets = async (database: Database, staged: StagedTables, feature: NumberFeature): Promise<TableState> => {
  if (feature.encoding.type !== 'bucket') throw new TypeError(`"${feature.name}" has no bucket encoding`);
  const { boundaries: fixed, count = DEFAULT_BUCKETS } = feature.encoding;
  let boundaries: readonly number[];
  if (fixed === undefined) {
    const fractions = Array.from({ length: count }, (_, index) => index / count);
    const [lowest, ...inner] = await quantiles(database, staged, feature, fractions);
    // A boundary at the smallest value would leave the first bucket empty.
    boundaries = inner.filter((boundary) => lowest !== undefined && boundary > lowest);
  } else {
    boundaries = fixed;
  }
  const ascending = [...new Set(boundaries)].sort((a, b) => a - b);
  return { type: 'bucket', name: feature.table, rows: FIRST_VALUE_ROW + ascending.length + 1, boundaries: ascending };
};

const fitOne = async (database: Database, staged: StagedTables, feature: NumberFeature): Promise<FittedNumber> => {
  const { encoding } = feature;
  switch (encoding.type) {
    case 'quantile': {
      const last = (encoding.quantiles ?? DEFAULT_QUANTILES) - 1;
      const points = Array.from({ length: last + 1 }, (_, index) => (last === 0 ? 0.5 : index / last));
      return { type: 'number', encoding: { type: 'quantile', quantiles: await quantiles(database, staged, feature, points) } };
    }
    case 'bucket':
      return { type: 'bucket', table: await fitBuckets(database, staged, feature) };
    case 'none':
    case 'standard':
    case 'log':
      return { type: 'number', encoding: { type: 'affine', log: false, mean: 0, deviation: 1 } };
  }
};

/** Fits every number feature, by its name. */
export const fitNumbers = async (database: Database, staged: StagedTables, project: Project): Promise<ReadonlyMap<string, FittedNumber>> => {
  const fitted = new Map<string, FittedNumber>();
  const features = project.features.filter((feature) => feature.kind === 'number');
  for (const feature of features) fitted.set(feature.name, await fitOne(database, staged, feature));

  // Floating-point sums depend on the order of their terms: one thread adds the rows up in the order stored.
  const [setting] = await database.rows<{ threads: number }>(`SELECT current_setting('threads') AS threads`);
  await database.run('SET threads TO 1');
  try {
    for (const side of ['request', 'candidate'] as const) {
      const scaled = features.filter(({ side: own, encoding }) => own === side && (encoding.type === 'standard' || encoding.type === 'log'));
      const moments = await fitMoments(database, staged, scaled);
      scaled.forEach((feature, index) => {
        fitted.set(feature.name, { type: 'number', encoding: affine(feature.encoding.type === 'log', moments[index]!) });
      });
    }
  } finally {
    await database.run(`SET threads TO ${setting!.threads}`);
  }
  return fitted;
};
