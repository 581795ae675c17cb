/**
 * A log whose requests are heavy with what is known of the user: three event histories of up to 100 and 200 events, and
 * multi-valued interests, follows and segments. One surface, 16 candidates a request. Everything is a hash of its place,
 * so the same size gives the same log.
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const REQUESTS_PER_USER = 25;
const EVENTS_PER_USER = 350;
const DAYS = 44;
const REQUEST_DAYS = 14;
const START = Date.UTC(2026, 0, 1);
const DAY = 86_400_000;

const events = (source) => ({ source: { files: source }, user: 'user_id', time: 'time' });

const config = (folder) => {
  const source = join(folder, 'events.parquet');
  const item = { item: { table: 'item' }, action: {}, surface: {}, gap: { kind: 'time_gap' } };
  return {
    name: 'storage',
    surfaces: { home: { source: { files: join(folder, 'home.parquet'), layout: 'request' } } },
    features: {
      user: { kind: 'categorical', side: 'request', column: 'user_id' },
      country: { kind: 'categorical', side: 'request' },
      device: { kind: 'categorical', side: 'request' },
      interests: { kind: 'multi', side: 'request' },
      follows: { kind: 'multi', side: 'request' },
      segments: { kind: 'multi', side: 'request' },
      views: { kind: 'sequence', length: 200, events: events(source), fields: item },
      engagements: { kind: 'sequence', length: 100, events: { ...events(source), where: "action <> 'view'" }, fields: item },
      searches: { kind: 'sequence', length: 100, events: { ...events(source), where: "surface = 'search'" }, fields: { query: {}, gap: { kind: 'time_gap' } } },
      ad_id: { kind: 'categorical', side: 'candidate' },
      advertiser: { kind: 'categorical', side: 'candidate' },
      price: { kind: 'number', side: 'candidate', encoding: { type: 'log' } },
      position: { kind: 'categorical', side: 'candidate', trainingOnly: { serveAs: 1 } },
    },
    tasks: { click: { label: 'click' } },
  };
};

/** Writes the log and its config into `folder`. */
export const writeStorageLog = async (database, folder, requests) => {
  mkdirSync(folder, { recursive: true });
  const users = Math.ceil(requests / REQUESTS_PER_USER);
  await database.run('CREATE OR REPLACE MACRO uniform(a, b) AS (hash(a, b) % 1000003) / 1000003.0');
  await database.run('CREATE OR REPLACE MACRO popular(u, n) AS CAST(floor(pow(n, u)) AS INTEGER)');
  // Seven events in ten are about one of five topics that the user follows.
  await database.run(`COPY (
    SELECT u AS user_id, epoch_ms(CAST(${START} + uniform(u * 1000 + e, 'time') * ${DAYS * DAY} AS BIGINT)) AS time,
      CASE WHEN uniform(u * 1000 + e, 'own') < 0.7 THEN popular(uniform(u * 1000 + e, 'item'), 4000) * 50 + (u * 7 + CAST(hash(u, e, 'topic') % 5 AS INTEGER)) % 50
        ELSE popular(uniform(u * 1000 + e, 'any'), 200000) END AS item,
      ['view', 'click', 'long', 'save', 'hide'][1 + CAST(hash(u, e, 'action') % 5 AS INTEGER)] AS action,
      ['home', 'search', 'related'][1 + CAST(hash(u, e, 'surface') % 3 AS INTEGER)] AS surface,
      hash(u, e, 'query') % 20000 AS query
    FROM range(${users}) AS users(u), range(${EVENTS_PER_USER}) AS events(e)
  ) TO '${join(folder, 'events.parquet')}' (FORMAT parquet)`);
  await database.run(`COPY (
    SELECT r AS request_id, u AS user_id, epoch_ms(CAST(${START + (DAYS - REQUEST_DAYS) * DAY} + r * (${REQUEST_DAYS * DAY}.0 / ${requests}) AS BIGINT)) AS time,
      ['de', 'fr', 'it', 'us', 'gb'][1 + CAST(hash(u, 'country') % 5 AS INTEGER)] AS country,
      ['ios', 'android', 'web'][1 + CAST(hash(u, 'device') % 3 AS INTEGER)] AS device,
      list_transform(range(20), lambda i: hash(u, i, 'interest') % 500) AS interests,
      list_transform(range(40), lambda i: hash(u, i, 'follow') % 50000) AS follows,
      list_transform(range(8), lambda i: i || '/' || (hash(u, i, 'segment') % 10)) AS segments,
      list_transform(ads, lambda ad: ad) AS ad_id, list_transform(ads, lambda ad: ad % 5000) AS advertiser,
      list_transform(ads, lambda ad: round(uniform(ad, 'price') * 100, 2)) AS price,
      range(1, 17) AS position,
      list_transform(range(16), lambda i: CAST(hash(r, i, 'click') % 100 < 5 AS INTEGER)) AS click
    FROM (SELECT r, CAST(hash(r, 'user') % ${users} AS INTEGER) AS u, list_transform(range(16), lambda i: popular(uniform(r * 100 + i, 'ad'), 100000)) AS ads FROM range(${requests}) AS requests(r))
  ) TO '${join(folder, 'home.parquet')}' (FORMAT parquet)`);
  writeFileSync(join(folder, 'onefold.config.json'), JSON.stringify(config(folder)));
};
