/** `onefold versions` of registries with and without versions. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { EXPORT_FILES } from '../src/export/manifest.js';
import { versionPath } from '../src/serve/registry/registry-storage.js';
import { runCli, type CliRun } from './support/run-cli.js';

let directory: string;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'onefold-versions-'));
});

afterEach(() => {
  rmSync(directory, { recursive: true });
});

const versions = (...args: readonly string[]): Promise<CliRun> => runCli(['versions', '--registry', 'registry', ...args], { cwd: directory });

it('a folder that is not there is no registry without versions', async () => {
  const missing = await versions();
  expect(missing).toMatchObject({ exit: 9, stdout: '' });
  expect(missing.stderr).toContain('registry is not there');
  mkdirSync(join(directory, 'registry'));
  expect(await versions()).toMatchObject({ exit: 0, stderr: '', stdout: expect.stringContaining('registry has no versions: `onefold publish`') as string });
  expect(JSON.parse((await versions('--json')).stdout)).toEqual({ revision: 0, versions: [] });
});

it('lists the versions of one surface or all, and names the surfaces that are there', async () => {
  for (const [surface, version] of [['search', 'v1'], ['search', 'v2'], ['feed', 'v1']] as const) {
    const folder = join(directory, 'registry', versionPath(surface, version));
    mkdirSync(folder, { recursive: true });
    writeFileSync(join(folder, EXPORT_FILES.manifest), '{}');
  }
  const listed = async (...args: readonly string[]): Promise<readonly string[]> =>
    (JSON.parse((await versions(...args, '--json')).stdout) as { readonly versions: readonly { readonly surface: string; readonly version: string }[] }).versions.map(({ surface, version }) => `${surface}/${version}`);
  expect(await listed()).toEqual(['feed/v1', 'search/v1', 'search/v2']);
  expect(await listed('search')).toEqual(['search/v1', 'search/v2']);
  const unknown = await versions('serch');
  expect([unknown.exit, unknown.stdout, unknown.stderr]).toEqual([2, '', expect.stringMatching(/no version of "serch"[^]*expected: one of feed, search/u)]);
});
