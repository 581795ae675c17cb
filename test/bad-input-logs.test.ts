/** `onefold prepare` on logs that are not what the config says. */
import { readFileSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openDatabase, quoteLiteral } from '../src/data/duckdb.js';
import { expectFailure, expectReport } from './support/expect-failure.js';
import { createProjectShelf, type ProjectShelf } from './support/project-shelf.js';
import { runCli } from './support/run-cli.js';
import type { TinyProject } from './support/tiny-project.js';

let shelf: ProjectShelf;
beforeAll(async () => {
  shelf = await createProjectShelf(['prepare']);
});
afterAll(() => {
  shelf.remove();
});

/** The log with another value in one column of some rows. */
const replaced = (column: string, value: string, rows: string): string => `SELECT * REPLACE (CASE WHEN ${rows} THEN ${value} ELSE ${column} END AS ${column}) FROM log`;

/** Every candidate of request 7: rows 22 to 24 of its log. */
const H7 = "request_id = 'h7'";
const S7 = "request_id = 's7'";

const failsOnData = (project: TinyProject, says: readonly (string | RegExp)[], fix: string | RegExp) =>
  expectFailure(project, ['prepare'], { exit: 4, code: 'data', says, fix });

/** The same, as people see it alone. */
const reportsData = (project: TinyProject, says: readonly (string | RegExp)[], fix: string | RegExp) =>
  expectReport(project, ['prepare'], { exit: 4, code: 'data', says, fix });

describe.concurrent('prepare refuses', () => {
  it('a missing feature column', async () => {
    const project = shelf.take();
    await project.alterLog('home', 'SELECT * EXCLUDE price FROM log');
    const error = await failsOnData(project, ['surface "home", feature "price"', 'no column "price"', '"ad_id", "clicked", "age"'], 'set features.price.column');
    expect(error.where).toBe('features.price.column');
  });

  it('a misspelt column, with the name it must be', async () => {
    const project = shelf.take();
    project.set('features.price.column', 'prize');
    await reportsData(project, ['did you mean "price"?', 'where: features.price.column'], 'set features.price.column to "price"');
  });

  it('a missing label', async () => {
    const project = shelf.take();
    await project.alterLog('search', 'SELECT * EXCLUDE clicked FROM log');
    await reportsData(project, ['surface "search", task "click"', 'where: tasks.click.label'], 'tasks.click.label');
  });

  it('a missing key', async () => {
    const project = shelf.take();
    await project.alterLog('search', 'SELECT * EXCLUDE user_id FROM log');
    await reportsData(project, ['surface "search", the user key', 'where: surfaces.search.keys.user'], 'surfaces.search.keys.user');
  });

  it('a value of the wrong type, by file and row', async () => {
    const project = shelf.take();
    await project.alterLog('search', replaced('price', "'cheap'", S7).replace('ELSE price', 'ELSE price::VARCHAR'));
    const error = await failsOnData(project, ['3 × feature "price": not a number', `${project.log('search')} row 22 (request s7)`, 'cheap'], "data.badRows to 'quarantine'");
    expect(error).toMatchObject({ where: `${project.log('search')}:22`, expected: 'a number, or NULL where it is missing' });
  });

  it('a column of the wrong type on one surface', async () => {
    const project = shelf.take();
    await project.alterLog('home', 'SELECT * REPLACE ([price] AS price) FROM log');
    const error = await expectFailure(project, ['prepare'], {
      exit: 5,
      code: 'merge',
      says: ['features.price', 'a list of numbers', 'on home', 'on search'],
      fix: 'features.price.on.search.column',
    });
    expect(error.issues).toMatchObject([{ path: 'features.price', expected: 'the same type of values on every surface that has the feature' }]);
  });

  it('a column of the wrong type on every surface', async () => {
    const project = shelf.take();
    await project.alterLog('home', 'SELECT * REPLACE ([age] AS age) FROM log');
    const error = await failsOnData(project, ['surface "home", feature "age"', 'a list of numbers', 'expected: a number'], 'features.age.column');
    expect(error.where).toBe('features.age.column');
  });

  it('a label outside {0, 1}', async () => {
    const project = shelf.take();
    await project.alterLog('home', replaced('clicked', '2', H7));
    const error = await failsOnData(project, ['3 × task "click": label outside {0, 1}', `${project.log('home')} row 22 (request h7)`], 'quarantine');
    expect(error).toMatchObject({ where: `${project.log('home')}:22`, expected: '0, 1, true, false, or NULL where there is no label' });
  });

  it('one request id with different request features', async () => {
    const project = shelf.take();
    await project.alterLog('home', replaced('country', "'xx'", `${H7} AND row_number() OVER () % 3 = 0`));
    const error = await failsOnData(project, ['one request id with different request columns', 'they differ in country', 'row 22 (request h7)', 'row 24 (request h7)'], 'quarantine');
    expect(error.expected).toContain('request-side features in every row of a request');
  });

  it('history from the future', async () => {
    const project = shelf.take();
    await project.alterLog('home', replaced('recent_time', '[epoch_ms(time) - 5, epoch_ms(time) - 4, epoch_ms(time) + 60000]', H7));
    const says = ['feature "recent": history from the future: event at 2025-01-01 07:01:00, request at 2025-01-01 07:00:00', 'row 22'];
    const error = await failsOnData(project, says, 'quarantine');
    expect(error.expected).toBe("events strictly before the request's time");
  });

  it("history of the request's own moment", async () => {
    const project = shelf.take();
    await project.alterLog('home', replaced('recent_time', '[epoch_ms(time) - 5, epoch_ms(time) - 4, epoch_ms(time)]', H7));
    await reportsData(project, ['history from the future: event at 2025-01-01 07:00:00, request at 2025-01-01 07:00:00'], 'quarantine');
  });

  it('NaN in a number', async () => {
    const project = shelf.take();
    await project.alterLog('home', replaced('age', "'NaN'::DOUBLE", H7));
    const error = await failsOnData(project, ['3 × feature "age": NaN or infinite', `${project.log('home')} row 22`], 'quarantine');
    expect(error).toMatchObject({ where: `${project.log('home')}:22`, expected: 'a finite number, or NULL where it is missing' });
  });

  it.each([
    ['home', 'age', "'-inf'::DOUBLE", H7, 'feature "age": NaN or infinite: -inf'],
    ['search', 'price', "'NaN'::DOUBLE", S7, 'feature "price": NaN or infinite: nan'],
    ['home', 'scores', "['NaN'::DOUBLE, 1.0]", H7, 'feature "scores": NaN, infinite or missing element: [nan, 1.0]'],
    ['home', 'scores', '[0.5]', H7, 'feature "scores": wrong size: 1 numbers'],
    ['home', 'clicked', "'NaN'::DOUBLE", H7, 'task "click": label outside {0, 1}: nan'],
  ] as const)('%s.%s of %s', async (surface, column, value, rows, reason) => {
    const project = shelf.take();
    await project.alterLog(surface, replaced(column, value, rows));
    await reportsData(project, [reason, `where: ${project.log(surface)}:22`], 'quarantine');
  });

  it('an empty surface', async () => {
    const project = shelf.take();
    await project.alterLog('home', 'SELECT * FROM log LIMIT 0');
    const error = await failsOnData(project, ['surface "home" has no usable rows'], 'check the source');
    expect(error).toMatchObject({ where: 'surfaces.home', expected: 'at least one request' });
  });

  it('a surface whose condition keeps no row', async () => {
    const project = shelf.take();
    project.set('surfaces.search.where', "country = 'xx'");
    await reportsData(project, ['surface "search" has no usable rows', 'where: surfaces.search'], "country = 'xx'");
  });

  it('an empty file', async () => {
    const project = shelf.take();
    writeFileSync(project.log('search'), '');
    await reportsData(project, ['search.csv is empty', `where: ${project.log('search')}`], 'write the file again');
  });

  it('a truncated Parquet file', async () => {
    const project = shelf.take();
    const file = project.log('home');
    truncateSync(file, statSync(file).size - 100);
    const error = await failsOnData(project, [`the file ${file} is truncated or damaged`], 'write or copy the file again');
    expect(error).toMatchObject({ where: file, expected: 'a complete file' });
  });

  it('a Parquet file without a byte, and one with other bytes', async () => {
    for (const spoil of [() => Buffer.alloc(0), (bytes: Buffer) => bytes.fill(0xff, 50, bytes.length - 2500)]) {
      const project = shelf.take();
      const file = project.log('home');
      writeFileSync(file, spoil(readFileSync(file)));
      await reportsData(project, [`the file ${file} is truncated or damaged`, `where: ${file}`], 'write or copy the file again');
    }
  });

  it('a log that is not there', async () => {
    const project = shelf.take();
    rmSync(project.log('home'));
    const error = await failsOnData(project, [`no file matches ${project.log('home')}`], 'correct the path');
    expect(error.where).toBe('logs/home.parquet');
  });
});

it('keeps the dataset of before usable when preparing again fails', async () => {
  const project = shelf.take();
  const good = readFileSync(project.log('home'));
  truncateSync(project.log('home'), 100);
  await failsOnData(project, ['truncated or damaged'], 'again');
  expect(await runCli(['train', 'linear', '--json'], { cwd: project.directory })).toMatchObject({ exit: 0, stderr: '' });
  writeFileSync(project.log('home'), good);
  const again = await runCli(['prepare', '--json'], { cwd: project.directory });
  expect(JSON.parse(again.stdout)).toMatchObject({ reused: true });
});

it("sets bad rows aside under data.badRows: 'quarantine', and goes on with the rest", async () => {
  const project = shelf.take();
  project.set('data.badRows', 'quarantine');
  await project.alterLog('home', replaced('age', "'NaN'::DOUBLE", H7));
  await project.alterLog('home', replaced('clicked', '7', "request_id = 'h9' AND row_number() OVER () % 3 = 1"));
  await project.alterLog('search', replaced('country', "'xx'", `${S7} AND row_number() OVER () % 3 = 0`));

  const prepared = await runCli(['prepare', '--json'], { cwd: project.directory });
  expect(prepared).toMatchObject({ exit: 0, stderr: '' });
  const result = JSON.parse(prepared.stdout) as { quarantined: number; splits: Record<string, { shards: { candidateCount: number }[] }> };
  const kept = Object.values(result.splits).flatMap(({ shards }) => shards.map(({ candidateCount }) => candidateCount));
  expect(result.quarantined).toBe(7);
  expect(kept.reduce((sum, count) => sum + count, 0)).toBe(660 - 7);

  const database = await openDatabase({ threads: 1 });
  const rows = await database.rows(`SELECT source, file, row, request_id, reason, value FROM ${quoteLiteral(project.path('.onefold/prepared/quarantine.parquet'))}`);
  database.close();
  const [home, search] = [project.log('home'), project.log('search')];
  const differs = { source: 'surface "search"', file: search, request_id: 's7', reason: 'one request id with different request columns', value: 'they differ in country' };
  expect(rows).toEqual([
    ...[22, 23, 24].map((row) => ({ source: 'surface "home"', file: home, row, request_id: 'h7', reason: 'feature "age": NaN or infinite', value: 'nan' })),
    { source: 'surface "home"', file: home, row: 28, request_id: 'h9', reason: 'task "click": label outside {0, 1}', value: '7' },
    ...[22, 23, 24].map((row) => ({ ...differs, row })),
  ]);
  expect(await runCli(['train', 'linear', '--json'], { cwd: project.directory })).toMatchObject({ exit: 0 });

  const told = await runCli(['prepare', '--force'], { cwd: project.directory });
  expect(told.stdout).toContain(`7 bad rows are in ${project.path('.onefold/prepared/quarantine.parquet')}`);
});
