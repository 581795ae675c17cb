/** An export whose calibration is fitted to fresh logs: against the model it was, and everything that can befall it. */
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { applyLayer, logitOf, sigmoid } from '../src/calibrate/apply-layer.js';
import { layerOf } from '../src/calibrate/calibration.js';
import { ArtifactError, DataError, UsageError } from '../src/config/errors.js';
import { openDataset } from '../src/data/dataset.js';
import { prepare } from '../src/data/prepare.js';
import { exportSurface } from '../src/export/export-surface.js';
import type { ExportManifest } from '../src/export/manifest.js';
import { openExport } from '../src/export/open-export.js';
import { predict } from '../src/export/predict.js';
import { recalibrate, type RecalibrateOptions, type RecalibrateResult } from '../src/export/recalibrate.js';
import { checkpointOf } from '../src/unify/model-run.js';
import { openModel } from '../src/unify/score-model.js';
import { trainRuns } from '../src/unify/train-model.js';
import { createShop, readSql, runSql } from './support/shop-project.js';

let directory: string;
const path = (...parts: readonly string[]): string => join(directory, ...parts);
const manifestOf = (folder: string): ExportManifest & { digest: string } => JSON.parse(readFileSync(path(folder, 'manifest.json'), 'utf8')) as ExportManifest & { digest: string };

/** Logs of the days after: the feed's own, in which the list is clicked three times as often as it was, and the grid half as often. */
const FRESH = `SELECT * EXCLUDE (clicked), hash(rid, position, 77) % 1000 < CASE slot WHEN 'list' THEN 850 ELSE 170 END AS clicked FROM '@/feed.parquet'`;

const refit = (change: Partial<RecalibrateOptions> = {}): Promise<RecalibrateResult> =>
  recalibrate({ exported: path('feed'), input: path('fresh.parquet'), events: { history: path('events.parquet') }, output: path('refit'), ...change });

let result: RecalibrateResult;

beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'onefold-'));
  const project = await createShop(directory);
  const prepared = await prepare(project);
  const model = project.models['unified']!;
  await trainRuns({ project, model, manifest: prepared, directory: prepared.directory });
  const opened = await openModel(project, model, prepared);
  const dataset = await openDataset(prepared.directory, prepared, 'test', { tasks: prepared.tasks.map((task) => task.name), batchCandidates: 64 });
  try {
    const group = opened.groups[0]!;
    await exportSurface({
      project, model, manifest: prepared, preparedDirectory: prepared.directory, surface: 'feed', group, checkpoint: checkpointOf(group.run), dataset,
      precision: 'fp32', directory: path('feed'), metrics: {},
    });
  } finally {
    dataset.close();
    await opened.close();
  }
  await runSql(directory, `COPY (${FRESH} ORDER BY rid, position) TO '@/fresh.parquet' (FORMAT parquet)`);
  result = await refit();
});

afterAll(() => {
  rmSync(directory, { recursive: true, force: true });
});

describe('a calibration fitted to fresh logs', () => {
  it('brings every view type to what was logged', async () => {
    expect(result.rows).toBe(640);
    const click = result.tasks.find(({ task }) => task === 'click')!;
    expect(click).toMatchObject({ rows: 640 });
    expect(Math.abs(click.ratio.before! - 1)).toBeGreaterThan(0.05);
    expect(click.ratio.after).toBeCloseTo(1, 2);
    await predict({ exported: path('refit'), input: path('fresh.parquet'), events: { history: path('events.parquet') }, output: path('scored.parquet') });
    const ratios = await readSql<{ ratio: number }>(directory, `SELECT sum("probability.click") / sum(clicked::INTEGER) AS ratio FROM '@/scored.parquet' GROUP BY slot`);
    expect(ratios).toHaveLength(2);
    // Rows are scored at the position they are served with: close to what was logged at their own.
    for (const { ratio } of ratios) expect(Math.abs(ratio - 1)).toBeLessThan(0.1);
  });

  it('is what the new graph computes, and all that is new', async () => {
    const [before, after] = [manifestOf('feed'), manifestOf('refit')];
    expect(after.lineage).toEqual({ ...before.lineage, recalibrated: { from: before.digest, rows: 640 } });
    expect(after.calibration!.tasks.map(({ task }) => task)).toEqual(['click', 'save']);
    for (const file of ['tables.bin', 'encoders.json']) expect(readFileSync(path('refit', file)).equals(readFileSync(path('feed', file)))).toBe(true);
    // The onnx package takes external data with several hard links for an attack.
    expect(statSync(path('refit/tables.bin')).nlink).toBe(1);
    expect(readdirSync(path('refit')).sort()).toEqual(readdirSync(path('feed')).sort());
    await (await openExport(path('refit'))).close();
    const rows = await readSql<{ slot: string; before: number; after: number }>(
      directory,
      `SELECT b."@view_type" AS slot, b."probability.click" AS before, a."probability.click" AS after FROM '@/feed/golden.parquet' b POSITIONAL JOIN '@/refit/golden.parquet' a`,
    );
    const layers = after.calibration!.tasks[0]!;
    for (const row of rows) expect(row.after).toBeCloseTo(sigmoid(applyLayer(layerOf(layers, 'feed', `feed/${row.slot}`), logitOf(row.before))), 5);
  });

  it('is the same the second time, and starts from the layers that are there', async () => {
    await refit({ exported: relative(process.cwd(), path('feed')), input: relative(process.cwd(), path('fresh.parquet')), output: relative(process.cwd(), path('again')) });
    for (const file of ['model.onnx', 'golden.parquet', 'manifest.json']) expect(readFileSync(path('again', file)).equals(readFileSync(path('refit', file)))).toBe(true);
    const twice = await refit({ exported: path('refit'), output: path('again') });
    const [first, second] = [manifestOf('refit'), manifestOf('again')];
    expect(second.lineage.recalibrated!.from).toBe(first.digest);
    const [click] = twice.tasks;
    expect(click!.ratio.before).toBeCloseTo(1, 2);
    expect(click!.ratio.after).toBeCloseTo(1, 2);
  });

  it('needs no training-only value where rows have the names of golden ones, and takes labels named label.TASK', async () => {
    await runSql(
      directory,
      `COPY (SELECT g.*, f.clicked AS "label.click", f.saved AS "label.save" FROM '@/feed/golden.parquet' g
       JOIN '@/feed.parquet' f ON g."@request_id" = CAST(f.rid AS VARCHAR) AND g.position = CAST(f.position AS VARCHAR)) TO '@/labelled.parquet' (FORMAT parquet)`,
    );
    expect((await refit({ input: path('labelled.parquet'), events: {}, output: path('merged') })).rows).toBe(64);
  });
});

describe('a calibration that cannot be fitted', () => {
  const failure = (change: Partial<RecalibrateOptions>): Promise<unknown> => refit({ output: path('none'), ...change }).catch((error: unknown) => error);

  it('for want of labels or columns names them', async () => {
    await runSql(directory, `COPY (SELECT * REPLACE (NULL::BOOLEAN AS clicked, NULL::INTEGER AS saved) FROM '@/fresh.parquet') TO '@/unlabelled.parquet' (FORMAT parquet)`);
    const unlabelled = await failure({ input: path('unlabelled.parquet') });
    expect(unlabelled).toBeInstanceOf(DataError);
    expect(unlabelled).toMatchObject({ message: expect.stringMatching(/unlabelled\.parquet has no label in any row/) as string, expected: '0 or 1 in clicked, saved' });
    for (const column of ['clicked', 'cents', 'position']) {
      await runSql(directory, `COPY (SELECT * EXCLUDE (${column}) FROM '@/fresh.parquet') TO '@/less.parquet' (FORMAT parquet)`);
      const error = await failure({ input: path('less.parquet') });
      expect(error).toBeInstanceOf(DataError);
      expect((error as DataError).message).toContain(`no column "${column}"`);
    }
    await runSql(directory, `COPY (SELECT * REPLACE (7 AS clicked) FROM '@/fresh.parquet') TO '@/wrong.parquet' (FORMAT parquet)`);
    expect(await failure({ input: path('wrong.parquet') })).toMatchObject({ code: 'data', message: expect.stringMatching(/row 1: .*label outside \{0, 1\}/) as string });
  });

  it('for want of an export, or of a place for one, changes nothing', async () => {
    expect(await failure({ exported: directory })).toBeInstanceOf(ArtifactError);
    mkdirSync(path('taken'));
    writeFileSync(path('taken/notes.txt'), 'mine');
    const taken = await failure({ output: path('taken') });
    expect(taken).toBeInstanceOf(UsageError);
    expect((taken as UsageError).message).toMatch(/taken is there, and is no export/);
    expect(readFileSync(path('taken/notes.txt'), 'utf8')).toBe('mine');
    writeFileSync(path('file'), '');
    expect(await failure({ output: path('file') })).toBeInstanceOf(UsageError);
    expect(await failure({ output: path('feed') })).toMatchObject({ code: 'usage', message: expect.stringMatching(/is the export that is calibrated anew/) as string });
    const stopped = new AbortController();
    stopped.abort();
    expect(await failure({ signal: stopped.signal })).toMatchObject({ code: 'interrupted' });
    expect(existsSync(path('none'))).toBe(false);
    expect(readdirSync(directory).filter((name) => name.startsWith('.none'))).toEqual([]);
    expect(statSync(path('feed/tables.bin')).size).toBe(manifestOf('feed').files[1]!.bytes);
  });
});
