/**
 * Runs onefold commands one after the other, each printed before it runs, and stops at the first that fails: what a user
 * would type. Used by the examples; `npm run build` first.
 */
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';

const MAIN = fileURLToPath(new URL('../dist/cli/main.js', import.meta.url));

/** @param {readonly (readonly string[])[]} commands arguments of each command */
export const runPipeline = (commands) => {
  const started = performance.now();
  for (const args of commands) {
    process.stdout.write(`\n$ onefold ${args.join(' ')}\n`);
    const { status, error } = spawnSync(process.execPath, [MAIN, ...args], { stdio: 'inherit' });
    if (error) throw error;
    if (status !== 0) process.exit(status ?? 1);
  }
  process.stdout.write(`\nfinished in ${Math.round((performance.now() - started) / 1000)} s\n`);
};
