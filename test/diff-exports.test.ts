/** What `onefold diff` says of two real exports, held against their files and what `onefold predict` makes of the same rows. */
import { cpSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { IDENTITY_LAYER, type Calibration } from '../src/calibrate/calibration.js';
import { ArtifactError, DataError, UsageError } from '../src/config/errors.js';
import type { Project } from '../src/config/project.js';
import { openDataset } from '../src/data/dataset.js';
import { checksumFile } from '../src/data/file-checksum.js';
import { prepare, type PreparedDataset } from '../src/data/prepare.js';
import { diffExports } from '../src/export/diff-exports.js';
import type { ExportSurfaceOptions } from '../src/export/export-options.js';
import { exportSurface } from '../src/export/export-surface.js';
import { digestOf, type ExportManifest } from '../src/export/manifest.js';
import { predict } from '../src/export/predict.js';
import { renderDiff } from '../src/export/render-diff.js';
import { checkpointOf } from '../src/unify/model-run.js';
import { groupOf, openModel } from '../src/unify/score-model.js';
import { trainRuns } from '../src/unify/train-model.js';
import { createShop, readSql, runSql } from './support/shop-project.js';

let directory: string;
let project: Project;
let prepared: PreparedDataset;
const path = (...parts: readonly string[]): string => join(directory, ...parts);

const CALIBRATION: Calibration = {
  version: 1,
  tasks: [
    {
      task: 'click', method: 'shift', surfaces: { feed: { ...IDENTITY_LAYER, offset: 0.25 } }, viewTypes: { 'feed/grid': { ...IDENTITY_LAYER, offset: -0.5 } },
      global: IDENTITY_LAYER, globalMethod: 'shift', scores: [], rows: {},
    },
  ],
};

/** Exports `feed` of a model into folders, each with changed options. */
const exportFeed = async (name: string, folders: Readonly<Record<string, Partial<ExportSurfaceOptions>>>): Promise<void> => {
  const model = project.models[name]!;
  const opened = await openModel(project, model, prepared);
  const dataset = await openDataset(prepared.directory, prepared, 'test', { tasks: prepared.tasks.map((task) => task.name), batchCandidates: 64 });
  try {
    for (const [folder, change] of Object.entries(folders)) {
      const group = groupOf(opened, 'feed');
      await exportSurface({
        project, model, manifest: prepared, preparedDirectory: prepared.directory, surface: 'feed', group, checkpoint: checkpointOf(group.run), dataset,
        precision: 'fp32', directory: path(folder), metrics: {}, ...change,
      });
    }
  } finally {
    dataset.close();
    await opened.close();
  }
};

beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'onefold-diff-'));
  project = await createShop(directory);
  prepared = await prepare(project);
  for (const name of ['unified', 'linear']) await trainRuns({ project, model: project.models[name]!, manifest: prepared, directory: prepared.directory });
  await exportFeed('unified', { plain: {}, again: {}, half: { precision: 'fp16' }, calibrated: { calibration: CALIBRATION } });
  await exportFeed('linear', { linear: {} });
  const opened = await openModel(project, project.models['unified']!, prepared);
  const dataset = await openDataset(prepared.directory, prepared, 'test', { tasks: ['click', 'save'], batchCandidates: 64 });
  const group = groupOf(opened, 'search');
  await exportSurface({
    project, model: project.models['unified']!, manifest: prepared, preparedDirectory: prepared.directory, surface: 'search', group, checkpoint: checkpointOf(group.run), dataset,
    precision: 'fp32', directory: path('search'), metrics: {},
  });
  dataset.close();
  await opened.close();
});
afterAll(() => {
  rmSync(directory, { recursive: true, force: true });
});

const diff = (a: string, b: string, rows?: string): ReturnType<typeof diffExports> => diffExports({ a: path(a), b: path(b), rows: rows === undefined ? undefined : path(rows) });

describe('diffExports', () => {
  it('finds nothing between two exports of one checkpoint', async () => {
    const same = await diff('plain', 'again');
    expect(same.isSame).toBe(true);
    for (const list of Object.values(same.schema)) expect(list).toMatchObject({ added: [], removed: [], changed: [] });
    expect(same.tables.every(({ a, b, rows }) => rows.added === 0 && rows.removed === 0 && a!.bytes === b!.bytes)).toBe(true);
    expect(same.calibration).toEqual([]);
    for (const task of same.predictions!.tasks) expect(task).toMatchObject({ maxDifference: 0, meanDifference: 0, meanLogitShift: 0, rankCorrelation: expect.closeTo(1, 12) as number });
    expect(renderDiff(same)).toContain('the same export, byte for byte');
  });

  it('measures sizes and tables as they are stored', async () => {
    const { sizes, tables, isSame } = await diff('plain', 'half');
    expect(isSame).toBe(false);
    for (const { file, a, b } of sizes) expect([a, b], file).toEqual(['plain', 'half'].map((folder) => statSync(path(folder, file)).size));
    expect(sizes.map(({ file }) => file)).toEqual(expect.arrayContaining(['model.onnx', 'tables.bin', 'encoders.json', 'golden.parquet', 'manifest.json']));
    for (const { a, b, rows, table } of tables) {
      expect([a!.precision, b!.precision], table).toEqual(['fp32', 'fp16']);
      expect(a!.bytes).toBe(4 * a!.rows * a!.width);
      expect(b!.bytes).toBe(a!.bytes / 2);
      expect(rows).toEqual({ kept: a!.rows, added: 0, removed: 0 });
    }
    // The tables, and pages between them.
    const stored = tables.reduce((sum, { a }) => sum + a!.bytes, 0);
    expect(statSync(path('plain', 'tables.bin')).size).toBeGreaterThanOrEqual(stored);
    expect(statSync(path('plain', 'tables.bin')).size).toBeLessThan(stored + 4096 * tables.length);
  });

  it('compares predictions as predict makes them', async () => {
    await runSql(directory, `COPY (SELECT * FROM '@/feed.parquet' WHERE rid % 3 = 0 LIMIT 90) TO '@/rows.parquet' (FORMAT parquet)`);
    const events = { history: path('events.parquet') };
    const { predictions } = await diffExports({ a: path('plain'), b: path('linear'), rows: path('rows.parquet'), events });
    for (const folder of ['plain', 'linear']) await predict({ exported: path(folder), input: path('rows.parquet'), output: path(`${folder}.parquet`), events });
    for (const task of predictions!.tasks) {
      const [expected] = await readSql<{ a: number; b: number; largest: number; at: number; mean: number; shift: number; ranks: number }>(
        directory,
        `WITH both_sides AS (SELECT row_number() OVER () AS place, x."probability.${task.task}"::DOUBLE AS a, y."probability.${task.task}"::DOUBLE AS b FROM '@/plain.parquet' x POSITIONAL JOIN '@/linear.parquet' y),
         ranked AS (SELECT *, rank() OVER (ORDER BY a) + (count(*) OVER (PARTITION BY a) - 1) / 2 AS of_a, rank() OVER (ORDER BY b) + (count(*) OVER (PARTITION BY b) - 1) / 2 AS of_b FROM both_sides)
         SELECT avg(a) AS a, avg(b) AS b, max(abs(b - a)) AS largest, CAST(arg_max(place, abs(b - a)) AS INTEGER) AS at, avg(abs(b - a)) AS mean,
           avg(ln(b / (1 - b)) - ln(a / (1 - a))) AS shift, corr(of_a, of_b) AS ranks FROM ranked`,
      );
      expect(task.a).toBeCloseTo(expected!.a, 9);
      expect(task.b).toBeCloseTo(expected!.b, 9);
      expect(task.maxDifference).toBeCloseTo(expected!.largest, 9);
      expect(task.atRow).toBe(expected!.at);
      expect(task.meanDifference).toBeCloseTo(expected!.mean, 9);
      expect(task.meanLogitShift).toBeCloseTo(expected!.shift, 6);
      expect(task.rankCorrelation).toBeCloseTo(expected!.ranks, 9);
      expect(task.maxDifference).toBeGreaterThan(0.001);
    }
    expect(predictions!.tasks.map(({ task }) => task)).toEqual(['click', 'save']);
    expect(predictions!.candidates).toBe(90);
  });

  it('tells how the curves of a calibration move what is predicted', async () => {
    const { calibration, predictions } = await diff('plain', 'calibrated');
    const byViewType = Object.fromEntries(calibration.map(({ viewType, logitDifference }) => [viewType ?? 'never seen', logitDifference]));
    for (const [viewType, shift] of Object.entries({ grid: -0.5, list: 0.25, 'never seen': 0.25 })) expect(byViewType[viewType], viewType).toBeCloseTo(shift, 12);
    expect(Object.keys(byViewType)).toHaveLength(3);
    const [click, save] = predictions!.tasks;
    const [slots] = await readSql<{ shift: number }>(directory, `SELECT avg(CASE WHEN "@view_type" = 'grid' THEN -0.5 ELSE 0.25 END)::DOUBLE AS shift FROM '@/plain/golden.parquet'`);
    expect(click!.meanLogitShift).toBeCloseTo(slots!.shift, 4);
    expect(save!.maxDifference).toBeLessThan(1e-6);
  });

  it('prints the same as tables', async () => {
    const text = renderDiff(await diff('plain', 'linear'));
    expect(text).toMatch(/model +unified +linear/);
    expect(text).toMatch(/predictions for the 64 candidates of golden\.parquet/);
    expect(text).toMatch(/calibration\S*\n\S*none in either/);
    expect(text).toMatch(/model\.onnx +[\d.]+ kB +[\d.]+ kB +[+−][\d.]+%/);
  });

  it('says which rows it could not score, where nobody asked for them, and fails where somebody did', async () => {
    cpSync(path('plain'), path('poor'), { recursive: true });
    const golden = path('poor', 'golden.parquet');
    await runSql(directory, `COPY (SELECT * EXCLUDE (brand) FROM '@/plain/golden.parquet') TO '${golden}' (FORMAT parquet)`);
    await expect(diff('plain', 'again', 'poor/golden.parquet')).rejects.toBeInstanceOf(DataError);
    await expect(diff('poor', 'again'), 'golden rows that are not those of the manifest').rejects.toBeInstanceOf(ArtifactError);
    const manifest = JSON.parse(readFileSync(path('poor', 'manifest.json'), 'utf8')) as ExportManifest & { digest?: string };
    delete manifest.digest;
    const entry = { path: 'golden.parquet', bytes: statSync(golden).size, sha256: await checksumFile(golden) };
    const vouched = { ...manifest, files: manifest.files.map((file) => (file.path === entry.path ? entry : file)) };
    writeFileSync(path('poor', 'manifest.json'), JSON.stringify({ ...vouched, digest: digestOf(vouched) }));
    const poor = await diff('poor', 'again');
    expect(poor.predictions).toBeNull();
    expect(poor.notScored).toMatch(/brand/);
    expect(renderDiff(poor)).toMatch(/not compared, as .*brand/);
  });

  it('refuses exports of two surfaces, and events that neither joins', async () => {
    await expect(diff('plain', 'search')).rejects.toBeInstanceOf(UsageError);
    await expect(diffExports({ a: path('plain'), b: path('again'), events: { clicks: path('events.parquet') } })).rejects.toThrow(/there is no sequence "clicks"/);
  });
});
