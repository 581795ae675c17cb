/** One surface's tower trained further: its own export moves, and not a byte of any other's. */
import { createHash } from 'node:crypto';
import { readFileSync, readdirSync, renameSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { SafetensorsFile } from '../src/train/safetensors.js';
import { createProjectShelf, type ProjectShelf } from './support/project-shelf.js';
import { runCli } from './support/run-cli.js';
import type { TinyProject } from './support/tiny-project.js';

const MODEL = { preset: 'unified', embedding: { width: 4 }, cross: { layers: 1 }, mlp: [8], tower: [4], dropout: 0.1, experts: { count: 2, hidden: [4] } };
/** Decay and a high rate: what is not frozen would show it. */
const TRAINING = { batchSize: 64, epochs: 2, threads: 1, warmupSteps: 2, learningRate: 0.02, weightDecay: 0.1, embeddingWeightDecay: 0.1 };

const hashesBelow = (directory: string): Record<string, string> =>
  Object.fromEntries(
    readdirSync(directory, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map((entry) => join(entry.parentPath, entry.name))
      .sort()
      .map((path) => [path.slice(directory.length + 1), createHash('sha256').update(readFileSync(path)).digest('hex')]),
  );

const tensorsOf = (file: string): Map<string, Float32Array> => {
  const opened = new SafetensorsFile(file);
  try {
    return new Map(
      opened.names.map((name) => {
        const values = new Float32Array(opened.shape(name).reduce((product, size) => product * size, 1));
        opened.tensor(name).read(0, values);
        return [name, values];
      }),
    );
  } finally {
    opened.close();
  }
};

let shelf: ProjectShelf;
let project: TinyProject;

const onefold = async (...args: readonly string[]): Promise<{ readonly stdout: string; readonly stderr: string }> => {
  const run = await runCli(args, { cwd: project.directory });
  expect(run.exit, run.stderr).toBe(0);
  return run;
};

const exportsOf = (surface: string): Record<string, string> => hashesBelow(project.path('.onefold/exports/unified', surface));

beforeAll(async () => {
  shelf = await createProjectShelf();
  project = shelf.take();
  project.set('models', { unified: MODEL, separate: { preset: 'separate', mlp: [4] } });
  project.set('training', TRAINING);
  await onefold('prepare');
  await onefold('train', 'unified');
  await onefold('evaluate', 'unified');
  await onefold('export', 'unified');
});
afterAll(() => {
  shelf.remove();
});

describe('onefold train --tower', () => {
  let before: Readonly<Record<'home' | 'search', Record<string, string>>>;
  beforeAll(async () => {
    before = { home: exportsOf('home'), search: exportsOf('search') };
    const { stdout } = await onefold('train', 'unified', '--tower', 'search');
    expect(stdout).toMatch(/towers\/search: on unified\/all after \d+ steps, which stays as it is/);
  });

  it('moves the parameters of that tower alone', () => {
    const [base, tower] = ['all', 'towers/search'].map((run) => project.path('.onefold/runs/unified', run, 'checkpoint'));
    const parameters = (directory: string): Map<string, Float32Array> => new Map([...tensorsOf(join(directory, 'dense.safetensors')), ...tensorsOf(join(directory, 'optimizer.safetensors'))]);
    const after = parameters(tower!);
    for (const [name, values] of parameters(base!)) {
      if (/(?:^|\.)tower\.search\./.test(name)) expect(after.get(name), name).not.toEqual(values);
      else expect(after.get(name), name).toEqual(values);
    }
    expect(readFileSync(join(tower!, 'tables.safetensors'))).toEqual(readFileSync(join(base!, 'tables.safetensors')));
  });

  it('names the checkpoint that it started from', () => {
    const files = JSON.parse(readFileSync(project.path('.onefold/runs/unified/all/checkpoint/checkpoint.json'), 'utf8')) as { files: unknown };
    const result = JSON.parse(readFileSync(project.path('.onefold/runs/unified/towers/search/result.json'), 'utf8')) as { start: { files: unknown } };
    expect(result.start.files).toEqual(files.files);
  });

  it('is exported, and leaves the files of the other surfaces as they were, byte for byte', async () => {
    await onefold('export', 'unified');
    expect(exportsOf('home')).toEqual(before.home);
    const after = exportsOf('search');
    const changed = Object.keys(after).filter((file) => after[file] !== before.search[file]);
    expect(changed.sort()).toEqual(['candidate.onnx', 'golden.parquet', 'manifest.json', 'model.onnx']);
    // What was measured of the surface was measured of its old tower.
    const metrics = (surface: string): object => (JSON.parse(readFileSync(project.path('.onefold/exports/unified', surface, 'manifest.json'), 'utf8')) as { metrics: object }).metrics;
    expect(Object.keys(metrics('home'))).toEqual(['click']);
    expect(metrics('search')).toEqual({});
  });

  it('ends the same when it is done again, and is kept by --resume', async () => {
    const checkpoint = project.path('.onefold/runs/unified/towers/search/checkpoint');
    const first = hashesBelow(checkpoint);
    expect((await onefold('train', 'unified', '--tower', 'search', '--resume')).stdout).toContain('towers/search: kept');
    await onefold('train', 'unified', '--tower', 'search');
    expect(hashesBelow(checkpoint)).toEqual(first);
  });

  it('is scored, too: only its own surface is predicted differently', async () => {
    const lossesOf = async (): Promise<Record<string, number>> => {
      const { stdout } = await onefold('evaluate', 'unified', '--json');
      const { tasks } = JSON.parse(stdout) as { tasks: { surfaces: { name: string; metrics: { logLoss: number } }[] }[] };
      return Object.fromEntries(tasks[0]!.surfaces.map(({ name, metrics }) => [name, metrics.logLoss]));
    };
    const withTower = await lossesOf();
    renameSync(project.path('.onefold/runs/unified/towers'), project.path('towers'));
    const without = await lossesOf();
    renameSync(project.path('towers'), project.path('.onefold/runs/unified/towers'));
    expect(withTower['home']).toBe(without['home']);
    expect(withTower['search']).not.toBe(without['search']);
  });

  it('is left out once its model was trained again, with a word', async () => {
    project.set('training.seed', 7);
    await onefold('train', 'unified');
    const { stderr } = await onefold('export', 'unified', '--surface', 'search');
    expect(stderr).toContain('the tower of search in ');
    expect(stderr).toContain('model "unified" was trained again since (onefold train unified --tower search trains it on the new trunk)');
    const withStale = exportsOf('search');
    project.remove('.onefold/runs/unified/towers');
    await onefold('export', 'unified', '--surface', 'search');
    expect(exportsOf('search')).toEqual(withStale);
  });

  it.each([
    [['separate', '--tower', 'home'], 'model "separate" has no towers on a shared trunk'],
    [['unified', '--tower', 'serach'], 'there is no surface "serach"'],
    [['unified', '--tower', 'home', '--from', 'older'], 'a tower is trained from the checkpoint of its own model'],
  ])('refuses %j', async (args, message) => {
    const run = await runCli(['train', ...args], { cwd: project.directory });
    expect(run.exit).toBe(2);
    expect(run.stderr).toContain(message);
  });

  it('needs a trained model', async () => {
    project.remove('.onefold/runs/unified');
    const run = await runCli(['train', 'unified', '--tower', 'home'], { cwd: project.directory });
    expect(run.exit).not.toBe(0);
    expect(run.stderr).toContain('model "unified" has not been trained');
  });
});
