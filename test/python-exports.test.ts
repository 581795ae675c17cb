/** Exports loaded, fed and scored by Python's onnxruntime alone: examples/ebnerd/score_exports.py on a project with every kind of feature. */
import { spawnSync } from 'node:child_process';
import { cpSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createShop, runSql } from './support/shop-project.js';
import { runCli } from './support/run-cli.js';

const SCRIPT = fileURLToPath(new URL('../examples/ebnerd/score_exports.py', import.meta.url));
const DECLARED = process.env['ONEFOLD_PYTHON'];

const python = (...args: readonly string[]): { readonly exit: number | null; readonly stdout: string; readonly stderr: string } => {
  const { status, stdout, stderr } = spawnSync(DECLARED ?? 'python3', args, { encoding: 'utf8' });
  // Both are null where there is no such program.
  return { exit: status, stdout: (stdout as string | null) ?? '', stderr: (stderr as string | null) ?? '' };
};

const canRun = DECLARED !== undefined || python('-c', 'import numpy, onnxruntime, pyarrow').exit === 0;
if (!canRun) {
  console.warn('NOT TESTED: exports in Python, because python3 lacks the packages of examples/ebnerd/requirements.txt; ONEFOLD_PYTHON names one that has them');
}

describe.skipIf(!canRun)('exports in Python', () => {
  let directory: string;
  const path = (...parts: readonly string[]): string => join(directory, ...parts);
  const exported = (surface: string): string => path('.onefold', 'exports', 'full', surface);

  beforeAll(async () => {
    directory = mkdtempSync(join(tmpdir(), 'onefold-python-'));
    await createShop(directory);
    for (const args of [['prepare'], ['train', 'full'], ['export', 'full']]) {
      const { exit, stderr } = await runCli(args, { cwd: directory });
      if (exit !== 0) throw new Error(`onefold ${args.join(' ')} ended with ${String(exit)}:\n${stderr}`);
    }
  });

  afterAll(() => {
    rmSync(directory, { recursive: true, force: true });
  });

  it('score golden rows as Onefold did', () => {
    const { exit, stdout, stderr } = python(SCRIPT, exported('feed'), exported('search'));
    expect(stderr).toBe('');
    expect(exit).toBe(0);
    expect([...stdout.matchAll(/^(\w+) +(\w+) +(\d+) rows/gm)].map(([, ...line]) => line.join(' '))).toEqual(['feed click 64', 'feed save 64', 'search click 64']);
  });

  it('score what `onefold predict` scored', async () => {
    const rows = path('.onefold', 'prepared', 'raw', 'feed.parquet');
    const { exit: predicted, stderr: said } = await runCli(['predict', exported('feed'), rows, '--output', path('scored.parquet')], { cwd: directory });
    expect(predicted, said).toBe(0);
    const { exit, stdout, stderr } = python(SCRIPT, exported('feed'), '--rows', path('scored.parquet'));
    expect(exit, stderr).toBe(0);
    expect(stdout).toMatch(/^feed +save +160 rows +largest difference \d\.\d\de[+-]\d\d$/m);
  });

  it.each([
    ['another probability', 'least(1, "probability.click" + 2e-5)::FLOAT'],
    ['none', "'NaN'::FLOAT"],
  ])('are refused when %s is stored with a row', async (_, stored) => {
    const other = path('other');
    cpSync(exported('search'), other, { recursive: true });
    const golden = `'${join(other, 'golden.parquet')}'`;
    await runSql(
      directory,
      `CREATE TABLE rows AS SELECT *, row_number() OVER () AS "@row" FROM ${golden}`,
      `COPY (SELECT * EXCLUDE ("@row") REPLACE (CASE WHEN "@row" = 7 THEN ${stored} ELSE "probability.click" END AS "probability.click") FROM rows ORDER BY "@row") TO ${golden} (FORMAT parquet)`,
    );
    const { exit, stderr } = python(SCRIPT, other);
    expect(exit).toBe(1);
    expect(stderr).toContain('a probability differs by more than 1e-05');
  });

  it('are asked for where there are none', () => {
    const { exit, stderr } = python(SCRIPT, directory);
    expect(exit).toBe(2);
    expect(stderr).toContain('holds no export');
  });
});
