/**
 * A shop of two surfaces whose logs use every way a raw value can be written: ids as integers, texts and booleans, other
 * column names and expressions per surface, times in seconds and timestamps, histories in the row and joined from events,
 * training-only positions, view types and negative down-sampling.
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Project, ProjectConfig } from '../../src/config/project.js';
import { resolveProject } from '../../src/config/resolve.js';
import { openDatabase, quoteLiteral } from '../../src/data/duckdb.js';

const training = { batchSize: 64, epochs: 2, threads: 1, warmupSteps: 2 } as const;
const small = { embedding: { width: 4 }, cross: { layers: 1 }, mlp: [8], tower: [4] } as const;

export const SHOP_CONFIG: ProjectConfig = {
  name: 'shop',
  surfaces: {
    feed: {
      source: { files: 'feed.parquet' },
      keys: { request: 'rid', user: 'uid', time: 'ts' },
      viewType: 'slot',
      viewTypes: ['grid', 'list'],
    },
    search: {
      source: { files: 'search.csv' },
      keys: { request: 'req', user: 'who', time: 'at', timeUnit: 's' },
      negativeSampling: { task: 'click', rate: 0.5 },
    },
  },
  features: {
    user: { kind: 'categorical', side: 'request', on: { feed: { column: 'uid' }, search: { column: 'who' } }, encoding: { type: 'vocabulary', minCount: 1 } },
    member: { kind: 'categorical', side: 'request', surfaces: ['feed'] },
    query: { kind: 'categorical', side: 'request', surfaces: ['search'], column: 'q', encoding: { type: 'hash', buckets: 20 } },
    age: { kind: 'number', side: 'request', encoding: { type: 'log' } },
    // Joined from events.
    history: {
      kind: 'sequence',
      length: 4,
      events: { source: { files: 'events.parquet' }, user: 'uid', time: 'at' },
      fields: { item: { table: 'item' }, kind: {}, gap: { kind: 'time_gap' } },
    },
    // In the row, on feed alone, in seconds.
    recent: {
      kind: 'sequence',
      length: 3,
      surfaces: ['feed'],
      time: 'recent_at',
      timeUnit: 's',
      pooling: 'sum',
      fields: { item: { column: 'recent_items', table: 'item' }, gap: { kind: 'time_gap', width: 2 } },
    },
    item: { kind: 'categorical', side: 'candidate', on: { search: { column: 'ad' } }, encoding: { type: 'vocabulary', minCount: 2 } },
    is_new: { kind: 'categorical', side: 'candidate', surfaces: ['feed'] },
    brand: { kind: 'categorical', side: 'candidate' },
    price: { kind: 'number', side: 'candidate', on: { feed: { column: 'cents / 100.0' }, search: { column: 'euros' } }, encoding: { type: 'quantile', quantiles: 8 } },
    stock: { kind: 'number', side: 'candidate', surfaces: ['feed'], encoding: { type: 'bucket', boundaries: [5, 20] } },
    shape: { kind: 'vector', side: 'candidate', size: 2, surfaces: ['feed'] },
    tags: { kind: 'multi', side: 'candidate', maxLength: 2, pooling: 'max', surfaces: ['feed'] },
    position: { kind: 'categorical', side: 'candidate', trainingOnly: { serveAs: 1 }, encoding: { type: 'vocabulary', minCount: 1 } },
  },
  tasks: { click: { label: 'clicked' }, save: { label: 'saved', surfaces: ['feed'] } },
  split: { validation: 0.2, test: 0.25 },
  models: {
    unified: { preset: 'unified', ...small, dropout: 0.2 },
    full: {
      preset: 'unified',
      ...small,
      dropout: 0.2,
      transformer: { layers: 2, width: 8, heads: 2 },
      projection: { width: 4 },
      experts: { count: 2, hidden: [6] },
      lateFusion: true,
      taskWeighting: 'uncertainty',
    },
    separate: { preset: 'separate', ...small },
    linear: { preset: 'linear' },
  },
  training,
};

const START = 1_735_689_600; // 2025-01-01, in seconds

/** A whole number below `below` that depends on its place alone. */
const draw = (below: number, ...place: readonly (string | number)[]): string => `CAST(hash(${place.join(', ')}) % ${below} AS INTEGER)`;
const orNull = (value: string, ...place: readonly (string | number)[]): string => `CASE WHEN ${draw(7, ...place)} = 0 THEN NULL ELSE ${value} END`;

const FEED = `
  SELECT r AS rid, ${draw(12, 'r')} AS uid, make_timestamp((${START} + r * 600) * 1000000 + 123456) AS ts,
    CASE WHEN r % 3 = 0 THEN 'list' ELSE 'grid' END AS slot, r % 2 = 0 AS member, ${orNull(draw(60, 'r', 1), 'r', 2)} AS age,
    list_transform(range(r % 5), lambda i: ${draw(25, 'r', 'i', 3)}) AS recent_items,
    list_transform(range(r % 5), lambda i: ${START} + r * 600 - 4000 + 900 * i) AS recent_at,
    ${draw(25, 'r', 'c', 4)} AS item, ${orNull(`${draw(2, 'r', 'c', 5)} = 1`, 'r', 'c', 6)} AS is_new, 'b' || ${draw(4, 'r', 'c', 7)} AS brand,
    ${draw(5000, 'r', 'c', 8)} AS cents, ${draw(30, 'r', 'c', 9)} AS stock,
    ${orNull(`[${draw(100, 'r', 'c', 10)} / 50, 0.25::DOUBLE]`, 'r', 'c', 11)} AS shape,
    list_transform(range(${draw(4, 'r', 'c', 12)}), lambda i: 't' || ${draw(5, 'r', 'c', 'i')}) AS tags,
    c + 1 AS position, ${draw(100, 'r', 'c', 13)} < 30 + ${draw(25, 'r', 'c', 4)} AS clicked, ${orNull(`CAST(${draw(9, 'r', 'c', 14)} = 0 AS INTEGER)`, 'r', 'c', 15)} AS saved
  FROM range(160) AS requests(r), range(4) AS candidates(c) ORDER BY r, c`;

const SEARCH = `
  SELECT 's' || r AS req, ${draw(12, 'r', 20)} AS who, ${START} + r * 640 AS at, ${orNull(`'query ' || ${draw(9, 'r', 21)}`, 'r', 22)} AS q,
    ${draw(60, 'r', 23)} AS age, ${draw(25, 'r', 'c', 24)} AS ad, 'b' || ${draw(4, 'r', 'c', 25)} AS brand,
    ${draw(5000, 'r', 'c', 26)} / 100 AS euros, c + 1 AS position, CAST(${draw(100, 'r', 'c', 27)} < 20 AS INTEGER) AS clicked
  FROM range(150) AS requests(r), range(3) AS candidates(c) ORDER BY r, c`;

const EVENTS = `
  SELECT ${draw(12, 'e')} AS uid, make_timestamp((${START} + e * 171) * 1000000) AS at, ${draw(25, 'e', 30)} AS item, ['view', 'buy'][1 + ${draw(2, 'e', 31)}] AS kind
  FROM range(500) AS events(e)`;

/** Runs SQL; \`@/\` stands for the folder. */
export const runSql = async (directory: string, ...statements: readonly string[]): Promise<void> => {
  const database = await openDatabase({ threads: 1 });
  try {
    for (const sql of statements) await database.run(sql.replaceAll('@/', `${directory}/`));
  } finally {
    database.close();
  }
};

/** Rows of a query; \`@/\` stands for the folder. */
export const readSql = async <T>(directory: string, sql: string): Promise<T[]> => {
  const database = await openDatabase({ threads: 1 });
  try {
    return await database.rows<T>(sql.replaceAll('@/', `${directory}/`));
  } finally {
    database.close();
  }
};

/** Writes the shop's logs and its config into a folder. */
export const createShop = async (directory: string): Promise<Project> => {
  mkdirSync(directory, { recursive: true });
  await runSql(
    directory,
    `COPY (${FEED}) TO ${quoteLiteral(join(directory, 'feed.parquet'))} (FORMAT parquet)`,
    `COPY (${SEARCH}) TO ${quoteLiteral(join(directory, 'search.csv'))} (FORMAT csv, HEADER)`,
    `COPY (${EVENTS}) TO ${quoteLiteral(join(directory, 'events.parquet'))} (FORMAT parquet)`,
  );
  writeFileSync(join(directory, 'onefold.config.json'), JSON.stringify(SHOP_CONFIG));
  return resolveProject(SHOP_CONFIG, { file: join(directory, 'onefold.config.json') });
};
