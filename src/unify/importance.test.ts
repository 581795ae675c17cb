import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { plainRow } from '../../test/fixtures/encode-oracle.js';
import { createLogWorkplace, LOG_START, type LogWorkplace } from '../../test/support/log-workplace.js';
import { shardArbitrary } from '../../test/fixtures/shard-arbitrary.js';
import { OnefoldError } from '../config/errors.js';
import type { Project, ProjectConfig } from '../config/project.js';
import type { Columns } from '../data/columns.js';
import { prepare, type PreparedDataset } from '../data/prepare.js';
import { permutationImportance, shuffledRows, withShuffled, type ImportanceOptions } from './importance.js';
import type { FeatureImportance } from './report.js';
import { openModel, type OpenModel } from './score-model.js';
import { trainRuns } from './train-model.js';

const SMALL = { embedding: { width: 4 }, cross: { layers: 1 }, mlp: [16], tower: [8] } as const;

/** Clicks follow `strong` everywhere, `mood` on home and the history on search; `noise` and `weather` say nothing. */
const CONFIG: ProjectConfig = {
  name: 'mattering',
  workspace: 'work',
  surfaces: { home: { source: { files: 'home.parquet' } }, search: { source: { files: 'search.parquet' } } },
  features: {
    mood: { kind: 'categorical', side: 'request', surfaces: ['home'] },
    weather: { kind: 'categorical', side: 'request' },
    history: { kind: 'sequence', length: 3, surfaces: ['search'], time: 'seen_at', fields: { topic: { column: 'seen' }, gap: { kind: 'time_gap' } } },
    strong: { kind: 'categorical', side: 'candidate' },
    noise: { kind: 'number', side: 'candidate' },
    position: { kind: 'categorical', side: 'candidate', trainingOnly: { serveAs: 1 } },
  },
  tasks: { click: { label: 'click' }, save: { label: 'save', surfaces: ['home'] } },
  split: { validation: 0.1, test: 0.4 },
  data: { shardCandidates: 500 },
  models: { unified: { preset: 'unified', ...SMALL }, separate: { preset: 'separate', ...SMALL } },
  training: { batchSize: 128, epochs: 6, learningRate: 0.01, embeddingLearningRate: 0.3, warmupSteps: 2, threads: 1 },
};

const draw = (...place: readonly (string | number)[]): string => `(hash(${place.join(', ')}) % 1000) / 1000.0`;

const log = (surface: 'home' | 'search'): string => `
  SELECT *, (chance < odds)::INT AS click, (${draw('r', 'c', 10)} < 0.3)::INT AS save FROM (
    SELECT '${surface}' || r AS request_id, 'u' || r % 50 AS user_id, ${LOG_START} + r * 60000 AS time, r, c, hash(r, c, 5) % 2 AS strong,
      CASE WHEN r % 3 = 0 THEN 'good' ELSE 'bad' END AS mood, 'w' || CAST(4 * ${draw('r', 1)} AS INTEGER) AS weather, ${draw('r', 'c', 2)} AS noise, c + 1 AS position,
      list_transform(range(1 + r % 3), lambda i: CASE WHEN r % 5 < 2 THEN 'x' ELSE 'y' END) AS seen, list_transform(range(1 + r % 3), lambda i: ${LOG_START} + r * 60000 - 500 + i) AS seen_at,
      ${draw('r', 'c', 3)} AS chance, 0.1 + CASE WHEN strong = 0 THEN 0.55 ELSE 0 END + CASE WHEN ${surface === 'home' ? 'r % 3 = 0' : 'r % 5 < 2'} THEN 0.3 ELSE 0 END AS odds
    FROM range(600) requests(r), range(4) candidates(c)) ORDER BY r, c`;

let place: LogWorkplace;
let project: Project;
let manifest: PreparedDataset;
let model: OpenModel;

const options = (more: Partial<ImportanceOptions> = {}): ImportanceOptions => ({
  directory: place.path('work/prepared'),
  manifest,
  features: project.features,
  groups: model.groups,
  rows: 10_000,
  seed: 1,
  ...more,
});

beforeAll(async () => {
  place = createLogWorkplace();
  await place.write('home.parquet', log('home'));
  await place.write('search.parquet', log('search'));
  project = place.project(CONFIG);
  manifest = await prepare(project);
  await trainRuns({ project, model: project.models['unified']!, manifest, directory: place.path('work/prepared') });
  model = await openModel(project, project.models['unified']!, manifest);
});
afterAll(async () => {
  await model.close();
  place.remove();
});

const click = (found: readonly FeatureImportance[], surface: string, feature: string): FeatureImportance => found.find((one) => one.surface === surface && one.feature === feature && one.task === 'click')!;

describe('permutationImportance', () => {
  it('is large for what the label follows and about none for noise, on each surface by its own', async () => {
    const told: number[] = [];
    const found = await permutationImportance(options({ onProgress: (fraction) => told.push(fraction) }));
    for (const surface of ['home', 'search']) {
      expect(click(found, surface, 'strong').aucLoss).toBeGreaterThan(0.15);
      expect(click(found, surface, 'strong').logLossRise).toBeGreaterThan(0.2);
      for (const feature of ['noise', 'weather']) {
        expect(Math.abs(click(found, surface, feature).aucLoss)).toBeLessThan(0.02);
        expect(Math.abs(click(found, surface, feature).logLossRise)).toBeLessThan(0.02);
      }
    }
    expect(click(found, 'home', 'mood').aucLoss).toBeGreaterThan(0.05);
    expect(click(found, 'search', 'history').aucLoss).toBeGreaterThan(0.05);
    expect(told).toHaveLength(10);
    expect(told.at(-1)).toBe(1);
    expect(told.toSorted((a, b) => a - b)).toEqual(told);
  });

  it('reports each task of a surface, and only features that the surface has', async () => {
    const found = await permutationImportance(options({ rows: 300 }));
    const keys = found.map(({ surface, feature, side, task }) => `${surface} ${feature} ${side} ${task}`);
    const of = (surface: string, tasks: readonly string[], features: readonly string[]): string[] => features.flatMap((feature) => tasks.map((task) => `${surface} ${feature} ${task}`));
    expect(keys).toEqual([
      ...of('home', ['click', 'save'], ['mood request', 'weather request', 'strong candidate', 'noise candidate', 'position candidate']),
      ...of('search', ['click'], ['weather request', 'history request', 'strong candidate', 'noise candidate', 'position candidate']),
    ]);
  });

  it('is the same for the same seed, and draws other rows for another', async () => {
    const first = await permutationImportance(options({ rows: 400 }));
    expect(await permutationImportance(options({ rows: 400 }))).toEqual(first);
    expect(await permutationImportance(options({ rows: 400, seed: 2 }))).not.toEqual(first);
  });

  it('draws whole requests, at most as many candidates as asked for', async () => {
    const seen: number[] = [];
    const [group] = model.groups;
    const counted = { ...group!, scorer: { predict: (batch: Parameters<typeof group.scorer.predict>[0]) => (seen.push(batch.candidateCount), group!.scorer.predict(batch)) } };
    await permutationImportance(options({ groups: [counted], rows: 202, features: [{ name: 'mood' }] }));
    // Home before and after its one feature, search before.
    expect(seen).toHaveLength(3);
    for (const candidates of seen) {
      expect(candidates % 4).toBe(0);
      expect(candidates).toBeLessThanOrEqual(202);
      expect(candidates).toBeGreaterThan(120);
    }
  });

  it('leaves out features that the model does not read', async () => {
    const unread = model.groups.map((group) => ({ ...group, layout: { ...group.layout, dense: [] } }));
    const found = await permutationImportance(options({ groups: unread, rows: 100 }));
    expect(new Set(found.map(({ feature }) => feature))).toEqual(new Set(['mood', 'weather', 'history', 'strong', 'position']));
  });

  it('measures each surface with the model that scores it', async () => {
    const separate = project.models['separate']!;
    await trainRuns({ project, model: separate, manifest, directory: place.path('work/prepared') });
    const opened = await openModel(project, separate, manifest);
    try {
      const mixed = [{ ...model.groups[0]!, surfaces: ['search'] }, opened.groups[0]!];
      const found = await permutationImportance(options({ groups: mixed, rows: 400 }));
      const ofUnified = await permutationImportance(options({ rows: 400 }));
      const ofSeparate = await permutationImportance(options({ groups: opened.groups, rows: 400 }));
      const on = (all: readonly FeatureImportance[], surface: string): readonly FeatureImportance[] => all.filter((one) => one.surface === surface);
      expect(found).toEqual([...on(ofSeparate, 'home'), ...on(ofUnified, 'search')]);
      expect(on(ofSeparate, 'home')).not.toEqual(on(ofUnified, 'home'));
    } finally {
      await opened.close();
    }
  });

  it('stops when it is told to', async () => {
    const controller = new AbortController();
    const stopped = permutationImportance(options({ rows: 100, signal: controller.signal, onProgress: () => controller.abort() }));
    const error = await stopped.catch((caught: unknown) => caught);
    expect(error).toBeInstanceOf(OnefoldError);
    expect((error as OnefoldError).code).toBe('interrupted');
  });
});

describe('shuffling', () => {
  it('is a permutation, the same for the same key', () => {
    fc.assert(
      fc.property(fc.nat(50), fc.string(), (count, key) => {
        const rows = shuffledRows(count, key);
        expect([...rows].sort((a, b) => a - b)).toEqual(Array.from({ length: count }, (_, row) => row));
        expect(shuffledRows(count, key)).toEqual(rows);
      }),
    );
    expect(shuffledRows(50, 'a')).not.toEqual(shuffledRows(50, 'b'));
  });

  it("moves all columns of a feature together, each row's list whole, and nothing else", () => {
    const rowsOf = (columns: Columns, names: readonly string[], count: number): string[] => Array.from({ length: count }, (_, row) => JSON.stringify(names.map((name) => plainRow(columns.get(name)!, row))));
    fc.assert(
      fc.property(shardArbitrary, fc.constantFrom<'request' | 'candidate'>('request', 'candidate'), fc.subarray(['id', 'number', 'ids', 'vector'], { minLength: 1 }), (shard, side, columns) => {
        const shuffled = withShuffled(shard, { side, columns }, 'key');
        const [name, other] = side === 'request' ? (['requestColumns', 'candidateColumns'] as const) : (['candidateColumns', 'requestColumns'] as const);
        const count = side === 'request' ? shard.requestCount : shard.candidateCount;
        const order = shuffledRows(count, 'key');
        const before = rowsOf(shard[name], columns, count);
        expect(rowsOf(shuffled[name], columns, count)).toEqual(Array.from(order, (row) => before[row]));
        expect({ ...shuffled, [name]: null }).toEqual({ ...shard, [name]: null });
        for (const [column, values] of shard[name]) if (!columns.includes(column)) expect(shuffled[name].get(column)).toBe(values);
        expect(shuffled[other]).toBe(shard[other]);
      }),
      { numRuns: 150 },
    );
  });
});
