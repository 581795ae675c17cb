/** What is served: the quickstart's kind of model with histories of 100 events, and requests of 200 candidates. */
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ROOT, onefold } from '../onefold.mjs';

const CANDIDATES = 200;
const EVENTS = 100;

const QUICKSTART = JSON.stringify(join(ROOT, 'examples', 'quickstart', 'onefold.config.ts'));

const config = (models, features) => `import quickstart from ${QUICKSTART};
export default (environment) => {
  const config = quickstart(environment);
  return { ...config, features: { ...config.features, history: { ...config.features.history, length: ${EVENTS} }${features} }, models: ${models} };
};
`;

const FULL = `{
    preset: 'unified', embedding: { width: 16 }, cross: { rank: 96 }, mlp: [64, 32], tower: [32], projection: { width: 16 },
    transformer: { layers: 1, width: 32, read: 'candidate' }, experts: { count: 3, hidden: [32] },
    training: { epochs: 1 },
  }`;

/** As deep and wide as what pays off where traffic is large: some three times the work. */
const WIDE = `{
    preset: 'unified', embedding: { width: 32 }, cross: { rank: 192 }, mlp: [256, 128], tower: [64], projection: { width: 32 },
    transformer: { layers: 2, width: 64, read: 'candidate' }, experts: { count: 4, hidden: [64] },
    training: { epochs: 1 },
  }`;

/** A table of a gigabyte: 16.7 million hashed rows of 16 numbers. */
const LARGE = `{ preset: 'unified', embedding: { width: 16 }, mlp: [32], cross: { layers: 1 }, training: { epochs: 1  } }`;
const LARGE_FEATURE = ", ad_id: { kind: 'categorical', side: 'candidate', table: 'large' }, user: { kind: 'categorical', side: 'request', column: 'user_id', encoding: { type: 'hash', buckets: 16_700_000 } }";

/** Trains and exports where that was not done before; speed does not depend on how well it predicts. */
const exportOf = (name, model, features, ...args) => {
  const folder = join(ROOT, 'bench', '.work', name);
  const exported = join(folder, '.onefold', 'exports', 'served', 'search');
  if (existsSync(join(exported, 'manifest.json'))) return exported;
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, 'onefold.config.ts'), config(`{ served: ${model} }`, features));
  const data = join(ROOT, 'bench', '.work', 'marketplace');
  if (!existsSync(data)) onefold('simulate', data, '--candidates', '60000');
  for (const command of [['prepare'], ['train', 'served'], ['export', 'served', ...args]]) onefold(...command, '--config', folder, '--data', data);
  return exported;
};

export const servedExport = () => exportOf('served', FULL, '');
export const wideExport = () => exportOf('wide', WIDE, '');
export const largeExport = () => exportOf('large', LARGE, LARGE_FEATURE, '--rows', 'all');

const pick = (random, values) => values[Math.floor(random() * values.length)];

/** Requests with values that the export's vocabularies have, a few of them unknown. */
export const requestsFor = (encoders, count, random) => {
  const values = (table) => encoders.tables.find(({ name }) => name === table)?.values ?? ['1', '2', '3'];
  const valueOf = (column) => {
    if (column.kind === 'number') {
      // Within two deviations of the log's mean: far beyond it, float32 rounds differently in every engine, by more than scores may differ.
      const { log, mean, deviation } = column.encoding;
      const value = mean + deviation * (4 * random() - 2);
      return Math.max(0, Math.round(log ? Math.expm1(value) : value));
    }
    if (column.kind === 'vector') return Array.from({ length: column.size }, () => random() - 0.5);
    const table = encoders.tables.find(({ name }) => name === column.table);
    if (table.type === 'bucket') return Math.floor(random() * 100) / 10;
    return pick(random, values(column.table));
  };
  const now = 1_768_700_000_000;
  const side = (wanted) => encoders.columns.filter((column) => column.side === wanted && column.serveAs === undefined && !column.name.startsWith('history.'));
  const rowOf = (columns) => Object.fromEntries(columns.map((column) => [column.name, column.kind === 'ids' ? [valueOf(column), valueOf(column)] : valueOf(column)]));
  const field = (name) => {
    const column = encoders.columns.find((one) => one.name === `history.${name}`);
    return Array.from({ length: EVENTS }, () => pick(random, values(column.table)));
  };
  const viewType = encoders.viewTypes.find((name) => name.startsWith('search/')).slice('search/'.length);
  return Array.from({ length: count }, (_, index) => ({
    surface: 'search',
    viewType,
    requestId: `r${index}`,
    time: now,
    features: {
      ...rowOf(side('request')),
      'history.pin': field('pin'),
      'history.topic': field('topic'),
      'history.action': field('action'),
      'history.@time': Array.from({ length: EVENTS }, (_, event) => now - (EVENTS - event) * 3_600_000),
    },
    candidates: Array.from({ length: CANDIDATES }, () => rowOf(side('candidate'))),
  }));
};
