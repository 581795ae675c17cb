/** Training that is killed at any moment and resumed ends like training that was never disturbed, byte for byte. */
import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import type { ChildProcess } from 'node:child_process';
import { join } from 'node:path';
import { uniformInt } from 'pure-rand/distribution/uniformInt';
import { xoroshiro128plus } from 'pure-rand/generator/xoroshiro128plus';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createProjectShelf, type ProjectShelf } from './support/project-shelf.js';
import { runCli } from './support/run-cli.js';
import type { TinyProject } from './support/tiny-project.js';

/** A model with every state there is: moments, rows, dropout masks, early stopping, a Transformer, several runs. */
const TRAINING = { batchSize: 16, epochs: 6, threads: 1, warmupSteps: 2, evaluationsPerEpoch: 3, checkpointMinutes: 1e-6 };
const MODELS = {
  stopping: {
    preset: 'unified', embedding: { width: 4 }, cross: { layers: 1 }, mlp: [64], tower: [8], dropout: 0.2, transformer: { width: 8, layers: 1 },
    training: { earlyStopping: { patience: 20 }, embeddingOptimizer: 'adam' },
  },
  last: { preset: 'separate', embedding: { width: 4 }, cross: { layers: 1 }, mlp: [16], tower: [4] },
};

let shelf: ProjectShelf;
beforeAll(async () => {
  shelf = await createProjectShelf(['prepare']);
});
afterAll(() => {
  shelf.remove();
});

const take = (): TinyProject => {
  const project = shelf.take();
  project.set('models', MODELS);
  project.set('training', TRAINING);
  return project;
};

/** Everything in a run's checkpoint folders. */
const checkpoints = (project: TinyProject, model: string): Record<string, string> => {
  const runs = project.path('.onefold/runs', model);
  return Object.fromEntries(
    readdirSync(runs, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile() && /checkpoint|resume/.test(entry.parentPath))
      .map((entry) => {
        const path = join(entry.parentPath, entry.name);
        return [path.slice(runs.length), createHash('sha256').update(readFileSync(path)).digest('hex')];
      }),
  );
};

/** Kills while a checkpoint's file is being written, or after so many steps. */
type Kill = { readonly folder: string; readonly file: string } | { readonly steps: number };

const stepsOf = (metrics: string): number => (existsSync(metrics) ? readFileSync(metrics, 'utf8').split('"loss"').length - 1 : 0);

const killer = (run: string, kill: Kill) => (child: ChildProcess) => {
  const isTime = (): boolean => ('steps' in kill ? stepsOf(join(run, 'metrics.jsonl')) >= kill.steps : existsSync(join(run, kill.folder, kill.file)));
  const timer = setInterval(() => {
    if (!isTime()) return;
    clearInterval(timer);
    child.kill('SIGKILL');
  }, 1);
  child.on('exit', () => {
    clearInterval(timer);
  });
};

describe.each([
  ['stopping', '.onefold/runs/stopping/all', true],
  ['last', '.onefold/runs/last/search', false],
])('a killed and resumed run: %s', (model, run, isStoppingEarly) => {
  it('ends byte for byte as one that was left alone', async () => {
    const whole = take();
    const undisturbed = await runCli(['train', model], { cwd: whole.directory });
    expect(undisturbed.exit, undisturbed.stderr).toBe(0);
    const steps = stepsOf(whole.path(run, 'metrics.jsonl'));
    const project = take();
    const random = xoroshiro128plus(7);
    const kills: readonly Kill[] = [
      { folder: 'resume.writing', file: 'tables.safetensors' },
      { folder: 'checkpoint.writing', file: 'dense.safetensors' },
      ...Array.from({ length: 5 }, () => uniformInt(random, 1, steps - 1))
        .sort((a, b) => a - b)
        .map((at) => ({ steps: at })),
    ];
    let killed = 0;
    for (const kill of isStoppingEarly ? kills : kills.slice(2)) {
      const { exit, stderr } = await runCli(['train', model, '--resume'], { cwd: project.directory, onStart: killer(project.path(run), kill) });
      expect(exit === null || exit === 0, stderr).toBe(true);
      if (exit === null) killed += 1;
    }
    // A kill may come too late for the last steps; not for all.
    expect(killed).toBeGreaterThan(3);
    const last = await runCli(['train', model, '--resume'], { cwd: project.directory });
    expect(last.exit, last.stderr).toBe(0);
    expect(checkpoints(project, model)).toEqual(checkpoints(whole, model));
  });
});
