import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { gzipSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { createLogWorkplace, homeConfig, LOG_START, requestLog, type LogWorkplace } from '../../test/support/log-workplace.js';
import { DataError, IoError, OnefoldError } from '../config/errors.js';
import type { FeatureConfig, ProjectConfig } from '../config/project.js';
import { prepare } from './prepare.js';

let place: LogWorkplace;
beforeEach(() => {
  place = createLogWorkplace();
});
afterEach(() => {
  // Whatever went wrong, nothing half-written stays.
  if (existsSync(place.path('work'))) expect(readdirSync(place.path('work'))).toEqual([]);
  place.remove();
});

const failure = async (config: ProjectConfig): Promise<OnefoldError> => {
  const error: unknown = await prepare(place.project(config)).catch((reason: unknown) => reason);
  expect(error).toBeInstanceOf(OnefoldError);
  return error as OnefoldError;
};

/** The error of a log in which `replace` stands for some columns. */
const failureOf = async (replace: string, config: ProjectConfig = homeConfig, columns = ''): Promise<OnefoldError> => {
  await place.write('home.parquet', `SELECT * REPLACE (${replace}) FROM (${requestLog({ columns })})`);
  return failure(config);
};

const withFeature = (name: string, feature: FeatureConfig): ProjectConfig => ({ ...homeConfig, features: { ...homeConfig.features, [name]: feature } });
const withSurface = (surface: Partial<ProjectConfig['surfaces'][string]>): ProjectConfig => ({ ...homeConfig, surfaces: { home: { source: { files: 'home.parquet' }, ...surface } } });

describe('columns', () => {
  test('a missing one, with the nearest name and all there are', async () => {
    await place.write('home.parquet', requestLog());
    const error = await failure(withFeature('country', { kind: 'categorical', side: 'request', column: 'contry' }));
    expect(error).toBeInstanceOf(DataError);
    expect(error.message).toMatch(/surface "home", feature "country": there is no column "contry"; did you mean "country"\? The source has "request_id", "user_id"/);
    expect(error).toMatchObject({ where: 'features.country.column', fix: 'set features.country.column to "country"' });
  });

  test('a missing key and a broken condition', async () => {
    await place.write('home.parquet', requestLog());
    expect((await failure(withSurface({ keys: { user: 'member' } }))).message).toMatch(/surface "home", the user key: there is no column "member"/);
    const error = await failure(withSurface({ where: 'tab = 1' }));
    expect(error.message).toMatch(/surface "home", its condition: there is no column "tab"/);
    expect(error.where).toBe('surfaces.home.where');
  });

  test('an expression that DuckDB refuses', async () => {
    await place.write('home.parquet', requestLog());
    const error = await failure(withFeature('age', { kind: 'number', side: 'request', column: 'age + country)' }));
    expect(error.message).toMatch(/surface "home", feature "age" \(age \+ country\)\)/);
    expect(error.where).toBe('features.age.column');
  });

  test.each<[string, FeatureConfig, RegExp]>([
    ['a list as an id', { kind: 'categorical', side: 'request', column: '[country]' }, /"\[country\]" is a list of texts \(VARCHAR\[\]\)/],
    ['a scalar as ids', { kind: 'multi', side: 'request', column: 'country' }, /"country" is text \(VARCHAR\)/],
    ['a time as a number', { kind: 'number', side: 'request', column: 'make_timestamp(time)' }, /is a date or time \(TIMESTAMP\)/],
    ['text as a vector', { kind: 'vector', side: 'request', size: 2, column: "['a', 'b']" }, /is a list of texts/],
    ['a struct as an id', { kind: 'categorical', side: 'request', column: "{'a': 1}" }, /is a nested or binary value/],
  ])('of a type that cannot hold the feature: %s', async (_, feature, message) => {
    await place.write('home.parquet', requestLog());
    const error = await failure(withFeature('extra', feature));
    expect(error.message).toMatch(message);
    expect(error).toMatchObject({ where: 'features.extra.column', fix: expect.stringContaining('features.extra.column') as string });
  });
});

describe('values', () => {
  test.each([
    ['a label outside {0, 1}', 'CASE WHEN r = 3 AND c = 1 THEN 2 ELSE click::INT END AS click', 'task "click": label outside {0, 1}: 2', 11],
    ['a label that is no number', "CASE WHEN r = 3 AND c = 1 THEN 'yes' ELSE '0' END AS click", 'task "click": label outside {0, 1}: yes', 11],
    ['a number that is none', "CASE WHEN r = 3 AND c = 1 THEN '12 EUR' ELSE '7.5' END AS price", 'feature "price": not a number: 12 EUR', 11],
    ['NaN', "CASE WHEN r = 3 AND c = 1 THEN 'nan'::DOUBLE ELSE price END AS price", 'feature "price": NaN or infinite: nan', 11],
    ['infinity in a text', "CASE WHEN r = 3 AND c = 1 THEN 'inf' ELSE '1' END AS price", 'feature "price": NaN or infinite: inf', 11],
    ['NaN as an id', "CASE WHEN r = 3 AND c = 1 THEN 'nan'::FLOAT ELSE 1 END AS ad", 'feature "ad": NaN or infinite: nan', 11],
    ['no request', 'CASE WHEN r = 3 AND c = 1 THEN NULL ELSE request_id END AS request_id', 'the request key: missing: NULL', 11],
    ['no user', 'CASE WHEN r = 3 AND c = 1 THEN NULL ELSE user_id END AS user_id', 'the user key: missing: NULL', 11],
    ['no time', 'CASE WHEN r = 3 AND c = 1 THEN NULL ELSE time END AS time', 'the time: not a time: NULL', 11],
    ['a time in another unit', 'CASE WHEN r = 3 AND c = 1 THEN time * 1000 ELSE time END AS time', `the time: not a time: ${(LOG_START + 180_000) * 1000}`, 11],
    ['a time that is none', "CASE WHEN r = 3 AND c = 1 THEN 'soon' ELSE '2024-01-01 10:00:00' END AS time", 'the time: not a time: soon', 11],
    ['request features that differ', 'CASE WHEN r = 3 AND c = 1 THEN 99 ELSE age END AS age', 'one request id with different request columns: they differ in age', 10],
    ['users that differ', "CASE WHEN r = 3 AND c = 1 THEN 'other' ELSE user_id END AS user_id", 'one request id with different request columns: they differ in user_id', 10],
    ['times that differ', 'CASE WHEN r = 3 AND c = 1 THEN time + 1 ELSE time END AS time', 'one request id with different request columns: they differ in time', 10],
  ])('%s', async (_, replace, reason, row) => {
    const error = await failureOf(replace);
    expect(error).toBeInstanceOf(DataError);
    const request = reason.startsWith('the request key') ? '' : ' (request r3)';
    expect(error.message).toContain(`${place.path('home.parquet')} row ${row}${request}: ${reason}`);
    expect(error).toMatchObject({ where: `${place.path('home.parquet')}:${row}`, expected: expect.any(String) as string, fix: expect.stringContaining('quarantine') as string });
  });

  test('counts per reason, and only the first rows', async () => {
    const error = await failureOf('2 AS click, CASE WHEN r < 2 THEN NULL ELSE user_id END AS user_id');
    expect(error.message).toContain('surface "home" has 120 bad rows:\n  6 × the user key: missing (expected a value in every row)\n  114 × task "click": label outside {0, 1}');
    expect(error.message.match(/home\.parquet row/g)).toHaveLength(5);
  });

  test('a view type that is not declared', async () => {
    const config = withSurface({ viewType: 'slot', viewTypes: ['grid'] });
    const error = await failureOf("CASE WHEN r = 3 THEN 'rail' ELSE 'grid' END AS slot", config, ", '' AS slot");
    expect(error.message).toContain('row 10 (request r3): the view type: view type not declared: rail');
  });

  test("an outside model's prediction that is no probability", async () => {
    const config: ProjectConfig = { ...homeConfig, data: { outside: { click: 'theirs' } } };
    expect((await failureOf("CASE WHEN r = 3 AND c = 1 THEN 1.5 ELSE 0.5 END AS theirs", config, ', 0.5 AS theirs')).message).toContain(
      `${place.path('home.parquet')} row 11 (request r3): the outside model's "click": not a probability: 1.5`,
    );
    expect((await failureOf('r AS r', config)).message).toMatch(/surface "home", the outside model's "click": there is no column "theirs"/);
  });

  test('a vector of the wrong size or with a hole', async () => {
    const config = withFeature('image', { kind: 'vector', side: 'candidate', size: 2 });
    expect((await failureOf('CASE WHEN r = 3 THEN [1.0] ELSE [1.0, 2.0] END AS image', config, ', [0.0] AS image')).message).toContain('row 10 (request r3): feature "image": wrong size: 1 numbers');
    expect((await failureOf('CASE WHEN r = 3 THEN [NULL, 1.0] ELSE [1.0, 2.0] END AS image', config, ', [0.0] AS image')).message).toContain('feature "image": NaN, infinite or missing element');
  });
});

describe('histories in the row', () => {
  const history: ProjectConfig = {
    ...homeConfig,
    features: { ...homeConfig.features, seen: { kind: 'sequence', length: 3, time: 'seen_at', fields: { ad: { column: 'seen_ads' }, gap: { kind: 'time_gap' } } } },
  };
  const columns = ', [1, 2] AS seen_ads, [time - 2000, time - 1000] AS seen_at';

  test('from the future', async () => {
    const error = await failureOf('CASE WHEN r = 3 THEN [time - 5, time] ELSE seen_at END AS seen_at', history, columns);
    expect(error.message).toMatch(/row 10 \(request r3\): feature "seen": history from the future: event at 2024-01-01 00:03:00, request at 2024-01-01 00:03:00/);
  });

  test('of several lengths, out of order, without a time', async () => {
    expect((await failureOf('CASE WHEN r = 3 THEN [1] ELSE seen_ads END AS seen_ads', history, columns)).message).toContain('feature "seen": its lists differ in length: seen.ad: 1, seen.@time: 2');
    expect((await failureOf('CASE WHEN r = 3 THEN list_reverse(seen_at) ELSE seen_at END AS seen_at', history, columns)).message).toContain('feature "seen", its event times: not oldest first');
    expect((await failureOf('CASE WHEN r = 3 THEN [NULL, time - 1] ELSE seen_at END AS seen_at', history, columns)).message).toContain('feature "seen", its event times: not a time');
  });
});

describe('events', () => {
  const events = (select: string): ProjectConfig => ({
    ...homeConfig,
    features: { ...homeConfig.features, clicks: { kind: 'sequence', length: 3, fields: { ad: {} }, events: { source: { files: 'events.parquet' }, ...(select === '' ? {} : { where: select }) } } },
  });

  test('without a user', async () => {
    await place.write('home.parquet', requestLog());
    await place.write('events.parquet', `SELECT 'a' AS ad, ${LOG_START} AS time, CASE WHEN i = 4 THEN NULL ELSE 'u1' END AS user_id FROM range(6) t(i)`);
    expect((await failure(events(''))).message).toMatch(/events of "clicks" has 1 bad row:[^]*events\.parquet row 5: the user of an event: missing: NULL/);
  });

  test('without a column', async () => {
    await place.write('home.parquet', requestLog());
    await place.write('events.parquet', `SELECT 'a' AS advert, ${LOG_START} AS time, 'u1' AS user_id`);
    expect((await failure(events(''))).message).toMatch(/events of "clicks", field "ad": there is no column "ad"/);
  });
});

describe('surfaces without rows', () => {
  test('none at all, or none that meet the condition', async () => {
    await place.write('home.parquet', `SELECT * FROM (${requestLog()}) WHERE r < 0`);
    expect((await failure(homeConfig)).message).toContain('surface "home" has no usable rows');
    await place.write('home.parquet', requestLog());
    expect((await failure(withSurface({ where: 'age > 200' }))).fix).toContain('age > 200');
  });

  test('none to train on', async () => {
    await place.write('home.parquet', requestLog());
    await place.write('search.parquet', `SELECT * REPLACE (time + 86400000 AS time) FROM (${requestLog()})`);
    const error = await failure({ ...homeConfig, surfaces: { home: { source: { files: 'home.parquet' } }, search: { source: { files: 'search.parquet' } } }, split: { validation: 0.2, test: 0.4 } });
    expect(error.message).toMatch(/surface "search" has no requests in the training range: they are from 2024-01-02T00:00:00\.000Z/);
  });
});

describe('files', () => {
  const reading = (files: string): ProjectConfig => withSurface({ source: { files } });

  test('that are not there', async () => {
    const error = await failure(reading('logs/*.parquet'));
    expect(error).toBeInstanceOf(DataError);
    expect(error.message).toBe(`surface "home": no file matches ${place.path('logs/*.parquet')}`);
  });

  test('of a format that the name does not tell', async () => {
    writeFileSync(place.path('home.dat'), 'x');
    expect((await failure(reading('home.dat'))).fix).toContain("format: 'parquet'");
  });

  test('truncated Parquet', async () => {
    await place.write('home.parquet', requestLog());
    const bytes = readFileSync(place.path('home.parquet'));
    writeFileSync(place.path('home.parquet'), bytes.subarray(0, bytes.length - 100));
    const error = await failure(homeConfig);
    expect(error).toBeInstanceOf(DataError);
    expect(error.message).toContain(place.path('home.parquet'));
    expect(error.message).toMatch(/truncated or damaged/);
  });

  test('truncated gzip', async () => {
    await place.write('whole.csv', requestLog());
    const bytes = gzipSync(readFileSync(place.path('whole.csv')));
    writeFileSync(place.path('home.csv.gz'), bytes.subarray(0, bytes.length / 2));
    expect((await failure(reading('home.csv.gz'))).message).toContain(`${place.path('home.csv.gz')} is truncated or damaged`);
  });

  test.each([
    ['a row cut off', (text: string) => text.slice(0, text.lastIndexOf(',')), /home\.csv line 121 is malformed or cut off: r39.*/],
    ['a value too many', (text: string) => text.replace(/\nr3,/, '\nr3,x,'), /home\.csv line 11 is malformed or cut off: r3,x,/],
    ['a quote that is not closed', (text: string) => text.replace(/\nr3,/, '\n"r3,'), /home\.csv line \d+ is malformed or cut off/],
    ['nothing in it', () => '', /home\.csv is empty/],
  ])('CSV with %s', async (_, change, message) => {
    await place.write('whole.csv', requestLog());
    writeFileSync(place.path('home.csv'), change(readFileSync(place.path('whole.csv'), 'utf8').trimEnd()));
    expect((await failure(reading('home.csv'))).message).toMatch(message);
  });

  test('cut-off JSONL', async () => {
    await place.write('whole.jsonl', requestLog());
    writeFileSync(place.path('home.jsonl'), readFileSync(place.path('whole.jsonl'), 'utf8').slice(0, -20));
    expect((await failure(reading('home.jsonl'))).message).toMatch(/home\.jsonl line \d+ is malformed or cut off/);
  });

  test('a query that DuckDB refuses', async () => {
    const error = await failure(withSurface({ source: { sql: "SELECT * FROM 'nowhere.parquet'" } }));
    expect(error.message).toContain('nowhere.parquet');
  });
});

test('a workspace that cannot be written', async () => {
  await place.write('home.parquet', requestLog());
  writeFileSync(place.path('occupied'), 'a file');
  const error = await failure({ ...homeConfig, workspace: 'occupied/work' });
  expect(error).toBeInstanceOf(IoError);
  expect(error.message).toContain('occupied/work: a part of the path is a file, not a folder');
  expect(error.fix).toContain('folder');
});
