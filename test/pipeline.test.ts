/** The whole path on a simulated marketplace, through the compiled command line: logs in, two models, their comparison, exports and scores out. */
import { cpSync, mkdtempSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { ProjectConfig } from '../src/config/project.js';
import type { MergeReport } from '../src/data/merge-report.js';
import type { Comparison } from '../src/evaluate/comparison.js';
import type { Evaluation } from '../src/evaluate/evaluation.js';
import type { ExportManifest } from '../src/export/manifest.js';
import { runCli } from './support/run-cli.js';
import { readSql } from './support/shop-project.js';

const SURFACES = ['home_feed', 'search', 'related_pins'];
const TASKS_OF: Readonly<Record<string, readonly string[]>> = { home_feed: ['click', 'hide'], search: ['click', 'hide'], related_pins: ['click'] };

const logs = (surface: string) => ({ source: { files: `data/logs/${surface}/*.parquet`, layout: 'request' }, viewType: 'view_type' }) as const;
const small = { embedding: { width: 4 }, cross: { layers: 1 }, mlp: [16], tower: [8] } as const;

const CONFIG: ProjectConfig = {
  name: 'marketplace',
  surfaces: { home_feed: logs('home_feed'), search: logs('search'), related_pins: logs('related_pins') },
  features: {
    user: { kind: 'categorical', side: 'request', column: 'user_id' },
    price_sensitivity: { kind: 'number', side: 'request' },
    declared_interests: { kind: 'multi', side: 'request', table: 'topic' },
    history: {
      kind: 'sequence',
      length: 10,
      events: { source: { files: 'data/events/*.parquet' }, user: 'user_id', time: 'time' },
      fields: { pin: { column: 'pin_id', table: 'ad_id' }, topic: { table: 'topic' }, gap: { kind: 'time_gap' } },
    },
    query: { kind: 'categorical', side: 'request', surfaces: ['search'] },
    subject_topic: { kind: 'categorical', side: 'request', surfaces: ['related_pins'], table: 'topic' },
    ad_id: { kind: 'categorical', side: 'candidate' },
    topic: { kind: 'categorical', side: 'candidate' },
    tags: { kind: 'multi', side: 'candidate' },
    price: { kind: 'number', side: 'candidate', encoding: { type: 'bucket', count: 8 } },
    creative: { kind: 'vector', side: 'candidate', size: 8 },
    position: { kind: 'categorical', side: 'candidate', trainingOnly: { serveAs: 1 } },
  },
  // Related pins cannot be hidden.
  tasks: { click: { label: 'click' }, hide: { label: 'hide', surfaces: ['home_feed', 'search'], weight: 0.2 } },
  data: { truth: { click: 'p_click' } },
  models: { separate: { preset: 'separate', ...small }, unified: { preset: 'unified', ...small, dropout: 0.1 }, linear: { preset: 'linear' } },
  training: { batchSize: 1024, epochs: 2, threads: 2, warmupSteps: 5, earlyStopping: { metric: 'gauc' } },
};

let directory: string;
const path = (...parts: readonly string[]): string => join(directory, ...parts);

/** Runs a command with `--json`; its standard output must be one JSON object and nothing else. */
const run = async <T>(...args: readonly string[]): Promise<T> => {
  const { exit, stdout, stderr } = await runCli([...args, '--json'], { cwd: directory });
  expect([exit, stderr]).toEqual([0, '']);
  expect(stdout.trimEnd()).not.toContain('\n');
  return JSON.parse(stdout) as T;
};

const filesOf = (folder: string): Readonly<Record<string, string>> =>
  Object.fromEntries(readdirSync(folder).sort().map((file) => [file, readFileSync(join(folder, file)).toString('base64')]));

interface Prepared {
  readonly reused: boolean;
  readonly mergeReport: MergeReport;
  readonly splits: Readonly<Record<string, { readonly counts: Readonly<Record<string, { readonly candidates: number }>> }>>;
}
interface Trained {
  readonly runs: readonly { readonly name: string; readonly surfaces: readonly string[]; readonly steps: number; readonly checkpoint: string; readonly best?: { readonly value: number } }[];
}
interface Exported {
  readonly exports: readonly { readonly surface: string; readonly directory: string; readonly manifest: ExportManifest }[];
}

let first: Prepared;
let trained: Readonly<Record<string, Trained>>;

beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'onefold-'));
  writeFileSync(path('onefold.config.json'), JSON.stringify(CONFIG));
  await run('simulate', 'data', '--candidates', '20000');
  first = await run<Prepared>('prepare');
  trained = {
    separate: await run<Trained>('train', 'separate'),
    unified: await run<Trained>('train', 'unified'),
    linear: await run<Trained>('train', 'linear'),
  };
});

afterAll(() => {
  rmSync(directory, { recursive: true, force: true });
});

describe('the command line, from logs to exports', () => {
  it('prepares once: nothing is done when nothing has changed', async () => {
    expect(first.reused).toBe(false);
    const second = await run<Prepared>('prepare');
    expect(second.reused).toBe(true);
    expect(second.splits).toEqual(first.splits);
    for (const surface of SURFACES) expect(first.splits['test']!.counts[surface]!.candidates).toBeGreaterThan(50);
  });

  it('trains one model of all surfaces, or one per surface', () => {
    expect(trained['unified']!.runs.map(({ name, surfaces }) => [name, surfaces])).toEqual([['all', SURFACES]]);
    for (const name of ['separate', 'linear']) expect(trained[name]!.runs.map((one) => one.surfaces)).toEqual(SURFACES.map((surface) => [surface]));
    for (const { runs } of Object.values(trained)) for (const one of runs) expect(one.best!.value).toBeGreaterThan(0);
  });

  it('trains the same checkpoint again, byte for byte', async () => {
    const checkpoint = path('.onefold/runs/unified/all/checkpoint');
    const before = filesOf(checkpoint);
    expect(Object.keys(before)).toEqual(['checkpoint.json', 'dense.safetensors', 'optimizer.safetensors', 'tables.safetensors', 'vocabulary.json']);
    rmSync(path('.onefold/runs/unified'), { recursive: true });
    await run('train', 'unified');
    expect(filesOf(checkpoint)).toEqual(before);
  });

  it('evaluates and compares on the same rows', async () => {
    const evaluation = await run<Evaluation & { readonly file: string }>('evaluate', 'unified');
    expect(evaluation.tasks.map(({ task, surfaces }) => [task, surfaces.map((slice) => slice.name)])).toEqual([['click', SURFACES], ['hide', ['home_feed', 'search']]]);
    const click = evaluation.tasks[0]!;
    const held = SURFACES.reduce((sum, surface) => sum + first.splits['test']!.counts[surface]!.candidates, 0);
    expect(click.overall.rows).toBe(held);
    expect(click.overall.metrics.ne!).toBeLessThan(1.1);

    const comparison = await run<Comparison & { readonly file: string }>('compare', 'separate', 'unified', '--replicates', '50');
    const onDisk = JSON.parse(readFileSync(comparison.file, 'utf8')) as Comparison;
    expect(onDisk.tasks).toEqual(comparison.tasks);
    expect(comparison.tasks.map((task) => task.task)).toEqual(['click', 'hide']);
    // A linear model lacks no row and no task either.
    const linear = await run<Comparison>('compare', 'linear', 'unified', '--replicates', '50', '--split', 'validation', '--training-only', 'serving');
    expect(linear.tasks.map((task) => task.task)).toEqual(['click', 'hide']);
  });

  it('exports every surface, and predicts golden rows with the folder alone', async () => {
    await run('evaluate', 'unified');
    const { exports } = await run<Exported>('export', 'unified');
    expect(exports.map(({ surface }) => surface)).toEqual(SURFACES);
    for (const { surface, manifest } of exports) {
      expect(manifest.tasks).toEqual(TASKS_OF[surface]);
      expect(manifest.parity.maxDifference).toBeLessThan(1e-5);
      expect(manifest.parity.encodedRows).toBe(first.splits['test']!.counts[surface]!.candidates);
      expect(manifest.metrics['click']!.rows).toBe(manifest.parity.encodedRows);
    }
    // Neither the project nor its data is there any more.
    const elsewhere = mkdtempSync(join(tmpdir(), 'onefold-'));
    try {
      for (const { surface, directory: folder } of exports) cpSync(folder, join(elsewhere, surface), { recursive: true });
      renameSync(path('.onefold'), path('hidden'));
      for (const surface of SURFACES) {
        const golden = join(elsewhere, surface, 'golden.parquet');
        const { exit, stdout, stderr } = await runCli(['predict', surface, golden, '--output', `${surface}.parquet`, '--json'], { cwd: elsewhere });
        expect([exit, stderr]).toEqual([0, '']);
        expect(JSON.parse(stdout)).toMatchObject({ rows: 64, tasks: TASKS_OF[surface] });
        for (const task of TASKS_OF[surface]!) {
          const [row] = await readSql<{ most: number; rows: number }>(
            elsewhere,
            `SELECT max(abs(p."probability.${task}" - g."probability.${task}")) AS most, count(*) AS rows FROM '@/${surface}.parquet' p POSITIONAL JOIN '${golden}' g`,
          );
          expect(row!.rows).toBe(64);
          expect(row!.most).toBeLessThan(1e-6);
        }
        // The surface's own logs, a row per request, with the events that its histories are joined from.
        const raw = ['predict', surface, path(`data/logs/${surface}/*.parquet`), '--events', `history=${path('data/events/*.parquet')}`, '--output', `${surface}-logs.parquet`, '--json'];
        const scored = await runCli(raw, { cwd: elsewhere });
        expect([scored.exit, scored.stderr]).toEqual([0, '']);
        const [compared] = await readSql<{ most: number; rows: number }>(
          elsewhere,
          `SELECT max(abs(p - expected)) AS most, count(*) AS rows
           FROM (SELECT request_id, unnest("probability.click") AS p, unnest(ad_id) AS ad FROM '@/${surface}-logs.parquet') l
           JOIN (SELECT "@request_id" AS id, ad_id, "probability.click" AS expected FROM '${golden}') g ON CAST(request_id AS VARCHAR) = id AND CAST(ad AS VARCHAR) = ad_id`,
        );
        expect(compared!.rows).toBeGreaterThanOrEqual(64);
        expect(compared!.most).toBeLessThan(1e-6);
      }
    } finally {
      rmSync(elsewhere, { recursive: true, force: true });
      renameSync(path('hidden'), path('.onefold'));
    }
  });

  it('reports a wrong call as one JSON object, and exits as documented', async () => {
    const calls = [
      { args: ['train', 'unifed', '--json'], message: /did you mean "unified"/ },
      { args: ['train', '--json'], message: /missing required argument 'model'/ },
      { args: ['evaluate', 'unified', '--split', 'tomorrow', '--json'], message: /Allowed choices are train, validation, test/ },
      { args: ['export', 'unified', '--surface', 'serch', '--json'], message: /no surface "serch"/ },
      { args: ['prepare', '--bogus', '--json'], message: /unknown option '--bogus'/ },
    ];
    const answers = await Promise.all(calls.map(async ({ args, message }) => ({ message, ...(await runCli(args, { cwd: directory })) })));
    for (const { message, exit, stdout, stderr } of answers) {
      expect([exit, stdout]).toEqual([2, '']);
      const { error } = JSON.parse(stderr) as { readonly error: { readonly code: string; readonly message: string } };
      expect(error.code).toBe('usage');
      expect(error.message).toMatch(message);
    }
  });
});
