/** `onefold train --from`: yesterday's model goes on with today's data. */
import { cpSync, readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { TrainResult } from '../src/train/train-options.js';
import { createProjectShelf, type ProjectShelf } from './support/project-shelf.js';
import { runCli } from './support/run-cli.js';
import type { TinyProject } from './support/tiny-project.js';

let shelf: ProjectShelf;
beforeAll(async () => {
  shelf = await createProjectShelf(['prepare'], ['train', 'unified']);
});
afterAll(() => {
  shelf.remove();
});

const run = async (project: TinyProject, ...args: readonly string[]): Promise<string> => {
  const { exit, stdout, stderr } = await runCli(args, { cwd: project.directory });
  expect(exit, stderr).toBe(0);
  return stdout;
};

/** A day later: some ads are gone, others are new; yesterday's runs lie in a folder of their own. */
const nextDay = async (): Promise<TinyProject> => {
  const project = shelf.take();
  cpSync(project.path('.onefold/runs/unified'), project.path('yesterday'), { recursive: true });
  project.remove('.onefold/runs');
  const renamed = (ad: string): string => `replace(replace(${ad}, 'a1', 'b1'), 'a24', 'c24')`;
  await project.alterLog('home', `SELECT * REPLACE (${renamed('ad_id')} AS ad_id, list_transform(recent, lambda ad: ${renamed('ad')}) AS recent) FROM log`);
  await project.alterLog('search', `SELECT * REPLACE (${renamed('ad_id')} AS ad_id) FROM log`);
  await run(project, 'prepare');
  return project;
};

const firstLoss = (project: TinyProject): number =>
  (JSON.parse(readFileSync(project.path('.onefold/runs/unified/all/metrics.jsonl'), 'utf8').split('\n')[0]!) as { loss: number }).loss;

const checkpointOf = (project: TinyProject): Record<string, string> => {
  const folder = project.path('.onefold/runs/unified/all/checkpoint');
  return Object.fromEntries(readdirSync(folder).map((name) => [name, readFileSync(join(folder, name)).toString('base64')]));
};

it('keeps rows by value, starts lower than from scratch, and resumes without the older run', async () => {
  const scratch = await nextDay();
  await run(scratch, 'train', 'unified');
  const project = await nextDay();
  const { runs } = JSON.parse(await run(project, 'train', 'unified', '--from', 'yesterday', '--json')) as { runs: TrainResult[] };
  const start = runs[0]!.start!;
  expect(start.parameters.new).toEqual([]);
  const ads = start.tables.find(({ table }) => table === 'ad_id')!;
  // a1 and a10 to a19 are called b1…, a24 is called c24: twelve are gone and twelve are new.
  expect(ads).toMatchObject({ new: 12, expired: 12 });
  expect(ads.kept).toBe(3 + 25 - 12);
  expect(start.tables.find(({ table }) => table === 'country')).toMatchObject({ kept: 6, new: 0, expired: 0 });
  expect(firstLoss(project)).toBeLessThan(firstLoss(scratch));

  const killed = await nextDay();
  const { exit } = await runCli(['train', 'unified', '--from', 'yesterday'], {
    cwd: killed.directory,
    onStart: (child) => {
      const timer = setInterval(() => {
        if (!killed.has('.onefold/runs/unified/all/resume')) return;
        clearInterval(timer);
        child.kill('SIGKILL');
      }, 1);
    },
  });
  expect(exit).toBeNull();
  killed.remove('yesterday');
  const text = await run(killed, 'train', 'unified', '--resume');
  expect(text).toMatch(/all: started from unified\/all after \d+ steps; \d+ dense parameters kept, 0 new\n {2}table @surface \(width 4\): 2 rows kept, 0 new, 0 expired\n/);
  expect(checkpointOf(killed)).toEqual(checkpointOf(project));
});

it('says where it looked for a checkpoint', async () => {
  const { exit, stderr } = await runCli(['train', 'unified', '--from', 'nowhere'], { cwd: shelf.take().directory });
  expect(exit).toBe(2);
  expect(stderr).toMatch(/there is no checkpoint of all to start from in .*nowhere/);
});
