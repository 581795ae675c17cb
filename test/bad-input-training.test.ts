/** Training that cannot go on, and training that goes on after it was stopped. */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { expectFailure, expectReport } from './support/expect-failure.js';
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

const RUN = '.onefold/runs/unified/all';
const CHECKPOINT_FILES = ['checkpoint.json', 'dense.safetensors', 'tables.safetensors', 'optimizer.safetensors'];

const checkpointBytes = (project: TinyProject): readonly string[] => CHECKPOINT_FILES.map((name) => readFileSync(project.path(RUN, 'checkpoint', name)).toString('base64'));

/** Trains, and presses Ctrl-C once the run has written its first metrics. */
const interruptTraining = (project: TinyProject, args: readonly string[] = []) => {
  let timer: NodeJS.Timeout | undefined;
  const metrics = project.path(RUN, 'metrics.jsonl');
  return runCli(['train', 'unified', ...args], {
    cwd: project.directory,
    onStart: (child) => {
      timer = setInterval(() => {
        if (!existsSync(metrics) || readFileSync(metrics, 'utf8') === '') return;
        clearInterval(timer);
        child.kill('SIGINT');
      }, 20);
    },
  }).finally(() => {
    clearInterval(timer);
  });
};

it('stops at a loss that is not a number, says where, and keeps the checkpoint of before', async () => {
  const project = shelf.take();
  const before = checkpointBytes(project);
  for (const option of ['learningRate', 'embeddingLearningRate']) project.set(`training.${option}`, 1e30);
  project.set('training.clipNorm', 0);
  const error = await expectFailure(project, ['train', 'unified'], {
    exit: 6,
    code: 'training',
    says: [/step \d+ \(epoch \d+, batch \d+\): loss (NaN|-?Infinity)/, 'not finite on', 'expected: a finite loss and gradient'],
    fix: 'training.learningRate',
    mayChange: /runs\/unified\/all\/(metrics\.jsonl|failure\.json|events\.out\..+)$/,
  });
  expect(error.where).toMatch(/^step \d+$/);
  expect(checkpointBytes(project)).toEqual(before);

  const failure = JSON.parse(readFileSync(project.path(RUN, 'failure.json'), 'utf8')) as Record<string, unknown>;
  expect(failure).toMatchObject({ epoch: expect.any(Number) as number, batch: expect.any(Number) as number, step: expect.any(Number) as number });
  expect(failure['dense']).toEqual(expect.arrayContaining([expect.objectContaining({ column: 'price' })]));
  expect(failure['labels']).toEqual([expect.objectContaining({ task: 'click' })]);

  // A run that goes well takes the report of the one that did not away.
  for (const option of ['learningRate', 'embeddingLearningRate', 'clipNorm']) project.set(`training.${option}`, undefined);
  expect(await runCli(['train', 'unified', '--json'], { cwd: project.directory })).toMatchObject({ exit: 0 });
  expect(project.has(RUN, 'failure.json')).toBe(false);
});

describe('a run stopped by Ctrl-C', () => {
  it('ends with 130, and goes on to the checkpoint it would have had', async () => {
    const whole = shelf.take();
    whole.set('training.epochs', 40);
    const stopped = whole.copyTo(`${whole.directory}-stopped`);
    stopped.remove(RUN);

    const { exit, stdout, stderr } = await interruptTraining(stopped);
    expect({ exit, stdout }).toEqual({ exit: 130, stdout: '' });
    expect(stderr).toMatch(/error \[interrupted\] training was interrupted after step \d+/);
    expect(stderr).toMatch(/fix: .*--resume/);
    expect(stderr).not.toMatch(/^\s+at /m);
    expect(stopped.has(RUN, 'checkpoint')).toBe(false);

    const [resumed, trained] = await Promise.all([
      runCli(['train', 'unified', '--resume', '--json'], { cwd: stopped.directory }),
      runCli(['train', 'unified', '--json'], { cwd: whole.directory }),
    ]);
    expect([resumed, trained]).toMatchObject([{ exit: 0 }, { exit: 0 }]);
    expect(checkpointBytes(stopped)).toEqual(checkpointBytes(whole));
    expect(stopped.has(RUN, 'resume')).toBe(false);
  });

  it('does not go on with another config, and keeps what it would go on from', async () => {
    const project = shelf.take();
    project.set('training.epochs', 40);
    project.remove(RUN);
    expect(await interruptTraining(project, ['--json'])).toMatchObject({ exit: 130, stdout: '', stderr: expect.stringMatching(/^\{"error":\{"code":"interrupted".*\}\n$/) as string });

    project.set('training.learningRate', 0.01);
    const error = await expectFailure(project, ['train', 'unified', '--resume'], {
      exit: 7,
      code: 'artifact',
      says: ['was written with another config or other data', project.path(RUN, 'resume')],
      fix: /Go back to that config.*--resume/,
    });
    expect(error.where).toBe(project.path(RUN, 'resume'));

    project.set('training.learningRate', undefined);
    expect(await runCli(['train', 'unified', '--resume', '--json'], { cwd: project.directory })).toMatchObject({ exit: 0, stderr: '' });
  });
});

describe('--resume of a model with a run per surface', () => {
  interface Trained {
    readonly runs: readonly { readonly name: string; readonly kept: boolean; readonly steps: number }[];
  }
  const resume = async (project: TinyProject): Promise<Trained['runs']> => {
    const { exit, stdout } = await runCli(['train', 'linear', '--resume', '--json'], { cwd: project.directory });
    expect(exit).toBe(0);
    return (JSON.parse(stdout) as Trained).runs;
  };
  const kept = (runs: Trained['runs']): Record<string, boolean> => Object.fromEntries(runs.map((run) => [run.name, run.kept]));

  it('keeps the runs that have ended, and trains the others', async () => {
    const project = shelf.take();
    const first = await resume(project);
    expect(kept(first)).toEqual({ home: false, search: false });
    const before = project.contents();
    // As if the first run had ended, and the second had not begun.
    project.remove('.onefold/runs/linear/search');
    const second = await resume(project);
    expect(kept(second)).toEqual({ home: true, search: false });
    expect(second.map((run) => run.steps)).toEqual(first.map((run) => run.steps));
    const checkpoints = (contents: Readonly<Record<string, string>>): unknown => Object.fromEntries(Object.entries(contents).filter(([name]) => name.includes('runs/linear/') && name.includes('/checkpoint/')));
    expect(checkpoints(project.contents())).toEqual(checkpoints(before));

    const { exit, stdout } = await runCli(['train', 'linear', '--resume'], { cwd: project.directory });
    expect([exit, stdout]).toEqual([0, expect.stringMatching(/^home: kept, .*\nsearch: kept, /)]);
  });

  it('keeps none that is torn, not at its end, or of another config', async () => {
    const project = shelf.take();
    await resume(project);
    writeFileSync(project.path('.onefold/runs/linear/home/checkpoint/dense.safetensors'), 'torn');
    project.remove('.onefold/runs/linear/search/result.json');
    expect(kept(await resume(project))).toEqual({ home: false, search: false });
    project.set('training.learningRate', 0.01);
    expect(kept(await resume(project))).toEqual({ home: false, search: false });
    expect(kept(await resume(project))).toEqual({ home: true, search: true });
    // Asked for without --resume, everything is trained.
    const { stdout } = await runCli(['train', 'linear', '--json'], { cwd: project.directory });
    expect(kept((JSON.parse(stdout) as Trained).runs)).toEqual({ home: false, search: false });
  });
});

it('refuses surfaces without a row to train on', async () => {
  const project = shelf.take();
  project.set('split', { validationFrom: '2025-01-01', testFrom: '2025-01-03' });
  await expectReport(project, ['prepare'], { exit: 4, code: 'data', says: ['train'], fix: 'split' });
});
