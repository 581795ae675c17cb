import { existsSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { runCli } from './support/run-cli.js';

const ROOT = fileURLToPath(new URL('..', import.meta.url));

/** Held-out candidates of each surface, as the data's own descriptions count them. */
const EXAMPLES = [
  { example: 'ebnerd', folder: 'ebnerd_demo', test: { front_page: 217_364, article_page: 87_551 } },
  { example: 'kuairand', folder: 'kuairand_pure_apr25_may08', test: { tab_1: 32_865, tab_0: 3_759, tab_4: 2_658, tab_6: 1_547, tab_2: 1_672 } },
] as const;

describe('the examples on real logs', () => {
  it.each(EXAMPLES)('$example prepares', async ({ example, folder, test }) => {
    const data = resolve(ROOT, '..', 'shared', 'data', folder);
    if (!existsSync(data)) {
      console.warn(`NOT TESTED: examples/${example} on real logs, because ${data} is absent`);
      return;
    }
    const directory = await mkdtemp(join(tmpdir(), `onefold-${example}-`));
    try {
      const config = JSON.stringify(join(ROOT, 'examples', example, 'onefold.config.ts'));
      const workspace = JSON.stringify(join(directory, 'workspace'));
      await writeFile(
        join(directory, 'onefold.config.ts'),
        `import base from ${config};\nexport default (environment) => ({ ...base(environment), workspace: ${workspace} });\n`,
      );
      const { exit, stdout, stderr } = await runCli(['prepare', '--config', directory, '--data', data, '--json'], { cwd: directory });
      expect(stderr).toBe('');
      expect(exit).toBe(0);
      const { splits, quarantined } = JSON.parse(stdout) as { splits: { test: { counts: Record<string, { candidates: number }> } }; quarantined: number };
      expect(quarantined).toBe(0);
      expect(Object.fromEntries(Object.entries(splits.test.counts).map(([surface, { candidates }]) => [surface, candidates]))).toEqual(test);
    } finally {
      await rm(directory, { recursive: true, force: true });
    }
  }, 300_000);
});
