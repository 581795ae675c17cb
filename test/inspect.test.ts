/** `onefold inspect` through the compiled command line: what a model costs, before any was trained. */
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { RunReport } from '../src/unify/cost-report.js';
import type { UnificationStep } from '../src/unify/unification-order.js';
import { runCli } from './support/run-cli.js';
import { TinyProject } from './support/tiny-project.js';

interface Inspected {
  readonly model: string;
  readonly runs: readonly RunReport[];
  readonly separateCosts: Readonly<Record<string, number>>;
  readonly unificationOrder: readonly UnificationStep[];
}

let directory: string;
let project: TinyProject;

const inspect = (...args: readonly string[]) => runCli(['inspect', ...args], { cwd: project.directory });
const inspectJson = async (...args: readonly string[]): Promise<Inspected> => {
  const { exit, stdout, stderr } = await inspect(...args, '--json');
  expect([exit, stderr]).toEqual([0, '']);
  return JSON.parse(stdout) as Inspected;
};

beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'onefold-inspect-'));
  project = await TinyProject.create(directory);
  project.set('models.deep', { preset: 'unified', embedding: { width: 4 }, transformer: { width: 8, layers: 1 }, projection: { width: 4 }, mlp: [8], tower: [4] });
});
afterAll(() => {
  rmSync(directory, { recursive: true });
});

describe('onefold inspect', () => {
  it('says to prepare first', async () => {
    const { exit, stderr } = await inspect();
    expect(exit).not.toBe(0);
    expect(stderr).toContain('onefold prepare');
  });

  it('states costs per module and surface without training', async () => {
    expect((await runCli(['prepare'], { cwd: project.directory })).exit).toBe(0);
    const { model, runs, separateCosts, unificationOrder } = await inspectJson();
    expect(model).toBe('unified');
    const [run] = runs;
    expect(run!.surfaces.map(({ surface, candidatesPerRequest }) => [surface, candidatesPerRequest])).toEqual([['home', 3], ['search', 3]]);
    expect(run!.modules.map(({ module }) => module)).toEqual(expect.arrayContaining(['cross', 'mlp', 'tower.home', 'tower.search', 'shared_head']));
    expect(unificationOrder.map(({ surface }) => surface).sort()).toEqual(Object.keys(separateCosts).sort());
    expect(existsSync(project.path('.onefold', 'runs'))).toBe(false);
  });

  it('counts tokens and the projection of a model that has them', async () => {
    const [run] = (await inspectJson('deep')).runs;
    expect(run!.modules.map(({ module }) => module)).toEqual(expect.arrayContaining(['transformer.recent', 'projection.request', 'projection.candidate']));
    // Histories of home have 0, 1, 2 or 3 events in turn; search lacks them, which is one absent event.
    expect(run!.surfaces[0]!.tokensPerRequest).toBeCloseTo(1.5, 1);
    expect(run!.surfaces[1]!.tokensPerRequest).toBe(1);
    expect(run!.withoutProjection!.parameters).not.toBe(run!.parameters);
    expect(run!.batch.tokens).toBeLessThanOrEqual(run!.batch.tokenBound);
  });

  it('prints tables, and in which order to unify', async () => {
    const { exit, stdout } = await inspect('deep');
    expect(exit).toBe(0);
    for (const text of ['FLOPs/request', 'transformer.recent', 'broadcasting: expanded', 'projection: without it', 'Unify surfaces of similar cost first', 'home and search']) expect(stdout).toContain(text);
  });

  it('names the models there are', async () => {
    const { exit, stderr } = await inspect('dep');
    expect(exit).not.toBe(0);
    expect(stderr).toContain('did you mean "deep"?');
  });
});
