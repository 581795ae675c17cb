import { mkdirSync, readdirSync } from 'node:fs';
import { expect, it } from 'vitest';
import { createProjectShelf } from './support/project-shelf.js';
import { runCli } from './support/run-cli.js';

it('writes into its workspace alone: native libraries keep no identifier of the machine, and report nothing', async () => {
  const shelf = await createProjectShelf(['prepare'], ['train', 'linear']);
  try {
    const project = shelf.take();
    mkdirSync(project.path('home'));
    const before = project.contents();
    // Under CI=… the libraries would keep still by themselves; the child has no such variable.
    const { exit, stderr } = await runCli(['evaluate', 'linear', '--json'], { cwd: project.directory, env: { HOME: project.path('home'), TMPDIR: project.path('home') } });
    expect({ exit, stderr }).toEqual({ exit: 0, stderr: '' });
    expect(readdirSync(project.path('home'))).toEqual([]);
    const { '.onefold/runs/linear/evaluation-test.json': evaluation, ...others } = project.contents();
    expect(evaluation).toMatch(/^[0-9a-f]{64}$/);
    expect(others).toEqual(before);
  } finally {
    shelf.remove();
  }
});
