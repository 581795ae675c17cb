/** Prepared datasets, checkpoints, exports and rows that are torn, altered or do not fit. */
import { mkdirSync, readFileSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { predict } from '../src/export/predict.js';
import { expectFailure, expectReport } from './support/expect-failure.js';
import { createProjectShelf, type ProjectShelf } from './support/project-shelf.js';
import { runCli } from './support/run-cli.js';

let shelf: ProjectShelf;
beforeAll(async () => {
  shelf = await createProjectShelf(['prepare'], ['train', 'unified'], ['export', 'unified']);
});
afterAll(() => {
  shelf.remove();
});

const CHECKPOINT = '.onefold/runs/unified/all/checkpoint';
const HOME_EXPORT = '.onefold/exports/unified/home';
const SEARCH_EXPORT = '.onefold/exports/unified/search';

/** Flips a bit in the middle of a file: its size stays. */
const alter = (file: string): void => {
  const bytes = readFileSync(file);
  const middle = Math.floor(bytes.length / 2);
  bytes[middle] = bytes[middle]! ^ 1;
  writeFileSync(file, bytes);
};

const artifact = (says: readonly (string | RegExp)[], fix: string | RegExp) => ({ exit: 7, code: 'artifact' as const, says, fix });
const data = (says: readonly (string | RegExp)[], fix: string | RegExp) => ({ exit: 4, code: 'data' as const, says, fix });

/** What starting a run writes before it reads its first shard; the checkpoint is not among it. */
const RUN_LOGS = /runs\/unified\/all\/(metrics\.jsonl|events\.out\..+)$/;

describe.concurrent('a prepared dataset that is', () => {
  it('not there', async () => {
    const project = shelf.take();
    project.remove('.onefold/prepared');
    await expectReport(project, ['train', 'unified'], artifact(['there is no prepared dataset', 'where: '], 'onefold prepare'));
  });

  it('torn', async () => {
    const project = shelf.take();
    const shard = project.path('.onefold/prepared/train/candidates-00000.parquet');
    const { size } = statSync(shard);
    truncateSync(shard, 100);
    const error = await expectFailure(project, ['train', 'unified'], artifact([`${shard} is torn: it has 100 bytes`], 'onefold prepare'));
    expect(error).toMatchObject({ where: shard, expected: `${size} bytes, as the manifest says` });
    // Preparing again mends it, though no source has changed.
    expect(await runCli(['prepare', '--json'], { cwd: project.directory })).toMatchObject({ exit: 0, stdout: expect.stringContaining('"reused":false') as string });
    expect(await runCli(['evaluate', 'unified', '--json'], { cwd: project.directory })).toMatchObject({ exit: 0 });
  });

  it('torn in its manifest', async () => {
    const project = shelf.take();
    const manifest = project.path('.onefold/prepared/manifest.json');
    truncateSync(manifest, 1000);
    await expectReport(project, ['evaluate', 'unified'], artifact([`${manifest} is torn`], 'onefold prepare'));
  });

  it('altered in a shard', async () => {
    const project = shelf.take();
    const shard = project.path('.onefold/prepared/train/candidates-00000.parquet');
    alter(shard);
    await expectReport(project, ['train', 'unified'], { ...artifact([`${shard} has other content`, `where: ${shard}`], 'onefold prepare'), mayChange: RUN_LOGS });
  });

  it('altered in its raw rows', async () => {
    const project = shelf.take();
    const rows = project.path('.onefold/prepared/raw/home.parquet');
    alter(rows);
    await expectReport(project, ['export', 'unified', '--surface', 'home'], artifact([`${rows} has other content`], 'onefold prepare'));
  });

  it('of another config', async () => {
    const project = shelf.take();
    project.set('features.price.encoding', { type: 'log' });
    await expectReport(project, ['train', 'unified'], artifact(['the config has changed since the dataset was prepared'], 'onefold prepare'));
  });
});

describe.concurrent('a checkpoint that is', () => {
  it('not there', async () => {
    await expectReport(shelf.take(), ['evaluate', 'linear'], artifact(['model "linear" has not been trained for home', 'expected: a checkpoint'], 'onefold train linear'));
  });

  it('torn', async () => {
    const project = shelf.take();
    const tables = project.path(CHECKPOINT, 'tables.safetensors');
    truncateSync(tables, 100);
    const error = await expectFailure(project, ['export', 'unified'], artifact(['torn checkpoint', `${tables} has 100 bytes`], 'train again'));
    expect(error.where).toBe(tables);
  });

  it('torn in its manifest', async () => {
    const project = shelf.take();
    truncateSync(project.path(CHECKPOINT, 'checkpoint.json'), 1000);
    await expectReport(project, ['evaluate', 'unified'], artifact(['torn checkpoint', 'checkpoint.json is not whole JSON'], 'train again'));
  });

  it('altered', async () => {
    const project = shelf.take();
    const dense = project.path(CHECKPOINT, 'dense.safetensors');
    alter(dense);
    await expectReport(project, ['compare', 'unified', 'unified'], artifact(['torn checkpoint', `${dense} has SHA-256`], 'train again'));
  });

  it('of another config', async () => {
    const project = shelf.take();
    project.set('models.unified.training.learningRate', 0.01);
    await expectReport(project, ['evaluate', 'unified'], artifact(['was trained with another config or other data', `where: ${project.path(CHECKPOINT)}`], 'onefold train unified'));
  });
});

describe.concurrent('predict refuses', () => {
  const predictHome = ['predict', HOME_EXPORT, 'logs/home.parquet', '--output', 'scored.parquet'] as const;

  it('a folder without an export', async () => {
    await expectReport(shelf.take(), ['predict', 'logs', 'logs/home.parquet', '--output', 'scored.parquet'], artifact(['logs holds no export'], 'export the model first'));
  });

  it('a torn export', async () => {
    const project = shelf.take();
    truncateSync(project.path(HOME_EXPORT, 'tables.bin'), 10);
    const error = await expectFailure(project, predictHome, artifact(['tables.bin has 10 bytes'], 'export the model again'));
    expect(error.where).toContain('tables.bin');
  });

  it.each(['model.onnx', 'encoders.json'])('an export whose %s was altered', async (file) => {
    const project = shelf.take();
    alter(project.path(HOME_EXPORT, file));
    await expectReport(project, predictHome, artifact([`${file} was altered`, /expected: SHA-256 [0-9a-f]{64}/], 'export the model again'));
  });

  it('an export with a torn manifest', async () => {
    const project = shelf.take();
    truncateSync(project.path(HOME_EXPORT, 'manifest.json'), 1000);
    await expectReport(project, predictHome, artifact(['manifest.json is damaged'], 'export the model again'));
  });

  it('rows with a missing column', async () => {
    const project = shelf.take();
    const file = await project.writeRows('rows.parquet', 'home', 'SELECT * EXCLUDE price FROM log');
    const error = await expectFailure(project, ['predict', HOME_EXPORT, 'rows.parquet', '-o', 'scored.csv'], data([file, 'feature "price": there is no column "price"'], 'golden.parquet'));
    expect(error.where).toBe(file);
  });

  it('rows with a column of another type', async () => {
    const project = shelf.take();
    const file = await project.writeRows('rows.parquet', 'home', 'SELECT * REPLACE ([price] AS price) FROM log');
    await expectReport(project, ['predict', HOME_EXPORT, 'rows.parquet', '-o', 'scored.csv'], data([`where: ${file}`, '"price" is a list of numbers', 'expected: a number'], 'golden.parquet'));
  });

  it('a value of another type, by its row', async () => {
    const project = shelf.take();
    const file = await project.writeRows('rows.csv', 'search', "SELECT * REPLACE (CASE WHEN request_id = 's7' THEN 'cheap' ELSE price::VARCHAR END AS price) FROM log");
    const error = await expectFailure(project, ['predict', SEARCH_EXPORT, 'rows.csv', '-o', 'scored.csv'], data(['feature "price": not a number', 'cheap'], /./));
    expect(error.where).toBe(`${file}:22`);
  });

  it('NaN, by its row', async () => {
    const project = shelf.take();
    const file = await project.writeRows('rows.parquet', 'home', "SELECT * REPLACE (CASE WHEN request_id = 'h7' THEN 'NaN'::DOUBLE ELSE age END AS age) FROM log");
    await expectReport(project, ['predict', HOME_EXPORT, 'rows.parquet', '-o', 'scored.csv'], data([`where: ${file}:22`, 'feature "age": NaN or infinite'], /./));
  });

  it('history from the future', async () => {
    const project = shelf.take();
    await project.writeRows('rows.parquet', 'home', 'SELECT * REPLACE ([epoch_ms(time) + 1] AS recent_time, [user_id] AS recent) FROM log');
    await expectReport(project, ['predict', HOME_EXPORT, 'rows.parquet', '-o', 'scored.csv'], data(['history from the future', /where: .+rows\.parquet:1$/m], /./));
  });

  it('truncated rows', async () => {
    const project = shelf.take();
    const file = await project.writeRows('rows.parquet', 'home', 'FROM log');
    truncateSync(file, statSync(file).size - 50);
    await expectReport(project, ['predict', HOME_EXPORT, 'rows.parquet', '-o', 'scored.csv'], data([`${file} is truncated or damaged`, `where: ${file}`], /./));
  });

  it('rows that are not there', async () => {
    const project = shelf.take();
    await expectReport(project, ['predict', HOME_EXPORT, 'nothing.parquet', '-o', 'scored.csv'], data([`no file matches ${project.path('nothing.parquet')}`], 'check the path'));
  });

  it('an output of unknown format', async () => {
    const error = await expectFailure(shelf.take(), ['predict', HOME_EXPORT, 'logs/home.parquet', '-o', 'scored.xlsx'], {
      exit: 2,
      code: 'usage',
      says: ['cannot tell the format of scored.xlsx', 'expected: a file that ends in .parquet, .csv, .jsonl'],
      fix: 'name such a file',
    });
    expect(error.where).toBe('--output');
  });

  it('to go on when it is interrupted, and leaves nothing', async () => {
    const project = shelf.take();
    const before = project.contents();
    const options = { exported: project.path(HOME_EXPORT), input: project.log('home'), output: project.path('scored.csv') };
    await expect(predict({ ...options, signal: AbortSignal.abort() })).rejects.toMatchObject({ code: 'interrupted', fix: 'run the command again' });
    expect(project.contents()).toEqual(before);
  });

  it('a folder as its output', async () => {
    const project = shelf.take();
    mkdirSync(project.path('scored.parquet'));
    await expectReport(project, predictHome, { exit: 9, code: 'io', says: ['scored.parquet is a folder', 'where: --output'], fix: 'name a file' });
  });
});
