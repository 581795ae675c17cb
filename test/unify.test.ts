/** The path from separate models to one, as a user runs it: processes that are killed, gates that fail, stages that change. */
import { existsSync, readFileSync } from 'node:fs';
import { uniformInt } from 'pure-rand/distribution/uniformInt';
import { xoroshiro128plus } from 'pure-rand/generator/xoroshiro128plus';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { EXIT_CODES } from '../src/config/errors.js';
import { openExport } from '../src/export/open-export.js';
import { reportKey } from '../src/unify/path/run-path.js';
import type { UnifyReport } from '../src/unify/report.js';
import { Marketplace, SMALL_UNIFY, type MarketplaceProject } from './support/marketplace-project.js';

const SURFACES = ['home_feed', 'search', 'related_pins'];
const KILLS = 20;

let marketplace: Marketplace;
let whole: MarketplaceProject;
let wholeErr: string;
let wholeSeconds: number;

const reportOf = (project: MarketplaceProject): UnifyReport => JSON.parse(readFileSync(project.path('unify', 'report.json'), 'utf8')) as UnifyReport;

/** Runs that a command trained, by what its progress lines say. */
const trained = (stderr: string): readonly string[] => [...new Set([...stderr.matchAll(/^ {2}train (.+) done /gm)].map(([, name]) => name!))];

beforeAll(async () => {
  marketplace = await Marketplace.create(60_000);
  whole = marketplace.project('whole');
  const started = performance.now();
  const { exit, stderr } = await whole.run('unify');
  wholeSeconds = (performance.now() - started) / 1000;
  wholeErr = stderr;
  if (exit !== 0) throw new Error(`unify ended with ${String(exit)}:\n${stderr}`);
}, 300_000);
afterAll(() => {
  marketplace.remove();
});

describe('a plan that keeps its gates', () => {
  it('goes through every stage in order, and compares what it ends with to the separate models', () => {
    const report = reportOf(whole);
    expect(report.outcome).toEqual({ status: 'complete', stage: null, failures: [] });
    expect(report.stages.map(({ label }) => label)).toEqual(['separate', 'profile', 'baseline', 'shared-learning', 'efficiency', 'surface-aware', 'calibration', 'expand related_pins', 'export']);
    expect(report.comparison!.tasks[0]!.surfaces.map(({ name }) => name)).toEqual(SURFACES);
    expect(report.costs.map(({ models }) => models)).toEqual([3, 1]);
    expect(report.leaveOneOut.map(({ without }) => without)).toEqual(SURFACES);
    expect(report.calibration!.truth.length).toBeGreaterThan(0);
    expect(readFileSync(whole.path('unify', 'report.html'), 'utf8')).toMatch(/<\/html>\s*$/);
  });

  it('leaves an export per surface, calibrated', async () => {
    for (const surface of SURFACES) {
      const opened = await openExport(whole.path('unify', 'exports', surface));
      expect(opened.manifest.calibration!.tasks.map(({ task }) => task)).toEqual(['click', 'long_click', 'save']);
      await opened.close();
    }
  });

  it('does nothing again when it is run again, and gives the same report', async () => {
    const before = reportKey(reportOf(whole));
    const { exit, stderr } = await whole.run('unify');
    expect(exit, stderr).toBe(0);
    expect(trained(stderr)).toEqual([]);
    expect(reportKey(reportOf(whole))).toBe(before);
  });

  it('trains again only from the stage that changed', async () => {
    const changed = marketplace.project('changed');
    changed.copyFrom(whole);
    changed.configure({ unify: `{ ...${SMALL_UNIFY}, surfaceAware: { tower: [4] } }` });
    const { exit, stderr } = await changed.run('unify');
    expect(exit, stderr).toBe(0);
    expect(trained(wholeErr)).toEqual(expect.arrayContaining(['baseline', 'shared-learning', 'efficiency', 'surface-aware', 'expand related_pins']));
    const again = trained(stderr);
    expect(again).toEqual(expect.arrayContaining(['surface-aware', 'expand related_pins']));
    for (const name of ['baseline', 'shared-learning', 'efficiency', 'separate home_feed', 'separate search', 'separate related_pins']) expect(again).not.toContain(name);
  }, 300_000);
});

it('holds the unified model against an outside one, whose predictions are a column of the logs', async () => {
  const project = marketplace.project('outside', {
    // It knows clicks alone, and nothing of every third ad.
    data: "{ ...config.data, outside: { click: 'list_transform(p_click, lambda p, i: CASE WHEN i % 3 = 0 THEN NULL ELSE p END)' } }",
    unify: `{ ...${SMALL_UNIFY}, report: { leaveOneOut: false, importanceRows: 0 } }`,
  });
  const { exit, stderr } = await project.run('unify');
  expect(exit, stderr).toBe(0);
  expect(trained(stderr).filter((name) => name.startsWith('separate'))).toEqual([]);
  const { comparison, costs } = reportOf(project);
  expect(comparison!.tasks.map(({ task }) => task)).toEqual(['click']);
  // Nothing orders clicks better than their true probabilities.
  for (const { metrics } of comparison!.tasks[0]!.surfaces) expect(metrics.auc!.verdict).toBe('worse');
  expect(costs.map(({ name }) => name)).toEqual(['unified']);
}, 300_000);

it(`ends with the same report when it is killed ${KILLS} times`, async () => {
  const project = marketplace.project('killed');
  const random = xoroshiro128plus(11);
  let killed = 0;
  for (let kill = 0; kill < KILLS; kill += 1) {
    // Each gets a little further than the last: a part of what the whole plan took, from anywhere in its start to its end.
    const delay = uniformInt(random, 300, Math.round((2000 * wholeSeconds) / KILLS) + 1500);
    let timer: NodeJS.Timeout | undefined;
    const { exit, stderr } = await project.run('unify', [], {
      onStart: (child) => {
        timer = setTimeout(() => child.kill('SIGKILL'), delay);
      },
    }).finally(() => clearTimeout(timer));
    expect(exit === null || exit === 0, stderr).toBe(true);
    if (exit === null) killed += 1;
  }
  const { exit, stderr } = await project.run('unify');
  expect(exit, stderr).toBe(0);
  expect(killed).toBeGreaterThan(KILLS / 2);
  expect(reportKey(reportOf(project))).toBe(reportKey(reportOf(whole)));
}, 600_000);

describe('a gate that fails', () => {
  // A label that has nothing to do with its row.
  const shuffled = "{ ...config.tasks, click: { label: 'click', on: { search: { label: 'list_transform(ad_id, lambda ad: hash(request_id, ad) % 12 = 0)' } } } }";

  it('stops the plan and names the surface whose labels are shuffled', async () => {
    const project = marketplace.project('shuffled', { tasks: shuffled });
    const { exit, stdout, stderr } = await project.run('unify');
    expect(exit).toBe(EXIT_CODES.gate);
    expect(stderr).toMatch(/error \[gate\] the gate of stage separate failed: search, click: AUC .* is not shown to be above chance/);
    expect(stdout).toContain('report:');
    const { outcome, stages } = reportOf(project);
    expect(outcome).toMatchObject({ status: 'stopped', stage: 'separate' });
    expect(stages.map(({ label }) => label)).toEqual(['separate']);
    expect(stages[0]!.checks.filter(({ passed }) => !passed).map(({ surface }) => surface)).toEqual(['search']);
  }, 300_000);

  it('leaves the last good stage as the result, and goes on where --from and --continue say', async () => {
    const project = marketplace.project('strict');
    project.copyFrom(whole);
    project.configure({ unify: `{ ...${SMALL_UNIFY}, gates: { ...${SMALL_UNIFY}.gates, stages: { efficiency: { size: 1e-6 } } } }` });
    const stopped = await project.run('unify');
    expect(stopped.exit).toBe(EXIT_CODES.gate);
    expect(stopped.stderr).toMatch(/the gate of stage efficiency failed: the exports have/);
    expect(reportOf(project).comparison!.b).toBe('unified');
    expect(existsSync(project.path('unify', 'report.html'))).toBe(true);
    const on = await project.run('unify', ['--from', 'surface-aware']);
    expect(on.exit, on.stderr).toBe(0);
    const left = reportOf(project).stages;
    expect(left.find(({ label }) => label === 'efficiency')!.status).toBe('failed');
    expect(left.find(({ label }) => label === 'surface-aware')!.champion).toBe('shared-learning');
    const overruled = await project.run('unify', ['--continue']);
    expect(overruled.exit, overruled.stderr).toBe(0);
    expect(reportOf(project).outcome).toMatchObject({ status: 'continued', stage: 'efficiency' });
    expect(reportOf(project).stages.find(({ label }) => label === 'surface-aware')!.champion).toBe('efficiency');
  }, 300_000);
});
