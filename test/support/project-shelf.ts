import { chmodSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { runCli } from './run-cli.js';
import { TinyProject } from './tiny-project.js';

/** One tiny project, taken as far as some commands take it, and copies of it to spoil. */
export interface ProjectShelf {
  /** A copy in a folder of its own. */
  take(): TinyProject;
  remove(): void;
}

/** Makes a tiny project and runs these commands on it. */
export const createProjectShelf = async (...commands: readonly (readonly string[])[]): Promise<ProjectShelf> => {
  const root = mkdtempSync(join(tmpdir(), 'onefold-tiny-'));
  // Some tests run commands as another user.
  chmodSync(root, 0o755);
  const made = await TinyProject.create(join(root, 'made'));
  for (const command of commands) {
    const { exit, stderr } = await runCli(command, { cwd: made.directory });
    if (exit !== 0) throw new Error(`onefold ${command.join(' ')} ended with ${String(exit)}:\n${stderr}`);
  }
  let taken = 0;
  return {
    take: () => {
      taken += 1;
      return made.copyTo(join(root, `copy-${taken}`));
    },
    remove: () => {
      rmSync(root, { recursive: true, force: true });
    },
  };
};
