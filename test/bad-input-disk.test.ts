/** Commands on file systems that say no: no permission to write or read, no space left. */
import { mkdirSync, statSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, type TestContext } from 'vitest';
import { expectFailure, expectReport } from './support/expect-failure.js';
import { createProjectShelf, type ProjectShelf } from './support/project-shelf.js';
import { boundUser, giveTo, locked, onSmallDisk, skipLoudly, type SmallDisk } from './support/refusing-disk.js';
import { runCli } from './support/run-cli.js';
import type { TinyProject } from './support/tiny-project.js';

let shelf: ProjectShelf;
let user: Awaited<ReturnType<typeof boundUser>>;
beforeAll(async () => {
  shelf = await createProjectShelf(['prepare'], ['train', 'unified'], ['export', 'unified']);
  user = await boundUser('/');
});
afterAll(() => {
  shelf.remove();
});

const RUN = '.onefold/runs/unified/all';
const HOME_EXPORT = '.onefold/exports/unified/home';
const PREDICT = ['predict', HOME_EXPORT, 'logs/home.parquet', '--output'] as const;

/** A promise goes unproven where a test cannot run: that is not to be overlooked. */
const io = (says: readonly (string | RegExp)[], fix: string | RegExp) => ({ exit: 9, code: 'io' as const, says, fix });

describe('without permission', () => {
  const FIX = 'grant this user access';

  /** What may not be written or read, and the command that wants to. */
  const cases: readonly { readonly name: string; readonly mode: number; readonly paths: readonly string[]; readonly args: readonly string[]; readonly where: string; readonly mayChange?: RegExp }[] = [
    { name: 'prepare into a workspace', mode: 0o555, paths: ['.onefold'], args: ['prepare', '--force'], where: '.onefold' },
    { name: 'train into a run folder', mode: 0o555, paths: [RUN], args: ['train', 'unified'], where: `${RUN}/metrics.jsonl` },
    { name: 'evaluate into a run folder', mode: 0o555, paths: [dirname(RUN)], args: ['evaluate', 'unified'], where: '.onefold/runs/unified/evaluation-test.json' },
    { name: 'export into an export folder', mode: 0o555, paths: [dirname(HOME_EXPORT)], args: ['export', 'unified'], where: HOME_EXPORT },
    { name: 'predict into a folder', mode: 0o555, paths: ['out'], args: [...PREDICT, 'out/scored.parquet'], where: 'out/scored.parquet' },
    { name: 'read a log', mode: 0, paths: ['logs/home.parquet'], args: ['prepare'], where: 'logs/home.parquet' },
    { name: 'read rows to score', mode: 0, paths: ['logs/home.parquet'], args: [...PREDICT, 'scored.csv'], where: 'logs/home.parquet' },
    { name: 'read a shard', mode: 0, paths: ['.onefold/prepared/test/requests-00000.parquet'], args: ['evaluate', 'unified'], where: '.onefold/prepared/test/requests-00000.parquet' },
    { name: 'read a checkpoint', mode: 0, paths: [`${RUN}/checkpoint/tables.safetensors`], args: ['evaluate', 'unified'], where: `${RUN}/checkpoint/tables.safetensors` },
    { name: 'read an export', mode: 0, paths: [`${HOME_EXPORT}/tables.bin`], args: [...PREDICT, 'scored.csv'], where: `${HOME_EXPORT}/tables.bin` },
  ];

  /** A project of a user whom permissions bind. */
  const ownedProject = (context: TestContext): { readonly project: TinyProject; readonly uid?: number } => {
    if (typeof user === 'string') return skipLoudly(context, user);
    const project = shelf.take();
    mkdirSync(project.path('out'));
    giveTo(user.uid, project.directory);
    return { project, ...user };
  };

  it.concurrent.for(cases)('$name', async ({ mode, paths, args, where }, context) => {
    const { project, ...as } = ownedProject(context);
    const locks = paths.map((path) => project.path(path));
    // Contents are compared by this user, who is root or has to be let in again.
    const before = project.contents();
    await locked(locks, mode, async () => {
      const { exit, stdout, stderr } = await runCli(args, { cwd: project.directory, ...as });
      expect(stderr).toMatch(/^error \[io\] /m);
      expect({ exit, stdout }).toEqual({ exit: 9, stdout: '' });
      expect(stderr).toMatch(new RegExp(`where: (${project.directory}/)?${where}$`, 'm'));
      expect(stderr).toContain(FIX);
      expect(stderr).not.toMatch(/^\s+at /m);
    });
    expect(project.contents()).toEqual(before);
  });

  it('to write anything, as one JSON object', async (context) => {
    const { project, ...as } = ownedProject(context);
    await locked([project.path('.onefold')], 0o555, async () => {
      const error = await expectFailure(project, ['prepare', '--force'], { ...io([/\.onefold: permission denied/], FIX), ...as });
      expect(error.where).toBe(project.path('.onefold'));
    });
  });
});

it('names a file that stands where a folder must be', async () => {
  const project = shelf.take();
  project.set('workspace', 'logs/home.parquet/workspace');
  await expectReport(project, ['prepare'], io(['a part of the path is a file, not a folder', `where: ${project.path('logs/home.parquet/workspace')}`], 'use a path whose parents are folders'));
  const other = shelf.take();
  other.remove('.onefold/runs');
  writeFileSync(other.path('.onefold/runs'), '');
  await expectReport(other, ['train', 'unified'], io(['a part of the path is a file, not a folder'], 'use a path whose parents are folders'));
  await expectReport(other, [...PREDICT, 'onefold.config.json/scored.csv'], io(['something that is not a folder is in the way', 'onefold.config.json/scored.csv'], 'move it away'));
});

describe('on a full disk', () => {
  const FIX = 'free space';
  /** Enough to begin, too little to end. */
  const LITTLE = 8 * 1024;

  const withSmallDisk = async (context: TestContext, work: (project: TinyProject, disk: SmallDisk) => Promise<void>): Promise<void> => {
    const project = shelf.take();
    const disk = onSmallDisk(context, project.path('.onefold'));
    try {
      await work(project, disk);
    } finally {
      disk.unmount();
    }
  };

  it('prepare leaves the dataset of before', async (context) => {
    await withSmallDisk(context, async (project, disk) => {
      disk.fill(LITTLE);
      const error = await expectFailure(project, ['prepare', '--force'], io([/[Nn]o space left/], FIX));
      expect(error.where).toContain(project.path('.onefold'));
      disk.fill(100 * 1024);
      expect(await runCli(['evaluate', 'unified', '--json'], { cwd: project.directory })).toMatchObject({ exit: 0, stderr: '' });
    });
  });

  it('train leaves the checkpoint of before', async (context) => {
    await withSmallDisk(context, async (project, disk) => {
      disk.fill(LITTLE);
      await expectReport(project, ['train', 'unified'], { ...io(['no space left', project.path(RUN)], FIX), mayChange: /(metrics\.jsonl|events\.out\..+)$/ });
      expect(statSync(project.path(RUN, 'checkpoint/checkpoint.json')).size).toBeGreaterThan(0);
      expect(project.has(RUN, 'metrics.jsonl.writing')).toBe(false);
      disk.fill(100 * 1024);
      expect(await runCli(['evaluate', 'unified', '--json'], { cwd: project.directory })).toMatchObject({ exit: 0, stderr: '' });
    });
  });

  it.for([
    ['evaluate', ['evaluate', 'unified'], 'evaluation-test.json'],
    ['compare', ['compare', 'unified', 'unified', '--replicates', '50'], 'evaluation-test.json'],
    ['export', ['export', 'unified'], HOME_EXPORT],
    ['predict', [...PREDICT, '.onefold/scored.parquet'], '.onefold/scored.parquet'],
    ['predict to CSV', [...PREDICT, '.onefold/scored.csv'], '.onefold/scored.csv'],
  ] as const)('%s leaves nothing', async ([, args, where], context) => {
    await withSmallDisk(context, async (project, disk) => {
      disk.fill(0);
      await expectReport(project, args, io([/[Nn]o space left/, new RegExp(`where: .*${where}$`, 'm')], FIX));
    });
  });
});
