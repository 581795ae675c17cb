import { afterAll, beforeAll, expect, it } from 'vitest';
import { createLogWorkplace, requestLog, type LogWorkplace } from '../../test/support/log-workplace.js';
import type { Project, ProjectConfig } from '../config/project.js';
import { prepare, type PreparedDataset } from '../data/prepare.js';
import { featureCoverage } from './coverage.js';

const CONFIG: ProjectConfig = {
  name: 'covered',
  workspace: 'work',
  surfaces: { home: { source: { files: 'home.parquet' } }, search: { source: { files: 'search.parquet' } } },
  features: {
    country: { kind: 'categorical', side: 'request' },
    age: { kind: 'number', side: 'request', surfaces: ['home'] },
    income: { kind: 'number', side: 'request', encoding: { type: 'bucket', boundaries: [2, 4] } },
    recent: { kind: 'sequence', length: 2, surfaces: ['search'], time: 'recent_time', fields: { ad: { column: 'recent' }, gap: { kind: 'time_gap' } } },
    // Most ads are seen once: not in the vocabulary, and a value all the same.
    ad: { kind: 'categorical', side: 'candidate', encoding: { type: 'vocabulary', minCount: 5 } },
    price: { kind: 'number', side: 'candidate' },
    tags: { kind: 'multi', side: 'candidate' },
    image: { kind: 'vector', side: 'candidate', size: 2, surfaces: ['home'] },
  },
  tasks: { click: { label: 'click' } },
  split: { validation: 0.1, test: 0.2 },
  // Several shards, with requests of both surfaces in each.
  data: { shardCandidates: 40 },
};

const COLUMNS = `, CASE WHEN r % 4 = 1 THEN NULL ELSE r % 6 END AS income,
  CASE WHEN (r + c) % 3 = 0 THEN [] WHEN (r + c) % 7 = 0 THEN NULL ELSE ['t' || c] END AS tags,
  CASE WHEN r % 2 = 0 THEN [1.5, c] END AS image,
  list_transform(range(r % 3), lambda i: 'a' || i) AS recent, list_transform(range(r % 3), lambda i: time - 9000 + i) AS recent_time`;
const NULLS = `* REPLACE (CASE WHEN r % 9 = 2 THEN NULL ELSE age END AS age, CASE WHEN (r * 3 + c) % 5 = 0 THEN NULL ELSE price END AS price)`;

let place: LogWorkplace;
let project: Project;
let prepared: PreparedDataset;

beforeAll(async () => {
  place = createLogWorkplace();
  await place.write('home.parquet', `SELECT ${NULLS} FROM (${requestLog({ columns: COLUMNS, requests: 90 })})`);
  await place.write('search.parquet', `SELECT ${NULLS} FROM (${requestLog({ columns: COLUMNS, requests: 70, candidates: 5, prefix: 's' })})`);
  project = place.project(CONFIG);
  prepared = await prepare(project);
});
afterAll(() => {
  place.remove();
});

/** Share of a log's training rows that meet a condition. */
const share = async (surface: string, side: 'request' | 'candidate', condition: string): Promise<number> => {
  const rows = side === 'request' ? 'SELECT DISTINCT ON (request_id) *' : 'SELECT *';
  const [found] = await place.rows<{ share: number }>(`SELECT avg((${condition})::INT) AS share FROM (${rows} FROM '@/${surface}.parquet' WHERE time < ${prepared.boundaries.validation})`);
  return found!.share;
};

it('is the share of training rows with a value, on every surface that has the feature', async () => {
  expect(prepared.splits.train.shards.length).toBeGreaterThan(3);
  const coverage = await featureCoverage(place.path('work/prepared'), prepared, project);
  expect(coverage.map(({ feature, side, kind }) => [feature, side, kind])).toEqual([
    ['country', 'request', 'categorical'],
    ['age', 'request', 'number'],
    ['income', 'request', 'number'],
    ['recent', 'request', 'sequence'],
    ['ad', 'candidate', 'categorical'],
    ['price', 'candidate', 'number'],
    ['tags', 'candidate', 'multi'],
    ['image', 'candidate', 'vector'],
  ]);
  const conditions: Readonly<Record<string, readonly [condition: string, surfaces: readonly string[]]>> = {
    country: ['country IS NOT NULL', ['home', 'search']],
    age: ['age IS NOT NULL', ['home']],
    income: ['income IS NOT NULL', ['home', 'search']],
    recent: ['len(recent) > 0', ['search']],
    ad: ['true', ['home', 'search']],
    price: ['price IS NOT NULL', ['home', 'search']],
    tags: ['coalesce(len(tags), 0) > 0', ['home', 'search']],
    image: ['image IS NOT NULL', ['home']],
  };
  for (const { feature, side, present } of coverage) {
    const [condition, surfaces] = conditions[feature]!;
    expect(Object.keys(present)).toEqual(surfaces);
    for (const surface of surfaces) expect(present[surface], `${feature} on ${surface}`).toBeCloseTo(await share(surface, side, condition), 12);
  }
});

it('says nothing of a surface without training rows', async () => {
  const { train } = prepared.splits;
  const emptied = { ...prepared, splits: { ...prepared.splits, train: { ...train, shards: [] } } };
  const coverage = await featureCoverage(place.path('work/prepared'), emptied, project);
  expect(coverage.map(({ present }) => present)).toEqual(coverage.map(() => ({})));
});

it('counts only files that are what the manifest says', async () => {
  await place.write(`work/prepared/${prepared.splits.train.shards[1]!.candidates.path}`, 'SELECT 1 AS price');
  await expect(featureCoverage(place.path('work/prepared'), prepared, project)).rejects.toThrow(/its manifest says/);
});
