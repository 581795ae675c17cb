import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { OnefoldError, UsageError } from '../config/errors.js';
import { openDatabase } from '../data/duckdb.js';
import type { Database } from '../data/duckdb.js';
import { simulateMarketplace } from './marketplace.js';
import type { SimulationSummary } from './marketplace.js';
import { SURFACES, tasksOf } from './surface-definitions.js';

const CANDIDATES = 60_000;
let root: string;
let directory: string;
let summary: SimulationSummary;
let database: Database;

const logOf = (surface: string): string => `read_parquet('${directory}/logs/${surface}/*.parquet')`;
const one = async <T>(sql: string): Promise<T> => (await database.rows<T>(sql))[0]!;
/** Every surface's rows, each candidate a row. */
const candidatesSql = (columns: string): string =>
  SURFACES.map(
    ({ name }) => `SELECT '${name}' AS surface, user_id, time, view_type, ${columns} FROM ${logOf(name)}`,
  ).join(' UNION ALL ');

const digests = async (folder: string): Promise<Record<string, string>> => {
  const files = (await readdir(folder, { recursive: true, withFileTypes: true })).filter((entry) => entry.isFile());
  return Object.fromEntries(
    files.map((entry) => {
      const file = join(entry.parentPath, entry.name);
      return [file.slice(folder.length), createHash('sha256').update(readFileSync(file)).digest('hex')];
    }),
  );
};

beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'onefold-simulate-'));
  directory = join(root, 'market');
  summary = await simulateMarketplace({ directory, candidates: CANDIDATES, seed: 3 });
  database = await openDatabase();
});
afterAll(async () => {
  database.close();
  await rm(root, { recursive: true, force: true });
});

describe('what is written', () => {
  test('the same options give the same bytes, another seed other ones', async () => {
    const small = { candidates: 4_000, days: 3 };
    await simulateMarketplace({ directory: join(root, 'a'), seed: 1, ...small });
    await simulateMarketplace({ directory: join(root, 'b'), seed: 1, ...small });
    await simulateMarketplace({ directory: join(root, 'c'), seed: 2, ...small });
    const [a, b, c] = [await digests(join(root, 'a')), await digests(join(root, 'b')), await digests(join(root, 'c'))];
    expect(Object.keys(a)).toHaveLength(5);
    expect(a).toEqual(b);
    for (const file of Object.keys(a)) expect(c[file]).not.toBe(a[file]);
  });

  test('marketplace.json is the summary', () => {
    expect(JSON.parse(readFileSync(join(directory, 'marketplace.json'), 'utf8'))).toEqual(summary);
  });

  test('as many candidates as asked for, shared out as the surfaces define', () => {
    expect(Math.abs(summary.candidates / CANDIDATES - 1)).toBeLessThan(0.03);
    for (const surface of SURFACES) {
      const { candidates, requests } = summary.surfaces[surface.name];
      expect(candidates / summary.candidates).toBeCloseTo(surface.candidateShare, 1);
      expect(candidates / requests / surface.meanCandidates).toBeCloseTo(1, 1);
    }
  });

  test('a row is a request: lists of one row are equally long, positions count, requests are in time order', async () => {
    for (const surface of SURFACES) {
      const { name } = surface;
      const lists = ['advertiser', 'topic', 'format', 'price', 'ad_age_days', 'creative', 'tags', 'position', ...tasksOf(surface).flatMap((task) => [task, `p_${task}`])];
      const row = await one<Record<string, number | boolean>>(`
        SELECT count(*) AS requests, sum(len(ad_id)) AS candidates, count(DISTINCT request_id) AS ids, min(len(ad_id)) > 0 AS filled,
          bool_and(${lists.map((list) => `len(${list}) = len(ad_id)`).join(' AND ')}) AS equal,
          bool_and(position = range(1, len(ad_id) + 1)) AS positions,
          bool_and(len(list_distinct(ad_id)) = len(ad_id)) AS distinct_ads,
          bool_and(list_bool_and([len(vector) = 8 FOR vector IN creative])) AS vectors
        FROM ${logOf(name)}`);
      const { requests, candidates } = summary.surfaces[name];
      expect(row).toEqual({ requests, candidates, ids: requests, filled: true, equal: true, positions: true, distinct_ads: true, vectors: true });
      const order = await one<{ sorted: boolean; from: string; until: string }>(`
        SELECT bool_and(rising) AS sorted, min(time)::VARCHAR AS from, max(time)::VARCHAR AS until
        FROM (SELECT time, coalesce(time >= lag(time) OVER (ORDER BY request_id), true) AS rising FROM ${logOf(name)})`);
      expect(order.sorted).toBe(true);
      expect(order.from >= '2026-01-05').toBe(true);
      expect(order.until < '2026-01-19').toBe(true);
    }
  });

  test('surfaces have columns of their own and share users and ads', async () => {
    const columns = async (name: string): Promise<string[]> => (await database.rows<{ column_name: string }>(`DESCRIBE FROM ${logOf(name)}`)).map((row) => row.column_name);
    const [home, search, related] = [await columns('home_feed'), await columns('search'), await columns('related_pins')];
    expect(search.filter((name) => !home.includes(name))).toEqual(['query', 'query_length']);
    expect(related.filter((name) => !home.includes(name))).toEqual(['subject_pin', 'subject_topic']);
    expect(home.filter((name) => !related.includes(name))).toEqual(['hide', 'p_hide']);
    const shared = await one<{ users: number; ads: number }>(`
      SELECT count(*) FILTER (what = 'user') AS users, count(*) FILTER (what = 'ad') AS ads FROM (
        SELECT what, id FROM (${SURFACES.map(({ name }) => `SELECT '${name}' AS s, 'user' AS what, user_id AS id FROM ${logOf(name)} UNION ALL SELECT '${name}', 'ad', unnest(ad_id) FROM ${logOf(name)}`).join(' UNION ALL ')})
        GROUP BY ALL HAVING count(DISTINCT s) = 3)`);
    expect(shared.users).toBeGreaterThan(0.8 * summary.sizes.users);
    expect(shared.ads).toBeGreaterThan(0.6 * summary.sizes.ads);
  });

  test('some ages, prices, sensitivities and declarations are missing', async () => {
    const shares = await one<Record<string, number>>(`
      SELECT avg((age IS NULL)::INT) AS age, avg((sensitivity IS NULL)::INT) AS sensitivity, avg((declared IS NULL)::INT) AS declared FROM (
        SELECT user_id, any_value(age_bucket) AS age, any_value(price_sensitivity) AS sensitivity, any_value(declared_interests) AS declared
        FROM ${logOf('home_feed')} GROUP BY user_id)`);
    const { price } = await one<{ price: number }>(`SELECT avg((price IS NULL)::INT) AS price FROM (${candidatesSql('unnest(price) AS price')})`);
    expect(shares['age']).toBeGreaterThan(0.03);
    expect(shares['age']).toBeLessThan(0.2);
    expect(shares['sensitivity']).toBeGreaterThan(0.005);
    expect(shares['sensitivity']).toBeLessThan(0.15);
    expect(shares['declared']).toBeGreaterThan(0.08);
    expect(shares['declared']).toBeLessThan(0.35);
    expect(price).toBeGreaterThan(0.04);
    expect(price).toBeLessThan(0.25);
  });
});

describe('the truth', () => {
  test('labels are as frequent as their true probabilities, overall and where those are high', async () => {
    for (const surface of SURFACES) {
      for (const task of tasksOf(surface)) {
        const rows = await database.rows<{ z: number }>(`
          SELECT (sum(y) - sum(p)) / sqrt(sum(p * (1 - p))) AS z
          FROM (SELECT unnest(${task}) AS y, unnest(p_${task})::DOUBLE AS p FROM ${logOf(surface.name)})
          GROUP BY GROUPING SETS ((), (least(3, floor(p * 20))))`);
        for (const { z } of rows) expect(Math.abs(z), `${task} on ${surface.name}`).toBeLessThan(4.5);
      }
    }
  });

  test('base rates are as defined, and the floor is the entropy of the logged probabilities', async () => {
    for (const surface of SURFACES) {
      const click = summary.surfaces[surface.name].tasks.click!;
      expect(click.trueRate / surface.clickRate).toBeGreaterThan(0.85);
      expect(click.trueRate / surface.clickRate).toBeLessThan(1.15);
      const row = await one<{ entropy: number; loss: number; rate: number }>(`
        SELECT avg(-p * ln(p) - (1 - p) * ln(1 - p)) AS entropy, avg(-CASE y WHEN 1 THEN ln(p) ELSE ln(1 - p) END) AS loss, avg(y) AS rate
        FROM (SELECT unnest(click) AS y, unnest(p_click)::DOUBLE AS p FROM ${logOf(surface.name)})`);
      expect(click.entropyFloor).toBeCloseTo(row.entropy, 9);
      expect(click.logLoss).toBeCloseTo(row.loss, 9);
      expect(click.rate).toBeCloseTo(row.rate, 12);
    }
  });

  test('tasks hang together', async () => {
    const row = await one<{ strays: number; after: number; without: number }>(`
      SELECT count(*) FILTER (long_click = 1 AND click = 0) AS strays, avg(save) FILTER (click = 1) AS after, avg(save) FILTER (click = 0) AS without
      FROM (${candidatesSql('unnest(click) AS click, unnest(long_click) AS long_click, unnest(save) AS save')})`);
    expect(row.strays).toBe(0);
    expect(row.after).toBeGreaterThan(5 * row.without);
  });

  test('positions bias clicks', async () => {
    const row = await one<{ top: number; low: number }>(`
      SELECT avg(click) FILTER (position = 1) AS top, avg(click) FILTER (position BETWEEN 8 AND 12) AS low
      FROM (SELECT unnest(click) AS click, unnest(position) AS position FROM ${logOf('home_feed')})`);
    expect(row.top).toBeGreaterThan(1.5 * row.low);
  });

  test('popularity drifts over the days', async () => {
    const rows = await database.rows<{ topic: string; early: number; late: number }>(`
      SELECT topic, avg((time < TIMESTAMP '2026-01-08')::INT) AS early, avg((time >= TIMESTAMP '2026-01-16')::INT) AS late
      FROM (${candidatesSql('unnest(topic) AS topic')}) GROUP BY topic`);
    const ratios = rows.map(({ early, late }) => late / early);
    expect(Math.max(...ratios) / Math.min(...ratios)).toBeGreaterThan(1.4);
  });
});

describe('histories', () => {
  const events = (): string => `read_parquet('${directory}/events/*.parquet')`;

  test('events are in time order, start before the log and go on to its end', async () => {
    const row = await one<{ n: number; sorted: boolean; before: number; last: string }>(`
      SELECT count(*) AS n, bool_and(rising) AS sorted, count(*) FILTER (time < TIMESTAMP '2026-01-05') AS before, max(time)::VARCHAR AS last
      FROM (SELECT time, coalesce(time >= lag(time) OVER (ORDER BY file_row_number), true) AS rising FROM read_parquet('${directory}/events/*.parquet', file_row_number = true))`);
    expect(row).toMatchObject({ n: summary.events, sorted: true, before: summary.sizes.burnInEvents });
    expect(row.last > '2026-01-18 20').toBe(true);
  });

  test('every engagement with an ad follows an impression of it that was clicked or saved, strictly later', async () => {
    const row = await one<{ ads: number; engaged: number; explained: number }>(`
      WITH engaged AS (SELECT user_id, surface, time, ad FROM (${candidatesSql('unnest(ad_id) AS ad, unnest(click) AS click, unnest(save) AS save')}) WHERE click = 1 OR save = 1),
        ad_events AS (SELECT * FROM ${events()} WHERE pin_id <= ${summary.sizes.ads})
      SELECT (SELECT count(*) FROM ad_events) AS ads, (SELECT count(*) FROM engaged) AS engaged,
        (SELECT count(DISTINCT (engaged.user_id, engaged.time, ad, engaged.surface)) FROM ad_events JOIN engaged ON ad = pin_id AND engaged.user_id = ad_events.user_id
          AND ad_events.surface::VARCHAR = engaged.surface AND ad_events.time > engaged.time AND ad_events.time < engaged.time + INTERVAL 2 MINUTE) AS explained`);
    expect(row.ads).toBe(row.engaged);
    expect(row.explained).toBe(row.engaged);
  });

  test('a topic the user engaged with before the log is clicked more often', async () => {
    const row = await one<{ known: number; other: number }>(`
      WITH likes AS (SELECT user_id, topic FROM ${events()} WHERE time < TIMESTAMP '2026-01-05' GROUP BY ALL HAVING count(*) >= 5)
      SELECT avg(click) FILTER (likes.topic IS NOT NULL) AS known, avg(click) FILTER (likes.topic IS NULL) AS other
      FROM (SELECT user_id, unnest(topic) AS topic, unnest(click) AS click FROM ${logOf('home_feed')}) AS shown LEFT JOIN likes USING (user_id, topic)`);
    expect(row.known).toBeGreaterThan(1.4 * row.other);
  });
});

describe('refusals', () => {
  test('options out of range say what was expected', async () => {
    for (const [options, where] of [
      [{ candidates: 10, seed: 1 }, 'candidates'],
      [{ candidates: 1e4, seed: 0.5 }, 'seed'],
      [{ candidates: 1e4, seed: 1, days: 1 }, 'days'],
    ] as const) {
      const failure = simulateMarketplace({ directory: join(root, 'never'), ...options });
      await expect(failure).rejects.toBeInstanceOf(UsageError);
      await expect(failure).rejects.toMatchObject({ where });
    }
  });

  test('an interrupted simulation leaves nothing, and the earlier marketplace as it was', async () => {
    const stop = new AbortController();
    const target = join(root, 'interrupted');
    await simulateMarketplace({ directory: target, candidates: 1_000, seed: 1 });
    const before = await digests(target);
    const failure = simulateMarketplace({ directory: target, candidates: 200_000, seed: 1, force: true, signal: stop.signal, onProgress: () => stop.abort() });
    await expect(failure).rejects.toSatisfy((error) => error instanceof OnefoldError && error.code === 'interrupted');
    expect(await digests(target)).toEqual(before);
    expect((await readdir(root)).filter((name) => name.startsWith('.'))).toEqual([]);
  });

  test('a full folder stays as it is', async () => {
    const target = join(root, 'full');
    await simulateMarketplace({ directory: target, candidates: 1_000, seed: 1 });
    await writeFile(join(target, 'note.txt'), 'keep');
    await expect(simulateMarketplace({ directory: target, candidates: 1_000, seed: 2 })).rejects.toBeInstanceOf(UsageError);
    expect(await readdir(target)).toContain('note.txt');
  });
});
