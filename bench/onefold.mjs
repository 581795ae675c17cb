/** What the benchmarks share: calling the CLI, deriving a config from an example's, writing results. */
import { spawnSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const ROOT = fileURLToPath(new URL('..', import.meta.url));
const MAIN = join(ROOT, 'dist', 'cli', 'main.js');

/** Runs a command with `--json` and gives its result; its progress and errors stay on standard error. */
export const onefold = (...args) => {
  const { status, stdout } = spawnSync(process.execPath, [MAIN, ...args, '--json'], { maxBuffer: 1 << 28, stdio: ['ignore', 'pipe', 'inherit'] });
  if (status !== 0) process.exit(status ?? 1);
  return JSON.parse(stdout.toString());
};

/**
 * Writes a config beside an example's that differs from it in its workspace and models.
 *
 * @returns {string} its folder
 */
export const deriveConfig = (example, name, overrides) => {
  const folder = join(ROOT, 'examples', example);
  const derived = join(folder, '.onefold', name);
  mkdirSync(derived, { recursive: true });
  const base = JSON.stringify(join(folder, 'onefold.config.ts'));
  writeFileSync(
    join(derived, 'onefold.config.ts'),
    `import base from ${base};\nexport default (environment) => ({ ...base(environment), ...${JSON.stringify(overrides)} });\n`,
  );
  return derived;
};

/** Writes `bench/results/<name>.json`, stamped with machine and date. */
export const writeResults = (name, rows) => {
  const stamp = { machine: `${cpus().length} × ${cpus()[0]?.model ?? 'unknown'}`, date: new Date().toISOString().slice(0, 10) };
  const folder = join(ROOT, 'bench', 'results');
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, `${name}.json`), `${JSON.stringify(rows.map((row) => ({ ...row, ...stamp })), undefined, 2)}\n`);
};
