import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { createLogWorkplace, homeConfig, requestLog, type LogWorkplace } from '../../test/support/log-workplace.js';
import { MergeError } from '../config/errors.js';
import type { FeatureConfig, ProjectConfig } from '../config/project.js';
import { prepare } from './prepare.js';

let place: LogWorkplace;
beforeEach(() => {
  place = createLogWorkplace();
});
afterEach(() => place.remove());

const config = (features: Record<string, FeatureConfig<'home' | 'search'>> = {}, files = 'search.parquet'): ProjectConfig => ({
  ...homeConfig,
  surfaces: { home: { source: { files: 'home.parquet' } }, search: { source: { files } } },
  features: { ...homeConfig.features, ...features },
});

/** Writes both logs, with columns of the second replaced. */
const write = async (replace: string, file = 'search.parquet', columns = ''): Promise<void> => {
  await place.write('home.parquet', requestLog({ columns }));
  await place.write(file, `SELECT * REPLACE (${replace}) FROM (${requestLog({ columns })})`);
};

const conflict = async (project: ProjectConfig): Promise<MergeError> => {
  const error: unknown = await prepare(place.project(project)).catch((reason: unknown) => reason);
  expect(error).toBeInstanceOf(MergeError);
  return error as MergeError;
};

describe('types', () => {
  test.each<[string, string, RegExp]>([
    ['number and text', "'y' || age AS age", /"age" is a number \(BIGINT\) on home \(age\) and text \(VARCHAR\) on search \(age\)/],
    ['text and number', 'r AS ad', /"ad" is text \(VARCHAR\) on home \(ad\) and a number \(BIGINT\) on search \(ad\)/],
    ['scalar and list', '[ad] AS ad', /"ad" is text \(VARCHAR\) on home \(ad\) and a list of texts \(VARCHAR\[\]\) on search/],
    ['text and boolean', 'r > 3 AS ad', /and a boolean \(BOOLEAN\) on search/],
  ])('%s', async (_, replace, message) => {
    await write(replace);
    const error = await conflict(config());
    expect(error.issues).toHaveLength(1);
    expect(error.issues[0]!.message).toMatch(message);
    expect(error.issues[0]!.fix).toMatch(/features\.\w+\.on\.search\.column: 'CAST\(/);
  });

  test('are no conflict where a column is empty, or text only for one broken value', async () => {
    await write('NULL::VARCHAR AS age');
    expect((await prepare(place.project(config()))).reused).toBe(false);
    await write("CASE WHEN r = 3 AND c = 0 THEN 'old' ELSE age::VARCHAR END AS age", 'search.csv');
    await expect(prepare(place.project(config({}, 'search.csv')))).rejects.toThrow(/search\.csv row 10 \(request r3\): feature "age": not a number: old/);
  });
});

test('several conflicts come in one error', async () => {
  await write("'y' || age AS age, r AS ad");
  expect((await conflict(config())).issues.map((issue) => issue.path)).toEqual(['features.age', 'features.ad']);
});

describe('declarations', () => {
  test('of another unit', async () => {
    await write('age AS age');
    const error = await conflict(config({ price: { kind: 'number', side: 'candidate', unit: 'EUR', on: { search: { unit: 'ct' } } } }));
    expect(error.issues).toEqual([
      {
        path: 'features.price.on.search.unit',
        message: '"price" has the unit "EUR" on home and "ct" on search',
        expected: expect.any(String) as string,
        fix: expect.stringContaining('convert one side in features.price.on.search.column') as string,
      },
    ]);
  });

  test('of another vocabulary', async () => {
    await write('age AS age');
    const error = await conflict(config({ ad: { kind: 'categorical', side: 'candidate', on: { home: { vocabulary: 'ads' }, search: { vocabulary: 'listings' } } } }));
    expect(error.issues[0]!.message).toBe('"ad" has the vocabulary "ads" on home and "listings" on search');
  });
});

describe('values', () => {
  test('ids without one in common', async () => {
    await write("'listing' || ad AS ad");
    const error = await conflict(config());
    expect(error.issues).toHaveLength(1);
    expect(error.issues[0]!.message).toMatch(/"ad" has no value in common between home \(60 values, such as "ad0", .*\) and search \(60 values, such as "listingad0"/);
    expect(error.issues[0]!.fix).toContain('declare the same vocabulary on both');
  });

  test('ids without one in common that are declared to be of one space', async () => {
    await write("'listing' || ad AS ad");
    const declared = config({ ad: { kind: 'categorical', side: 'candidate', on: { home: { vocabulary: 'ads' }, search: { vocabulary: 'ads' } } } });
    expect((await prepare(place.project(declared))).reused).toBe(false);
  });

  test('few ids prove nothing', async () => {
    await write("'land' || country AS country");
    expect((await prepare(place.project(config()))).reused).toBe(false);
  });

  test('numbers of an absurdly different scale', async () => {
    await write('price * 1000 AS price');
    const error = await conflict(config());
    expect(error.issues).toHaveLength(1);
    expect(error.issues[0]!.message).toMatch(/"price" is typically 2\.5 on home \(price\) and 2500 on search \(price\): 1000 times as much, which looks like another unit/);
    expect(error.issues[0]!.fix).toContain("features.price.on.search.column: 'price / 1000'");
  });

  test('numbers of another scale in a unit declared equal', async () => {
    await write('price * 1000 AS price');
    expect((await prepare(place.project(config({ price: { kind: 'number', side: 'candidate', unit: 'EUR' } })))).reused).toBe(false);
  });
});
