/** Ctrl-C while a command writes a folder: exit code 130, and everything as it was. */
import { existsSync, readdirSync } from 'node:fs';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { createProjectShelf, type ProjectShelf } from './support/project-shelf.js';
import { runCli } from './support/run-cli.js';

let shelf: ProjectShelf;
beforeAll(async () => {
  shelf = await createProjectShelf(['prepare'], ['train', 'unified'], ['export', 'unified']);
});
afterAll(() => {
  shelf.remove();
});

it.each([
  { name: 'prepare', args: ['prepare', '--force'], folder: '.onefold', begun: /^prepared\.tmp-/, says: /error \[interrupted\] preparing was interrupted/ },
  { name: 'export', args: ['export', 'unified', '--surface', 'home'], folder: '.onefold/exports/unified', begun: /^\.home\.partial$/, says: /error \[interrupted\] exporting home was interrupted/ },
])('$name', async ({ args, folder, begun, says }) => {
  const project = shelf.take();
  const before = project.contents();
  const watched = project.path(folder);
  let timer: NodeJS.Timeout | undefined;
  const { exit, stdout, stderr } = await runCli(args, {
    cwd: project.directory,
    onStart: (child) => {
      timer = setInterval(() => {
        if (!existsSync(watched) || !readdirSync(watched).some((file) => begun.test(file))) return;
        clearInterval(timer);
        child.kill('SIGINT');
      }, 2);
    },
  }).finally(() => {
    clearInterval(timer);
  });
  expect({ exit, stdout }).toEqual({ exit: 130, stdout: '' });
  expect(stderr).toMatch(says);
  expect(stderr).toMatch(/fix: run the command again/);
  expect(project.contents()).toEqual(before);
});
