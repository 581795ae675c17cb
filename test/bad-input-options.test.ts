/** Configs and command lines that do not fit, and how every command reports what went wrong. */
import { rmSync, writeFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { expectFailure, expectReport, type PrintedError } from './support/expect-failure.js';
import { createProjectShelf, type ProjectShelf } from './support/project-shelf.js';
import { runCli } from './support/run-cli.js';

let shelf: ProjectShelf;
beforeAll(async () => {
  shelf = await createProjectShelf();
});
afterAll(() => {
  shelf.remove();
});

describe.concurrent('a config with', () => {
  it('an unknown key', async () => {
    const project = shelf.take();
    project.set('training.learnRate', 0.1);
    const error = await expectFailure(project, ['prepare'], {
      exit: 3,
      code: 'config',
      says: [`${project.path('onefold.config.json')} has 1 problem`, 'training.learnRate: unknown option "learnRate"', 'expected: one of seed, batchSize'],
      fix: 'did you mean "learningRate"?',
    });
    expect(error).toMatchObject({ where: project.path('onefold.config.json'), issues: [{ path: 'training.learnRate' }] });
  });

  it('an unknown key in TypeScript', async () => {
    const project = shelf.take();
    rmSync(project.path('onefold.config.json'));
    writeFileSync(
      project.path('onefold.config.ts'),
      `import { defineConfig } from 'onefold/config';
export default defineConfig({
  name: 'tiny',
  surface: {},
  surfaces: { home: { source: { files: 'logs/home.parquet' } } },
  features: { ad_id: { kind: 'categorical', side: 'candidate' } },
  tasks: { click: { label: 'clicked' } },
} as never);
`,
    );
    await expectReport(project, ['prepare'], { exit: 3, code: 'config', says: ['surface: unknown option "surface"'], fix: 'did you mean "surfaces"?' });
  });

  it('an unknown surface', async () => {
    const project = shelf.take();
    project.set('features.query.surfaces', ['serch']);
    const error = await expectFailure(project, ['prepare'], {
      exit: 3,
      code: 'config',
      says: ['features.query.surfaces[0]: unknown surface "serch"', 'expected: one of "home" or "search"'],
      fix: 'did you mean "search"?',
    });
    expect(error.issues).toHaveLength(1);
  });

  it('several problems, told at once', async () => {
    const project = shelf.take();
    project.set('tasks.click.weight', 'heavy');
    project.set('features.age.kind', 'numbre');
    const { exit, stderr } = await runCli(['prepare', '--json'], { cwd: project.directory });
    const { error } = JSON.parse(stderr) as { error: PrintedError };
    expect({ exit, paths: error.issues?.map(({ path }) => path).sort() }).toEqual({ exit: 3, paths: ['features.age.kind', 'tasks.click.weight'] });
    expect(error.stack).toBeUndefined();
  });

  it('a syntax error', async () => {
    const project = shelf.take();
    writeFileSync(project.path('onefold.config.json'), '{ "name": "tiny",\n  }');
    await expectReport(project, ['prepare'], { exit: 3, code: 'config', says: [/onefold\.config\.json:2:\d+: syntax error/], fix: 'correct the line named' });
  });
});

describe.concurrent('a command line with', () => {
  it('no config', async () => {
    const project = shelf.take();
    rmSync(project.path('onefold.config.json'));
    await expectReport(project, ['prepare'], { exit: 2, code: 'usage', says: [`the folder ${project.directory} has no config`], fix: 'onefold init' });
  });

  it('an unknown model', async () => {
    const error = await expectFailure(shelf.take(), ['train', 'unifed'], {
      exit: 2,
      code: 'usage',
      says: ['there is no model "unifed"; did you mean "unified"?', 'expected: one of "unified" or "linear"'],
      fix: 'declare models.unifed',
    });
    expect(error.where).toBe('models');
  });

  it('an unknown surface', async () => {
    const error = await expectFailure(shelf.take(), ['export', 'unified', '--surface', 'serch'], {
      exit: 2,
      code: 'usage',
      says: ['there is no surface "serch"', 'expected: one of "home" or "search"'],
      fix: 'did you mean "search"?',
    });
    expect(error.where).toBe('--surface');
  });

  it('a data folder that is not there', async () => {
    await expectReport(shelf.take(), ['prepare', '--data', 'nowhere'], { exit: 2, code: 'usage', says: ['where: --data', 'nowhere is not there'], fix: 'check the path' });
  });

  it.each([
    [['prepare', '--forse'], "unknown option '--forse'", 'Did you mean --force?'],
    [['prepar'], "unknown command 'prepar'", 'Did you mean prepare?'],
    [['train'], "missing required argument 'model'", '--help'],
    [['export', 'unified', '--tables', 'fp8'], "argument 'fp8' is invalid", 'fp32, fp16, int8'],
    [['calibrate', 'exports/search', 'rows.parquet'], "required option '-o, --output <folder>' not specified", '--help'],
    [['calibrate', 'exports/search', 'rows.parquet', '-o', 'new', '--folds', '1'], "argument '1' is invalid", 'at least 2'],
  ] as const)('%s', async (args, problem, hint) => {
    const { directory } = shelf.take();
    const plain = await runCli(args, { cwd: directory });
    expect(plain).toMatchObject({ exit: 2, stdout: '' });
    expect(plain.stderr).toContain(problem);
    expect(plain.stderr).toContain(hint);
    const json = await runCli([...args, '--json'], { cwd: directory });
    expect(json).toMatchObject({ exit: 2, stdout: '' });
    const { error } = JSON.parse(json.stderr) as { error: PrintedError };
    expect(error).toMatchObject({ code: 'usage', message: expect.stringContaining(problem) as string, fix: expect.stringContaining('--help') as string });
  });
});

describe.concurrent('a report', () => {
  it('has a stack trace with --verbose alone', async () => {
    const { directory } = shelf.take();
    const [quiet, verbose] = [await runCli(['train', 'nobody'], { cwd: directory }), await runCli(['train', 'nobody', '--verbose'], { cwd: directory })];
    expect(verbose.stderr.startsWith(quiet.stderr)).toBe(true);
    expect(quiet.stderr).not.toMatch(/^\s+at /m);
    expect(verbose.stderr).toMatch(/^\s+at .+model-run/m);
  });

  it('ends a command on a terminal, whose progress bar runs', async () => {
    const project = shelf.take();
    await project.alterLog('home', 'SELECT * REPLACE (2 AS clicked) FROM log');
    // Without a terminal at hand: the child believes that standard error is one.
    const env = { NODE_OPTIONS: '--import "data:text/javascript,process.stderr.isTTY=true"' };
    const { exit, stderr } = await runCli(['prepare'], { cwd: project.directory, env });
    expect(exit).toBe(4);
    expect(stderr).toMatch(/prepare -+/);
  }, 20_000);
});
