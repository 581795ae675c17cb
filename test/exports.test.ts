/** Exports of a trained model against the model itself, the raw rows it was made from, and everything that can befall a folder. */
import { cpSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { applyLayer, logitOf, sigmoid } from '../src/calibrate/apply-layer.js';
import type { CalibrationLayer, TaskCalibration } from '../src/calibrate/calibration.js';
import { ArtifactError, DataError, ParityError, UsageError } from '../src/config/errors.js';
import type { Project } from '../src/config/project.js';
import { resolveProject } from '../src/config/resolve.js';
import { openDataset } from '../src/data/dataset.js';
import type { EncoderSet } from '../src/data/encoder-state.js';
import { checksumFile } from '../src/data/file-checksum.js';
import { prepare, type PreparedDataset } from '../src/data/prepare.js';
import { evaluatePredictions } from '../src/evaluate/evaluate.js';
import type { ExportSurfaceOptions } from '../src/export/export-options.js';
import { exportSurface } from '../src/export/export-surface.js';
import { digestOf, type ExportManifest } from '../src/export/manifest.js';
import { openExport } from '../src/export/open-export.js';
import { predict } from '../src/export/predict.js';
import { storedMetrics } from '../src/export/stored-metrics.js';
import { openCheckpoint, writeCheckpoint } from '../src/train/checkpoint.js';
import { CHECKPOINT_FILES, type CheckpointFile } from '../src/train/checkpoint-manifest.js';
import { arrayTensor, type NamedTensor } from '../src/train/named-tensor.js';
import { SafetensorsFile } from '../src/train/safetensors.js';
import { checkpointOf } from '../src/unify/model-run.js';
import { openModel, scoreModel } from '../src/unify/score-model.js';
import { trainRuns } from '../src/unify/train-model.js';
import { createShop, readSql, runSql, SHOP_CONFIG } from './support/shop-project.js';

const SURFACES = ['feed', 'search'];

let directory: string;
let project: Project;
let prepared: PreparedDataset;
const path = (...parts: readonly string[]): string => join(directory, ...parts);

type ExportOne = (folder: string, surface: string, change?: Partial<ExportSurfaceOptions>) => Promise<ExportManifest>;

/** Opens a model and exports surfaces of it; `change` alters what the exporter is given. */
const withModel = async <T>(modelName: string, work: (exportOne: ExportOne) => Promise<T>): Promise<T> => {
  const model = project.models[modelName]!;
  const opened = await openModel(project, model, prepared);
  const dataset = await openDataset(prepared.directory, prepared, 'test', { tasks: prepared.tasks.map((task) => task.name), batchCandidates: 64 });
  try {
    return await work((folder, surface, change = {}) => {
      const group = opened.groups.find(({ layout }) => layout.surfaces.includes(surface))!;
      return exportSurface({
        project, model, manifest: prepared, preparedDirectory: prepared.directory, surface, group, checkpoint: checkpointOf(group.run), dataset,
        precision: 'fp32', directory: path(folder), metrics: {}, ...change,
      });
    });
  } finally {
    dataset.close();
    await opened.close();
  }
};

const exportTo = (folder: string, modelName: string, surface: string, change: Partial<ExportSurfaceOptions> = {}): Promise<ExportManifest> =>
  withModel(modelName, (exportOne) => exportOne(folder, surface, change));

beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'onefold-'));
  const { file } = await createShop(directory);
  project = resolveProject({ ...SHOP_CONFIG, models: { ...SHOP_CONFIG.models, wide: { preset: 'unified', embedding: { width: 8 }, mlp: [256, 64], tower: [32] } } }, { file });
  prepared = await prepare(project);
  for (const name of ['unified', 'full', 'linear', 'wide']) await trainRuns({ project, model: project.models[name]!, manifest: prepared, directory: prepared.directory });
  await withModel('unified', async (exportOne) => {
    for (const surface of SURFACES) await exportOne(`exports/${surface}`, surface);
  });
});

afterAll(() => {
  rmSync(directory, { recursive: true, force: true });
});

const manifestOf = (folder: string): ExportManifest => JSON.parse(readFileSync(path(folder, 'manifest.json'), 'utf8')) as ExportManifest;

/** Largest difference between a file's probabilities and other columns of it. */
const largestDifference = async (file: string, tasks: readonly string[], other: (task: string) => string): Promise<number> => {
  const differences = tasks.map((task) => `max(abs("probability.${task}" - ${other(task)}))`);
  const [row] = await readSql<{ most: number; rows: number }>(directory, `SELECT greatest(${differences.join(', ')}) AS most, count(*) AS rows FROM '@/${file}'`);
  expect(row!.rows).toBeGreaterThan(0);
  return row!.most;
};

describe('an export', () => {
  it.each(SURFACES)('predicts what the trained model does, from encoded and from raw values: %s', (surface) => {
    const { parity, tasks } = manifestOf(`exports/${surface}`);
    const held = prepared.splits.test.counts[surface]!.candidates;
    expect(parity).toMatchObject({ encodedRows: held, rawRows: held, tolerance: 1e-5, precisionDifference: 0 });
    expect(parity.maxDifference).toBeLessThan(1e-6);
    expect(tasks).toEqual(surface === 'feed' ? ['click', 'save'] : ['click']);
  });

  it.each(SURFACES)('of the full model reads sequences as training does, padded where that is ragged: %s', async (surface) => {
    const { parity } = await exportTo(`full/${surface}`, 'full', surface);
    expect(parity.encodedRows).toBe(prepared.splits.test.counts[surface]!.candidates);
    expect(parity.maxDifference).toBeLessThan(1e-6);
  });

  it('says what it is made of, without a path of this machine', async () => {
    const manifest = manifestOf('exports/search');
    expect(manifest.files.map((file) => file.path)).toEqual(['model.onnx', 'tables.bin', 'encoders.json', 'golden.parquet', 'request.onnx', 'candidate.onnx', 'fused.json']);
    for (const file of manifest.files) {
      expect(file.bytes).toBe(statSync(path('exports/search', file.path)).size);
      expect(file.sha256).toBe(await checksumFile(path('exports/search', file.path)));
    }
    expect(manifest.lineage.data).toBe(prepared.key);
    const run = project.workspace;
    expect(manifest.lineage.checkpoint['dense.safetensors']).toBe(await checksumFile(join(run, 'runs/unified/all/checkpoint/dense.safetensors')));
    for (const file of ['manifest.json', 'encoders.json']) expect(readFileSync(path('exports/search', file), 'utf8')).not.toContain(directory);
  });

  it('knows the encoders of its surface alone', () => {
    const encoders = readFileSync(path('exports/search/encoders.json'), 'utf8');
    expect(encoders).toContain('"query"');
    for (const other of ['"tags"', '"recent.item"', '"is_new"', '"stock"']) expect(encoders).not.toContain(other);
  });

  it.each(SURFACES)('with tables in half precision is as exact as they are: %s', async (surface) => {
    await withModel('unified', async (exportOne) => {
      const { parity } = await exportOne(`half/${surface}`, surface, { precision: 'fp16' });
      expect(parity.maxDifference).toBeLessThan(1e-6);
      expect(parity.precisionDifference).toBeGreaterThan(0);
      expect(parity.precisionDifference).toBeLessThan(1e-3);
      expect(statSync(path('half', surface, 'tables.bin')).size).toBeLessThan(statSync(path('exports', surface, 'tables.bin')).size);
      // The engine has its own tables again.
      expect((await exportOne(`again/${surface}`, surface)).parity.maxDifference).toBeLessThan(1e-6);
    });
  });

  it.each(SURFACES)('with tables as bytes is as exact as they are, and says what they cost: %s', async (surface) => {
    const written = await exportTo(`bytes/${surface}`, 'unified', surface, { precision: 'int8' }).catch((error: unknown) => error);
    // With this few held-out rows one swapped pair may be over the budget: then it is refused, and nothing stays.
    if (written instanceof ParityError) return expect([written.message.startsWith(`${surface}: int8 tables cost task`), existsSync(path('bytes', surface))]).toEqual([true, false]);
    const { parity, precision } = written as ExportManifest;
    expect([precision, parity.maxDifference < 1e-6]).toEqual(['int8', true]);
    expect(parity.precisionDifference).toBeGreaterThan(0);
    expect(parity.maxLogitDifference).toBeGreaterThanOrEqual(parity.precisionDifference);
    expect(Object.keys(parity.aucLoss)).toEqual(surface === 'feed' ? ['click', 'save'] : ['click']);
    for (const loss of Object.values(parity.aucLoss)) expect(loss).toBeLessThanOrEqual(1e-4);
    // What lies between such small tables counts.
    expect(statSync(path('bytes', surface, 'tables.bin')).size).toBeLessThanOrEqual(statSync(path('exports', surface, 'tables.bin')).size + 4 * 4096);
  });

  it('has the rows that its surface has looked up, and predicts as with all', async () => {
    const all = await exportTo('all/search', 'unified', 'search', { rows: 'all' });
    expect([all.rows, manifestOf('exports/search').rows]).toEqual(['all', 'used']);
    const valuesOf = (folder: string, table: string): readonly string[] => {
      const { tables } = JSON.parse(readFileSync(path(folder, 'encoders.json'), 'utf8')) as EncoderSet;
      const found = tables.find(({ name }) => name === table)!;
      return found.type === 'vocabulary' ? found.values : [];
    };
    // Search shows three ads, feed four.
    expect([...valuesOf('all/search', 'position')].sort()).toEqual(['1', '2', '3', '4']);
    expect([...valuesOf('exports/search', 'position')].sort()).toEqual(['1', '2', '3']);
    expect(valuesOf('exports/search', 'user')).toEqual(valuesOf('all/search', 'user'));
    expect([...valuesOf('exports/feed', 'position')].sort()).toEqual(['1', '2', '3', '4']);
    const file = path('exports/search/golden.parquet');
    await predict({ exported: path('all/search'), input: file, output: path('all.parquet') });
    const [row] = await readSql<{ most: number }>(directory, `SELECT max(abs(p."probability.click" - g."probability.click")) AS most FROM '@/all.parquet' p POSITIONAL JOIN '@/exports/search/golden.parquet' g`);
    expect(row!.most).toBeLessThan(1e-6);
  });

  it('calibrates each view type by its own layer, inside the graph', async () => {
    const layer = (offset: number, slope: number): CalibrationLayer => ({ offset, below: slope, above: slope, knots: [-1], rises: [0.5] });
    const layers = { 'feed/grid': layer(0.4, 1.2), 'feed/list': layer(-1, 0.7), 'search/search': layer(3, 1) };
    const click: TaskCalibration = { task: 'click', method: 'affine', viewTypes: layers, surfaces: { feed: layer(0, 2) }, global: layer(0, 1), globalMethod: 'affine', scores: [], rows: {} };
    const { parity, calibration } = await exportTo('calibrated/feed', 'unified', 'feed', { calibration: { version: 1, tasks: [click] } });
    expect(parity.maxDifference).toBeLessThan(1e-6);
    expect(calibration!.tasks).toEqual([{ ...click, viewTypes: { 'feed/grid': layers['feed/grid'], 'feed/list': layers['feed/list'] } }]);
    const rows = await readSql<{ slot: 'grid' | 'list'; click: number; save: number; bareClick: number; bareSave: number }>(
      directory,
      `SELECT c."@view_type" AS slot, c."probability.click" AS click, c."probability.save" AS save, b."probability.click" AS "bareClick", b."probability.save" AS "bareSave"
       FROM '@/calibrated/feed/golden.parquet' c POSITIONAL JOIN '@/exports/feed/golden.parquet' b`,
    );
    expect(new Set(rows.map(({ slot }) => slot))).toEqual(new Set(['grid', 'list']));
    for (const { slot, click: calibrated, bareClick, save, bareSave } of rows) {
      expect(calibrated).toBeCloseTo(sigmoid(applyLayer(layers[`feed/${slot}`], logitOf(bareClick))), 6);
      expect(save).toBe(bareSave);
    }
  });

  it('has quantized dense layers where they are faster and cost nothing, and says what was measured', async () => {
    const wide = await exportTo('dense/feed', 'wide', 'feed', { dense: 'int8' });
    expect(Object.keys(wide.measured!.dense)).toEqual(['fp32', 'int8', 'aucLoss']);
    expect(wide.dense).toMatch(/^(fp32|int8)$/);
    if (wide.dense === 'int8') expect(wide.parity.precisionDifference).toBeGreaterThan(0);
    for (const loss of Object.values(wide.parity.aucLoss)) expect(loss).toBeLessThanOrEqual(1e-4);
    // Halves of the graph would round otherwise than the whole.
    const halves = wide.dense === 'int8' ? [] : ['candidate.onnx', 'fused.json', 'request.onnx'];
    expect(readdirSync(path('dense/feed')).sort()).toEqual([...halves, 'encoders.json', 'golden.parquet', 'manifest.json', 'model.onnx', 'tables.bin'].sort());
    await (await openExport(path('dense/feed'))).close();
    // Layers too small to gain are not even tried.
    const small = await exportTo('dense/search', 'linear', 'search', { dense: 'int8' });
    expect([small.dense, small.measured]).toEqual(['fp32', undefined]);
  });

  it.each(SURFACES)('can be of a linear model: %s', async (surface) => {
    expect((await exportTo(`linear/${surface}`, 'linear', surface)).parity.rawRows).toBeGreaterThan(0);
  });

  it('replaces an older one of its surface, and has the same bytes', async () => {
    const first = manifestOf('exports/feed');
    await exportTo('exports/feed', 'unified', 'feed');
    expect(readdirSync(path('exports')).sort()).toEqual(SURFACES);
    expect(manifestOf('exports/feed')).toEqual(first);
  });

  it('carries the held-out metrics of its surface', async () => {
    const predictions = await scoreModel({ project, model: project.models['unified']!, manifest: prepared, directory: prepared.directory, split: 'test' });
    const evaluation = evaluatePredictions(predictions);
    writeFileSync(path('evaluation.json'), JSON.stringify(evaluation));
    const metrics = await storedMetrics(path('evaluation.json'), 'search');
    expect(Object.keys(metrics)).toEqual(['click']);
    const slice = evaluation.tasks[0]!.surfaces.find((one) => one.name === 'search')!;
    expect(metrics['click']).toEqual(JSON.parse(JSON.stringify({ rows: slice.rows, positives: slice.positives, metrics: slice.metrics })));
    expect(await storedMetrics(path('none.json'), 'search')).toEqual({});
    writeFileSync(path('torn.json'), '{"tasks": [');
    await expect(storedMetrics(path('torn.json'), 'search')).rejects.toBeInstanceOf(ArtifactError);
  });
});

describe('predicting with an export alone', () => {
  it.each(SURFACES)('gives golden rows the probabilities stored with them: %s', async (surface) => {
    const tasks = manifestOf(`exports/${surface}`).tasks;
    const golden = `exports/${surface}/golden.parquet`;
    const result = await predict({ exported: path('exports', surface), input: path(golden), output: path('golden.parquet') });
    expect(result).toEqual({ rows: 64, requests: surface === 'feed' ? 16 : 22, tasks });
    const differences = tasks.map((task) => `max(abs(p."probability.${task}" - g."probability.${task}"))`);
    const rows = await readSql<{ most: number; columns: number }>(directory, `SELECT greatest(${differences.join(', ')}) AS most FROM '@/golden.parquet' p POSITIONAL JOIN '@/${golden}' g`);
    expect(rows[0]!.most).toBeLessThan(1e-6);
    const columns = async (file: string): Promise<string[]> => (await readSql<{ column_name: string }>(directory, `DESCRIBE FROM '@/${file}'`)).map((row) => row.column_name);
    expect((await columns('golden.parquet')).sort()).toEqual((await columns(golden)).sort());
  });

  it("gives rows with the names of the surface's own logs the same, whatever their order", async () => {
    const expected = ['click', 'save'].map((task) => `g."probability.${task}" AS "expected.${task}"`).join(', ');
    await runSql(
      directory,
      // Without training-only positions and labels, as at serving; requests from last to first.
      `COPY (SELECT f.* EXCLUDE (clicked, saved, position), g."history.item", g."history.kind", g."history.@time", ${expected}
        FROM '@/feed.parquet' f JOIN '@/exports/feed/golden.parquet' g ON g."@request_id" = CAST(f.rid AS VARCHAR) AND g.position = CAST(f.position AS VARCHAR)
        ORDER BY f.rid DESC, f.position DESC) TO '@/own.parquet' (FORMAT parquet)`,
    );
    const { rows } = await predict({ exported: path('exports/feed'), input: path('own.parquet'), output: path('own-scored.parquet') });
    expect(rows).toBe(64);
    expect(await largestDifference('own-scored.parquet', ['click', 'save'], (task) => `"expected.${task}"`)).toBeLessThan(1e-6);
    const order = (file: string): Promise<unknown[]> => readSql(directory, `SELECT rid, cents FROM '@/${file}'`);
    expect(await order('own-scored.parquet')).toEqual(await order('own.parquet'));
  });

  /** The held-out rows of feed's own log, without histories, and the probabilities that golden rows have for them. */
  const FEED_LOG = `SELECT f.* EXCLUDE (clicked, saved, position), g."probability.click" AS "expected.click", g."probability.save" AS "expected.save", f.position AS place
    FROM '@/feed.parquet' f JOIN '@/exports/feed/golden.parquet' g ON g."@request_id" = CAST(f.rid AS VARCHAR) AND g.position = CAST(f.position AS VARCHAR)`;

  it('joins histories from events as training did, and asks for them where they are missing', async () => {
    await runSql(directory, `COPY (SELECT * EXCLUDE (place) FROM (${FEED_LOG}) ORDER BY rid DESC, place DESC) TO '@/bare.parquet' (FORMAT parquet)`);
    const options = { exported: path('exports/feed'), input: path('bare.parquet'), output: path('bare-scored.parquet') };
    await expect(predict(options)).rejects.toThrow(/has no "history\.item", "history\.kind", "history\.@time": what training joined from events/);
    await expect(predict({ ...options, events: { histories: path('events.parquet') } })).rejects.toMatchObject({ code: 'usage', fix: 'did you mean "history"?' });
    await predict({ ...options, events: { history: path('events.parquet') } });
    expect(await largestDifference('bare-scored.parquet', ['click', 'save'], (task) => `"expected.${task}"`)).toBeLessThan(1e-6);
    const order = (file: string): Promise<unknown[]> => readSql(directory, `SELECT rid, cents FROM '@/${file}'`);
    expect(await order('bare-scored.parquet')).toEqual(await order('bare.parquet'));
  });

  it('scores rows that are requests, and writes them as they came', async () => {
    // The same export, told that its logs are of layout 'request'.
    cpSync(path('exports/feed'), path('nested-export'), { recursive: true });
    const manifest = manifestOf('exports/feed');
    const { source } = manifest;
    const features = source.features.map((feature) => (feature.name === 'price' ? { ...feature, columns: { feed: 'list_transform(cents, lambda c: c / 100.0)' } } : feature));
    const nested = { ...manifest, digest: undefined, source: { ...source, layout: 'request', features } } as ExportManifest;
    writeFileSync(path('nested-export/manifest.json'), JSON.stringify({ ...nested, digest: digestOf(nested) }));
    const request = ['rid', 'uid', 'ts', 'slot', 'member', 'age', 'recent_items', 'recent_at'];
    const candidate = ['item', 'is_new', 'brand', 'cents', 'stock', 'shape', 'tags', '"expected.click"', '"expected.save"'];
    await runSql(
      directory,
      `COPY (SELECT ${request.join(', ')}, ${candidate.map((column) => `list(${column} ORDER BY place) AS ${column}`).join(', ')} FROM (${FEED_LOG}) GROUP BY ALL ORDER BY rid DESC)
       TO '@/nested.parquet' (FORMAT parquet)`,
    );
    for (const output of ['nested-scored.parquet', 'nested-scored.jsonl']) {
      const result = await predict({ exported: path('nested-export'), input: path('nested.parquet'), output: path(output), events: { history: path('events.parquet') } });
      expect(result).toEqual({ rows: 64, requests: 16, tasks: ['click', 'save'] });
      for (const task of result.tasks) {
        const [row] = await readSql<{ most: number; candidates: number }>(
          directory,
          `SELECT max(abs(p - e)) AS most, count(*) AS candidates FROM (SELECT unnest("probability.${task}") AS p, unnest("expected.${task}") AS e FROM '@/${output}')`,
        );
        expect(row!.candidates).toBe(64);
        expect(row!.most).toBeLessThan(1e-6);
      }
      const order = (file: string): Promise<unknown[]> => readSql(directory, `SELECT rid, cents FROM '@/${file}'`);
      expect(await order(output)).toEqual(await order('nested.parquet'));
    }
    // Golden rows are candidates, whatever the logs are.
    expect(await predict({ exported: path('nested-export'), input: path('exports/feed/golden.parquet'), output: path('flat.parquet') })).toMatchObject({ rows: 64 });
  });

  it('reads JSONL and writes CSV and JSONL', async () => {
    await runSql(
      directory,
      `COPY (SELECT s.* EXCLUDE (clicked, position), g."history.item", g."history.kind", g."history.@time", g."probability.click" AS expected
        FROM read_csv('@/search.csv') s JOIN '@/exports/search/golden.parquet' g ON g."@request_id" = s.req AND g.position = CAST(s.position AS VARCHAR)
        ORDER BY s.at, s.position) TO '@/search.jsonl' (FORMAT json)`,
    );
    for (const output of ['scored.csv', 'scored.jsonl']) {
      await predict({ exported: path('exports/search'), input: path('search.jsonl'), output: path(output) });
      expect(await largestDifference(output, ['click'], () => 'expected')).toBeLessThan(1e-6);
    }
    expect(readFileSync(path('scored.csv'), 'utf8').split('\n')[0]).toMatch(/^req,.*,expected,probability\.click$/);
  });

  it.each(SURFACES)('agrees with offline scores at served values, down-sampling undone: %s', async (surface) => {
    const offline = await scoreModel({ project, model: project.models['unified']!, manifest: prepared, directory: prepared.directory, split: 'test', trainingOnly: 'serving' });
    const rows = [...offline.surfaces].flatMap((index, row) => (SURFACES[index] === surface ? [row] : [])).slice(0, 64);
    for (const task of manifestOf(`exports/${surface}`).tasks) {
      const { probabilities } = offline.tasks.find((one) => one.task === task)!;
      const golden = await readSql<{ p: number }>(directory, `SELECT "probability.${task}" AS p FROM '@/exports/${surface}/golden.parquet'`);
      golden.forEach(({ p }, index) => expect(p).toBeCloseTo(probabilities[rows[index]!]!, 6));
    }
  });

  it('counts a request once, however many rows it has', async () => {
    await runSql(directory, `COPY (SELECT g.* FROM (FROM '@/exports/search/golden.parquet' LIMIT 1) g, range(5000)) TO '@/large.parquet' (FORMAT parquet)`);
    const seen: number[] = [];
    const result = await predict({ exported: path('exports/search'), input: path('large.parquet'), output: path('large-scored.parquet'), onProgress: (rows) => seen.push(rows) });
    expect(result).toMatchObject({ rows: 5000, requests: 1 });
    expect(seen.length).toBeGreaterThan(1);
    const [row] = await readSql<{ different: number }>(directory, `SELECT count(DISTINCT "probability.click") AS different FROM '@/large-scored.parquet'`);
    expect(row!.different).toBe(1);
  });

  it('leaves no output behind when a row does not fit', async () => {
    await runSql(directory, `COPY (SELECT * REPLACE (NULL AS "@request_id") FROM '@/exports/search/golden.parquet') TO '@/bad.parquet' (FORMAT parquet)`);
    await expect(predict({ exported: path('exports/search'), input: path('bad.parquet'), output: path('out/bad-scored.parquet') })).rejects.toBeInstanceOf(DataError);
    expect(existsSync(path('out')) ? readdirSync(path('out')) : []).toEqual([]);
    await expect(predict({ exported: path('exports/search'), input: path('bad.parquet'), output: path('scored.txt') })).rejects.toBeInstanceOf(UsageError);
  });
});

describe('a folder that was', () => {
  const copy = (): string => {
    const folder = mkdtempSync(path('copy-'));
    cpSync(path('exports/feed'), folder, { recursive: true });
    return folder;
  };

  it('copied elsewhere, alone, predicts as before', async () => {
    const elsewhere = mkdtempSync(join(tmpdir(), 'onefold-'));
    try {
      cpSync(path('exports/feed'), join(elsewhere, 'feed'), { recursive: true });
      const opened = await openExport(join(elsewhere, 'feed'));
      expect(opened.manifest.surface).toBe('feed');
      await opened.close();
      await predict({ exported: join(elsewhere, 'feed'), input: join(elsewhere, 'feed/golden.parquet'), output: path('elsewhere.parquet') });
      const [row] = await readSql<{ most: number }>(directory, `SELECT max(abs(p."probability.click" - g."probability.click")) AS most FROM '@/elsewhere.parquet' p POSITIONAL JOIN '@/exports/feed/golden.parquet' g`);
      expect(row!.most).toBeLessThan(1e-6);
    } finally {
      rmSync(elsewhere, { recursive: true, force: true });
    }
  });

  const alterByte = (file: string): void => {
    const bytes = readFileSync(file);
    bytes[bytes.length >> 1]! ^= 1;
    writeFileSync(file, bytes);
  };

  it.each<[string, string, (file: string) => void, RegExp]>([
    ['missing its tables', 'tables.bin', (file) => rmSync(file), /tables\.bin is missing/],
    ['cut off', 'model.onnx', (file) => truncateSync(file, 100), /model\.onnx has 100 bytes/],
    ['altered in its tables', 'tables.bin', alterByte, /tables\.bin was altered/],
    ['altered in its encoders', 'encoders.json', alterByte, /encoders\.json was altered/],
    ['altered in its golden rows', 'golden.parquet', alterByte, /golden\.parquet was altered/],
    ['altered in its manifest', 'manifest.json', (file) => writeFileSync(file, readFileSync(file, 'utf8').replace('"feed"', '"home"')), /manifest\.json was altered/],
    ['cut off in its manifest', 'manifest.json', (file) => truncateSync(file, 200), /manifest\.json is damaged/],
    ['written by another version', 'manifest.json', (file) => writeFileSync(file, '{"version": 1}'), /export format 1 is not this version's/],
    ['robbed of its manifest', 'manifest.json', (file) => rmSync(file), /holds no export/],
  ])('%s is never read', async (_, file, damage, message) => {
    const folder = copy();
    damage(join(folder, file));
    const error = await openExport(folder).catch((caught: unknown) => caught);
    expect(error).toBeInstanceOf(ArtifactError);
    expect((error as ArtifactError).message).toMatch(message);
    expect((error as ArtifactError).where).toBe(join(folder, file));
  });
});

describe('the replay', () => {
  /** A copy of the trained checkpoint in which one tensor is moved a little. */
  const perturbed = (file: CheckpointFile, name: (tensor: string) => boolean): string => {
    const source = join(project.workspace, 'runs/unified/all/checkpoint');
    const contents = Object.fromEntries(
      CHECKPOINT_FILES.map((one): [string, NamedTensor[]] => {
        const tensors = new SafetensorsFile(join(source, one));
        const read = tensors.names.map((tensor) => ({ name: tensor, shape: tensors.shape(tensor), data: tensors.read(tensor) }));
        tensors.close();
        return [one, read.map((tensor) => arrayTensor(tensor.name, tensor.shape, one === file && name(tensor.name) ? tensor.data.map((value) => value + 0.01) : tensor.data))];
      }),
    );
    const target = mkdtempSync(path('perturbed-'));
    writeCheckpoint(join(target, 'checkpoint'), openCheckpoint(source), contents as Record<CheckpointFile, NamedTensor[]>);
    return join(target, 'checkpoint');
  };

  it.each<[string, CheckpointFile, (tensor: string) => boolean]>([
    ['a dense weight', 'dense.safetensors', (tensor) => tensor === 'tower.search.head.bias'],
    ['an embedding table', 'tables.safetensors', (tensor) => tensor === 'table.4.weights'],
  ])('fails when the files are not the model: %s', async (_, file, name) => {
    const error = await exportTo('wrong/search', 'unified', 'search', { checkpoint: perturbed(file, name) }).catch((caught: unknown) => caught);
    expect(error).toBeInstanceOf(ParityError);
    expect((error as ParityError).message).toMatch(/^search: the exported files predict .* for request s\d+, candidate 0, task "click"; the trained model predicts/);
    expect(readdirSync(path('wrong'))).toEqual([]);
  });

  it('keeps the export that was there when a new one fails', async () => {
    const before = readFileSync(path('exports/search/manifest.json'), 'utf8');
    const checkpoint = perturbed('dense.safetensors', (tensor) => tensor === 'tower.search.head.bias');
    await expect(exportTo('exports/search', 'unified', 'search', { checkpoint })).rejects.toBeInstanceOf(ParityError);
    expect(readFileSync(path('exports/search/manifest.json'), 'utf8')).toBe(before);
    expect(readdirSync(path('exports')).sort()).toEqual(SURFACES);
  });

  it('fails when raw values do not lead to the encoded ones', async () => {
    const file = prepared.rawRows['search']!;
    await runSql(directory, `COPY (SELECT * REPLACE (price + 20 AS price) FROM '${join(prepared.directory, file.path)}') TO '@/raw.parquet' (FORMAT parquet)`);
    const entry = { path: 'raw.parquet', bytes: statSync(path('raw.parquet')).size, sha256: await checksumFile(path('raw.parquet')) };
    const manifest = { ...prepared, rawRows: { search: entry } };
    const failing = exportTo('wrong/search', 'unified', 'search', { manifest, preparedDirectory: directory, rows: 'all' });
    await expect(failing).rejects.toThrow(/from raw values, task "click"/);
  });

  it('fails when there is nothing to replay', async () => {
    const feedOnly = await openDataset(prepared.directory, prepared, 'test', { tasks: ['click', 'save'], batchCandidates: 64, surfaces: [0] });
    const trainRows = await openDataset(prepared.directory, prepared, 'train', { tasks: ['click', 'save'], batchCandidates: 64, surfaces: [1] });
    try {
      const empty = { candidateCount: 0, requestCount: 0, batchCount: () => 0, batches: feedOnly.batches, close: () => undefined, async *iterateShards() { /* none */ } };
      await expect(exportTo('wrong/search', 'unified', 'search', { dataset: empty })).rejects.toThrow(/no held-out row was replayed through/);
      await expect(exportTo('wrong/search', 'unified', 'search', { dataset: trainRows })).rejects.toThrow(/no held-out row was replayed from raw values/);
    } finally {
      feedOnly.close();
      trainRows.close();
    }
  });

  it('stops after as many candidates as asked for', async () => {
    const { parity } = await exportTo('short/feed', 'unified', 'feed', { replayCandidates: 20 });
    expect(parity.encodedRows).toBeGreaterThanOrEqual(20);
    expect(parity.encodedRows).toBeLessThanOrEqual(4096);
  });
});
