import { appendFileSync, existsSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { createLogWorkplace, homeConfig, LOG_START, requestLog, type LogWorkplace } from '../../test/support/log-workplace.js';
import type { ProjectConfig } from '../config/project.js';
import { openDataset } from './dataset.js';
import { loadPrepared } from './load-prepared.js';
import type { MergeReport } from './merge-report.js';
import { renderMergeReport } from './merge-report-table.js';
import { prepare, type PreparedDataset } from './prepare.js';

let place: LogWorkplace;
beforeEach(() => {
  place = createLogWorkplace();
});
afterEach(() => place.remove());

const twoSurfaces: ProjectConfig = {
  ...homeConfig,
  surfaces: {
    home: { source: { files: 'home-*.parquet' }, viewType: 'slot', viewTypes: ['grid', 'carousel'] },
    search: { source: { files: 'search.csv' }, keys: { request: 'query_id', time: 'at', timeUnit: 's' } },
  },
  features: {
    country: { kind: 'categorical', side: 'request' },
    age: { kind: 'number', side: 'request', on: { search: { column: 'user age' } } },
    query: { kind: 'categorical', side: 'request', surfaces: ['search'] },
    ad: { kind: 'categorical', side: 'candidate' },
    price: { kind: 'number', side: 'candidate' },
    colors: { kind: 'multi', side: 'candidate', surfaces: ['home'] },
    image: { kind: 'vector', side: 'candidate', surfaces: ['home'], size: 2 },
  },
  tasks: { click: { label: 'click' }, save: { label: 'saved', surfaces: ['home'] } },
};

const writeTwoSurfaces = async (): Promise<void> => {
  const slot = `, CASE WHEN r % 2 = 0 THEN 'grid' ELSE 'carousel' END AS slot, ['red', 'c' || c] AS colors, [c, r / 10]::FLOAT[] AS image,
    CASE WHEN c = 0 THEN NULL ELSE (c = 1)::INT END AS saved`;
  await place.write('home-1.parquet', `SELECT * FROM (${requestLog({ columns: slot })}) WHERE r < 20`);
  await place.write('home-2.parquet', `SELECT * FROM (${requestLog({ columns: slot })}) WHERE r >= 20`);
  await place.write(
    'search.csv',
    `SELECT request_id AS query_id, user_id, time / 1000 + 30 AS at, country, age AS "user age", 'q' || r % 4 AS query, ad, price, click::INT AS click FROM (${requestLog({ prefix: 's', candidates: 2 })})`,
  );
};

const shard = (prepared: PreparedDataset, split: 'train' | 'validation' | 'test', side: 'requests' | 'candidates'): string =>
  `read_parquet('@/work/prepared/${prepared.splits[split].shards[0]![side].path}')`;

describe("an outside model's predictions", () => {
  const outside = `, CASE WHEN c = 2 THEN NULL ELSE 1 / (2.0 + r + c) END AS theirs`;

  test('are kept beside the labels, NULL where there are none, and change the key', async () => {
    await place.write('home.parquet', requestLog({ columns: outside }));
    const without = await prepare(place.project(homeConfig));
    const prepared = await prepare(place.project({ ...homeConfig, data: { outside: { click: 'theirs' } } }));
    expect(prepared.reused).toBe(false);
    expect(prepared.key).not.toBe(without.key);
    const rows = await place.rows<{ request: number; candidate: number; theirs: number | null }>(
      `SELECT substr("@request_id", 2)::INT AS request, (row_number() OVER () - 1) % 3 AS candidate, "outside.click" AS theirs FROM ${shard(prepared, 'test', 'candidates')} c
       POSITIONAL JOIN (SELECT "@request_id", unnest(range("@candidate_count")) FROM ${shard(prepared, 'test', 'requests')})`,
    );
    expect(rows).toHaveLength(24);
    for (const { request, candidate, theirs } of rows) {
      if (Number(candidate) === 2) expect(theirs).toBeNull();
      else expect(theirs).toBeCloseTo(1 / (2 + request + Number(candidate)), 12);
    }

    const dataset = await openDataset(place.path('work/prepared'), prepared, 'test', { tasks: ['click'], batchCandidates: 100 });
    for await (const { shard: read } of dataset.iterateShards()) {
      expect([...read.outsides.get('click')!]).toEqual(rows.map(({ theirs }) => theirs ?? NaN));
      expect(read.truths.size).toBe(0);
    }
    dataset.close();
  });
});

describe('two surfaces', () => {
  test('become one dataset, split by time, request-grouped', async () => {
    await writeTwoSurfaces();
    const steps = new Set<string>();
    const prepared = await prepare(place.project(twoSurfaces), { onProgress: ({ step }) => steps.add(step) });

    expect(prepared.reused).toBe(false);
    expect([...steps]).toEqual(['fingerprint', 'read', 'stage', 'merge', 'encode', 'write']);
    expect(readdirSync(place.path('work'))).toEqual(['prepared']);
    expect(prepared.encoders.viewTypes).toEqual(expect.arrayContaining(['home/grid', 'home/carousel', 'search/search']));
    // 80 requests: 56 to train, 8 to validate, 16 to test; both surfaces alternate.
    expect(prepared.splits.train.counts).toEqual({
      home: { requests: 28, candidates: 84, positives: { click: 21, save: 28 }, labelled: { click: 84, save: 56 } },
      search: { requests: 28, candidates: 56, positives: { click: 14, save: 0 }, labelled: { click: 56, save: 0 } },
    });
    expect(prepared.splits.validation.counts['home']!.requests).toBe(4);
    expect(prepared.splits.test.counts['search']!.requests).toBe(8);
    expect(prepared.boundaries).toEqual({
      from: LOG_START,
      validation: LOG_START + 28 * 60_000,
      test: LOG_START + 32 * 60_000,
      until: LOG_START + 39 * 60_000 + 30_001,
    });
    const requests = await place.rows<Record<string, unknown>>(`SELECT * FROM ${shard(prepared, 'train', 'requests')}`);
    expect(requests).toHaveLength(56);
    expect(requests.map((row) => row['@request_id'] ?? row['request_id']).slice(0, 4)).toEqual(['r0', 's0', 'r7', 's7']);
    expect(await loadPrepared(prepared.directory, { verify: true })).toMatchObject({ key: prepared.key });
  });

  test('keep raw rows in the merged schema for replay', async () => {
    await writeTwoSurfaces();
    const prepared = await prepare(place.project(twoSurfaces));
    const home = await place.rows<Record<string, unknown>>(`SELECT * FROM '@/work/prepared/${prepared.rawRows['home']!.path}' LIMIT 2`);
    expect(home).toEqual([
      { '@request_id': 'r32', '@user_id': 'u4', '@time': LOG_START + 32 * 60_000, '@view_type': 'grid', country: 'c2', age: 22, ad: 'ad44', price: 1.5, colors: ['red', 'c0'], image: [0, expect.closeTo(3.2)] },
      { '@request_id': 'r32', '@user_id': 'u4', '@time': LOG_START + 32 * 60_000, '@view_type': 'grid', country: 'c2', age: 22, ad: 'ad49', price: 2.5, colors: ['red', 'c1'], image: [1, expect.closeTo(3.2)] },
    ]);
    const [search] = await place.rows<Record<string, unknown>>(`SELECT * FROM '@/work/prepared/${prepared.rawRows['search']!.path}' LIMIT 1`);
    expect(search).toMatchObject({ '@request_id': 's32', '@view_type': 'search', query: 'q0' });
    expect(search).not.toHaveProperty('colors');
  });

  test('give a merge report', async () => {
    await writeTwoSurfaces();
    await prepare(place.project(twoSurfaces));
    const report = JSON.parse(readFileSync(place.path('work/prepared/merge-report.json'), 'utf8')) as MergeReport;
    const column = (name: string) => report.columns.find((candidate) => candidate.name === name)!;
    expect(report.surfaces).toEqual([
      { name: 'home', requests: 40, candidates: 120, requestsOutsideRange: 0 },
      { name: 'search', requests: 40, candidates: 80, requestsOutsideRange: 0 },
    ]);
    expect(column('country')).toMatchObject({ shared: true, side: 'request', coverage: 0.8, surfaces: { home: { rows: 40, missing: 0.2, distinct: 3, type: 'VARCHAR' } } });
    expect(column('age').surfaces['search']).toMatchObject({ column: 'user age', type: 'BIGINT', numbers: { min: 20, max: 49 } });
    expect(column('query')).toMatchObject({ shared: false, coverage: 0.5 });
    expect(Object.keys(column('query').surfaces)).toEqual(['search']);
    expect(column('colors').surfaces['home']).toMatchObject({ distinct: 4, meanLength: 2 });
    const text = renderMergeReport(report);
    expect(text).toContain('2 surfaces');
    expect(text).toContain('4 of 7 columns are shared');
  });
});

describe('layout request', () => {
  const nested: ProjectConfig = {
    ...homeConfig,
    surfaces: { home: { source: { files: 'home.jsonl.gz', layout: 'request' } } },
    features: {
      country: { kind: 'categorical', side: 'request' },
      ad: { kind: 'categorical', side: 'candidate', column: 'ads' },
      price: { kind: 'number', side: 'candidate', column: 'prices' },
    },
    tasks: { click: { label: 'list_transform(ads, lambda ad: list_contains(clicked, ad))' } },
  };
  const lists = `SELECT request_id, any_value(user_id) AS user_id, any_value(time) AS time, any_value(country) AS country,
    list(ad ORDER BY c) AS ads, CASE WHEN any_value(r) = 3 THEN NULL ELSE list(price ORDER BY c) END AS prices, list(ad ORDER BY c) FILTER (click) AS clicked
    FROM (${requestLog()}) GROUP BY 1 ORDER BY any_value(r)`;

  test('unnests candidate columns together', async () => {
    await place.write('home.jsonl.gz', lists);
    const prepared = await prepare(place.project(nested));
    const { home } = prepared.splits.train.counts;
    expect(home).toMatchObject({ requests: 28, candidates: 84, labelled: { click: 63 } });
    const raw = await place.rows<{ ad: string; price: number }>(`SELECT ad, price FROM '@/work/prepared/${prepared.rawRows['home']!.path}' LIMIT 3`);
    expect(raw).toEqual([{ ad: 'ad44', price: 1.5 }, { ad: 'ad49', price: 2.5 }, { ad: 'ad54', price: 3.5 }]);
    const [missing] = await place.rows<{ n: number }>(`SELECT count(*) AS n FROM ${shard(prepared, 'train', 'candidates')} WHERE price IS NULL`);
    expect(missing!.n).toBe(3);
  });

  test('refuses lists of several lengths and requests without candidates', async () => {
    await place.write('home.jsonl.gz', `SELECT * REPLACE (CASE WHEN request_id = 'r4' THEN [1.0] ELSE prices END AS prices, CASE WHEN request_id = 'r5' THEN [] ELSE ads END AS ads) FROM (${lists})`);
    const project = place.project({ ...nested, features: { ...nested.features, price: { kind: 'number', side: 'candidate', column: "CASE WHEN request_id = 'r5' THEN NULL ELSE prices END" } } });
    await expect(prepare(project)).rejects.toThrow(/home\.jsonl\.gz row 5 \(request r4\): candidate lists differ in length: ads: 3[^]*row 6 \(request r5\): a request without candidates/);
  });

  test('needs lists', async () => {
    await place.write('home.jsonl.gz', lists);
    const project = place.project({ ...nested, features: { ...nested.features, price: { kind: 'number', side: 'candidate', column: 'time' } } });
    await expect(prepare(project)).rejects.toThrow(/surface "home", feature "price": "time" is a number \(BIGINT\), not a list/);
  });
});

describe('preparing again', () => {
  test('does nothing when nothing has changed', async () => {
    await place.write('home.parquet', requestLog());
    const project = place.project(homeConfig);
    const first = await prepare(project);
    const { mtimeMs } = statSync(place.path('work/prepared/manifest.json'));
    const again = await prepare(project);
    expect(again).toEqual({ ...first, reused: true });
    expect(statSync(place.path('work/prepared/manifest.json')).mtimeMs).toBe(mtimeMs);
    expect((await prepare(project, { force: true })).reused).toBe(false);
    const otherModels = place.project({ ...homeConfig, data: { memoryLimit: '1GB' }, training: { seed: 5 } });
    expect((await prepare(otherModels)).reused).toBe(true);
  });

  test('gives the same bytes', async () => {
    await place.write('home.parquet', requestLog({ requests: 500 }));
    const project = place.project(homeConfig);
    const first = await prepare(project);
    const second = await prepare(project, { force: true });
    expect(second).toEqual(first);
  });

  test('notices changed sources, config and files', async () => {
    await place.write('home.parquet', requestLog());
    const project = place.project(homeConfig);
    const first = await prepare(project);
    const shards = first.splits.train.shards[0]!;
    appendFileSync(`${first.directory}/${shards.candidates.path}`, 'x');
    expect((await prepare(project)).reused).toBe(false);
    const changed = await prepare(place.project({ ...homeConfig, split: { validation: 0.2, test: 0.2 } }));
    expect(changed.reused).toBe(false);
    expect(changed.key).not.toBe(first.key);
    await place.write('home.parquet', requestLog({ requests: 41 }));
    const grown = await prepare(project);
    expect(grown.reused).toBe(false);
    expect(grown.sources[0]!.files[0]).toMatchObject({ path: 'home.parquet', bytes: statSync(place.path('home.parquet')).size });
    expect(grown.sources[0]!.files[0]!.sha256).not.toBe(first.sources[0]!.files[0]!.sha256);
  });

  test('fingerprints the files a query reads, relative to the config', async () => {
    await place.write('home.parquet', requestLog());
    const project = place.project({ ...homeConfig, surfaces: { home: { source: { sql: "SELECT * FROM 'home.parquet' WHERE r <> 1;" } } } });
    const first = await prepare(project);
    expect(first.sources[0]).toMatchObject({ surface: 'surface "home"', files: [{ path: 'home.parquet' }] });
    await place.write('home.parquet', requestLog({ requests: 44 }));
    expect((await prepare(project)).reused).toBe(false);
  });

  test('keeps the old dataset when it fails', async () => {
    await place.write('home.parquet', requestLog());
    const first = await prepare(place.project(homeConfig));
    await place.write('home.parquet', `SELECT * REPLACE (CASE WHEN r = 9 THEN 2 ELSE click::INT END AS click) FROM (${requestLog()})`);
    await expect(prepare(place.project(homeConfig))).rejects.toThrow(/label outside/);
    expect(readdirSync(place.path('work'))).toEqual(['prepared']);
    expect((await loadPrepared(first.directory, { verify: true })).key).toBe(first.key);
  });
});

describe('negative sampling', () => {
  test('keeps positives and a fraction of negatives, in training only, the same every time', async () => {
    await place.write('home.parquet', requestLog({ requests: 1000, candidates: 4 }));
    const sampled = { ...homeConfig, surfaces: { home: { source: { files: 'home.parquet' }, negativeSampling: { task: 'click', rate: 0.25 } } } };
    const all = await prepare(place.project(homeConfig));
    const prepared = await prepare(place.project(sampled));
    const before = all.splits.train.counts['home']!;
    const after = prepared.splits.train.counts['home']!;
    expect(prepared.sampling).toEqual({ home: { task: 'click', rate: 0.25 } });
    expect(after.positives).toEqual(before.positives);
    const negatives = before.candidates - before.positives['click']!;
    const kept = (after.candidates - after.positives['click']!) / negatives;
    expect(Math.abs(kept - 0.25)).toBeLessThan(3 * Math.sqrt((0.25 * 0.75) / negatives));
    expect(prepared.splits.test.counts).toEqual(all.splits.test.counts);
    expect((await prepare(place.project(sampled), { force: true })).splits).toEqual(prepared.splits);
  });
});

describe('sources', () => {
  test('a text file that two surfaces share is read once and split by condition', async () => {
    await place.write('log.csv', `SELECT *, (r % 2)::INT AS tab FROM (${requestLog()})`);
    const prepared = await prepare(
      place.project({ ...homeConfig, surfaces: { a: { source: { files: 'log.csv' }, where: 'tab = 0' }, b: { source: { files: 'log.csv' }, where: 'tab = 1' } } }),
    );
    expect(prepared.splits.train.counts['a']!.requests + prepared.splits.train.counts['b']!.requests).toBe(28);
  });

  test.each([['home.csv.gz'], ['home.csv.zst'], ['home.jsonl'], ['home.jsonl.zst'], ['home.tsv']])('%s', async (file) => {
    if (file.endsWith('.tsv')) {
      const rows = await place.rows<Record<string, unknown>>(`SELECT request_id, user_id, time, coalesce(country, '') AS country, age, ad, price, click FROM (${requestLog()})`);
      writeFileSync(place.path(file), [Object.keys(rows[0]!).join('\t'), ...rows.map((row) => Object.values(row).join('\t'))].join('\n'));
    } else await place.write(file, requestLog());
    const prepared = await prepare(place.project({ ...homeConfig, surfaces: { home: { source: { files: file } } } }));
    expect(prepared.splits.train.counts['home']).toMatchObject({ requests: 28, candidates: 84 });
  });

  test.each([
    ['a timestamp', 'make_timestamp(time * 1000)', undefined],
    ['a timestamp with an offset', "strftime(make_timestamp(time * 1000), '%Y-%m-%dT%H:%M:%S') || '+00:00'", undefined],
    ['seconds', 'time / 1000', 's' as const],
    ['microseconds', 'time * 1000', 'us' as const],
  ])('time as %s', async (_, time, timeUnit) => {
    await place.write('home.parquet', requestLog());
    const keys = timeUnit === undefined ? { time } : { time, timeUnit };
    const prepared = await prepare(place.project({ ...homeConfig, keys }));
    expect(prepared.boundaries).toMatchObject({ from: LOG_START, until: LOG_START + 39 * 60_000 + 1 });
  });

  test('ids that went through a float column stay whole', async () => {
    await place.write('home.parquet', `SELECT * REPLACE (CASE WHEN r % 2 = 0 THEN (r % 3)::DOUBLE END AS country) FROM (${requestLog()})`);
    const prepared = await prepare(place.project(homeConfig));
    const raw = await place.rows<{ country: string | null }>(`SELECT DISTINCT country FROM '@/work/prepared/${prepared.rawRows['home']!.path}' ORDER BY 1`);
    expect(raw.map((row) => row.country)).toEqual(['0', '1', '2', null]);
  });
});

describe('the split', () => {
  test('by moments leaves out what is outside, and says so', async () => {
    await place.write('home.parquet', requestLog());
    const at = (minute: number): string => new Date(LOG_START + minute * 60_000).toISOString();
    const prepared = await prepare(place.project({ ...homeConfig, split: { from: at(5), validationFrom: at(20), testFrom: at(25), until: at(30) } }));
    expect(Object.values(prepared.splits).map((split) => split.counts['home']!.requests)).toEqual([15, 5, 5]);
    const report = JSON.parse(readFileSync(place.path('work/prepared/merge-report.json'), 'utf8')) as MergeReport;
    expect(report.surfaces[0]!.requestsOutsideRange).toBe(15);
  });

  test('by fractions keeps equal times together', async () => {
    await place.write('home.parquet', `SELECT * REPLACE (${LOG_START} + (r // 10) * 1000 AS time) FROM (${requestLog()})`);
    const prepared = await prepare(place.project({ ...homeConfig, split: { validation: 0.3, test: 0.2 } }));
    expect(Object.values(prepared.splits).map((split) => split.counts['home']!.requests)).toEqual([20, 10, 10]);
  });
});

describe('quarantine', () => {
  test('sets bad rows aside with file, row, reason and content', async () => {
    await place.write(
      'home.parquet',
      `SELECT * REPLACE (CASE WHEN r = 2 AND c = 1 THEN 7 ELSE click::INT END AS click, CASE WHEN r = 3 AND c = 0 THEN 'nan'::DOUBLE ELSE price END AS price,
         CASE WHEN r = 4 AND c = 2 THEN 99 ELSE age END AS age) FROM (${requestLog()})`,
    );
    const prepared = await prepare(place.project({ ...homeConfig, data: { badRows: 'quarantine' } }));
    expect(prepared.quarantined).toBe(5);
    const rows = await place.rows<Record<string, string>>("SELECT * FROM '@/work/prepared/quarantine.parquet' ORDER BY row");
    expect(rows[0]).toMatchObject({ source: 'surface "home"', file: place.path('home.parquet'), row: 8, request_id: 'r2', reason: 'task "click": label outside {0, 1}', value: '7' });
    expect(JSON.parse(rows[0]!['content']!)).toMatchObject({ request_id: 'r2', click: 7 });
    expect(rows[1]).toMatchObject({ row: 10, reason: 'feature "price": NaN or infinite', value: 'nan' });
    expect(rows.slice(2)).toEqual([13, 14, 15].map((row) => expect.objectContaining({ row, value: 'they differ in age' }) as unknown));
    const { requests, candidates } = prepared.splits.train.counts['home']!;
    expect({ requests, candidates }).toEqual({ requests: 27, candidates: 79 });
    const report = JSON.parse(readFileSync(place.path('work/prepared/merge-report.json'), 'utf8')) as MergeReport;
    expect(report.badRows).toHaveLength(3);
  });

  test('names rows of several text files by their place in each', async () => {
    await place.write('a.csv', `SELECT * REPLACE (click::INT AS click) FROM (${requestLog({ requests: 10, prefix: 'a' })})`);
    await place.write('b.csv', `SELECT * REPLACE (CASE WHEN r = 3 AND c = 0 THEN 5 ELSE click::INT END AS click) FROM (${requestLog({ requests: 30, prefix: 'b' })})`);
    const project = place.project({ ...homeConfig, surfaces: { home: { source: { files: ['a.csv', 'b.csv'] } } } });
    await expect(prepare(project)).rejects.toThrow(/b\.csv row 10 \(request b3\): task "click": label outside \{0, 1\}: 5/);
    expect(existsSync(place.path('work/prepared'))).toBe(false);
  });
});
