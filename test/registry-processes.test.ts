/** A registry that several processes change at once, and one whose publisher is killed. */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { publish } from '../src/serve/registry/publish.js';
import { openRegistry } from '../src/serve/registry/registry.js';
import { until } from './support/running-server.js';
import { runCli } from './support/run-cli.js';
import { writeSmallExport } from './support/small-export.js';

const REGISTRY = new URL('../dist/serve/registry/registry.js', import.meta.url);
const MAIN = fileURLToPath(new URL('../dist/cli/main.js', import.meta.url));

/** Promotes versions of a surface in turns, as many as it is told; standard output has a line once it is about to start. */
const PROMOTER = `
const [location, surface, count] = process.argv.slice(1);
const { openRegistry } = await import(${JSON.stringify(REGISTRY.href)});
const registry = await openRegistry(location);
console.log('ready');
await new Promise((resolve) => process.stdin.once('data', resolve));
for (let turn = 1; turn <= Number(count); turn += 1) await registry.promote({ [surface]: 'v' + (turn % 2) });
process.exit(0);
`;

let scratch: string;

beforeAll(() => {
  scratch = mkdtempSync(join(tmpdir(), 'onefold-registries-'));
});

afterAll(() => {
  rmSync(scratch, { recursive: true, force: true });
});

it('loses no change of processes that promote at the same moment', async () => {
  const location = join(scratch, 'busy');
  const registry = await openRegistry(location);
  const surfaces = ['a', 'b', 'c'];
  const turns = 15;
  for (const surface of surfaces) {
    for (const version of ['v0', 'v1']) await publish(registry, { exports: [await writeSmallExport(join(scratch, surface, version), surface, version)], version, promote: version === 'v0' });
  }
  const { revision: before } = await registry.current();
  const children = surfaces.map((surface) => spawn(process.execPath, ['--input-type=module', '--eval', PROMOTER, location, surface, String(turns)], { stdio: ['pipe', 'pipe', 'inherit'] }));
  await Promise.all(children.map((child) => once(child.stdout, 'data')));
  const ended = children.map((child) => once(child, 'exit'));
  let reads = 0;
  let last = 0;
  for (const child of children) child.stdin.write('go\n');
  const reader = (async (): Promise<void> => {
    while (children.some((child) => child.exitCode === null)) {
      // Whole at any moment, and never an older one than before.
      const { revision } = await registry.current();
      expect(revision).toBeGreaterThanOrEqual(last);
      last = revision;
      reads += 1;
    }
  })();
  expect((await Promise.all(ended)).map(([exit]) => exit as number)).toEqual([0, 0, 0]);
  await reader;
  expect(reads).toBeGreaterThan(10);
  const pointer = await registry.current();
  expect(pointer.revision).toBe(before + surfaces.length * turns);
  for (const surface of surfaces) expect(pointer.surfaces[surface]).toMatchObject({ version: 'v1', previous: 'v0' });
  // Each change is a step that can be taken back.
  for (let step = 0; step < turns; step += 1) await registry.rollback();
  expect(Object.values((await registry.current()).surfaces).map(({ version }) => version)).toEqual(['v0', 'v0', 'v0']);
  await expect(registry.rollback()).rejects.toThrow(/no surface has a version before/);
});

/** Kills `onefold publish` once `isDue`, and tells whether it was still at work. */
const killPublish = async (args: readonly string[], isDue: () => boolean): Promise<boolean> => {
  const child: ChildProcess = spawn(process.execPath, [MAIN, 'publish', ...args], { stdio: 'ignore' });
  const exited = once(child, 'exit') as Promise<[number | null, NodeJS.Signals | null]>;
  await until('the moment to kill', () => isDue() || child.exitCode !== null);
  child.kill('SIGKILL');
  return (await exited)[1] === 'SIGKILL';
};

it('shows nothing of a publication that was killed, and takes it in when it is tried again', async () => {
  const location = join(scratch, 'killed');
  const large = await writeSmallExport(join(scratch, 'large'), 'feed', Buffer.alloc(96 * 1024 * 1024, 'rows '));
  await publish(await openRegistry(location), { exports: [await writeSmallExport(join(scratch, 'first'), 'feed', 'first')], version: 'first', promote: true });
  const folder = join(location, 'versions/feed');
  const filled = (name: string): number => {
    const tables = join(folder, name, 'tables.bin');
    return existsSync(tables) ? statSync(tables).size : -1;
  };
  const parts = (): readonly string[] => readdirSync(folder).filter((name) => name.startsWith('.'));
  const moments = [() => parts().length > 0, () => parts().some((name) => filled(name) >= 0), () => parts().some((name) => filled(name) > 90e6)];
  for (const isDue of moments) {
    expect(await killPublish([large, '--registry', location, '--name', 'large'], isDue)).toBe(true);
    const registry = await openRegistry(location);
    expect(await registry.versions()).toEqual([{ surface: 'feed', version: 'first' }]);
    expect(await registry.current()).toMatchObject({ revision: 1, surfaces: { feed: { version: 'first' } } });
    for (const name of parts()) rmSync(join(folder, name), { recursive: true });
  }
  const again = await runCli(['publish', large, '--registry', location, '--name', 'large', '--json'], { cwd: scratch });
  expect(again).toMatchObject({ exit: 0, stderr: '' });
  const registry = await openRegistry(location);
  expect((await registry.current()).surfaces['feed']).toMatchObject({ version: 'large', previous: 'first' });
  expect(readFileSync(join(await registry.directory('feed', 'large'), 'tables.bin')).equals(readFileSync(join(large, 'tables.bin')))).toBe(true);
}, 60_000);

it('goes back within half a second, the start of the process included', async () => {
  const location = join(scratch, 'quick');
  const registry = await openRegistry(location);
  for (const version of ['v0', 'v1', 'v2', 'v3']) await publish(registry, { exports: [await writeSmallExport(join(scratch, 'quick-export', version), 'feed', version)], version, promote: true });
  const seconds: number[] = [];
  for (const version of ['v2', 'v1', 'v0']) {
    const started = performance.now();
    const { exit, stdout, stderr } = await runCli(['rollback', '--registry', location, '--json'], { cwd: scratch });
    seconds.push((performance.now() - started) / 1000);
    expect({ exit, stderr }).toEqual({ exit: 0, stderr: '' });
    expect(JSON.parse(stdout)).toMatchObject({ by: 'rollback', surfaces: { feed: { version } } });
  }
  // The quickest: others may keep the machine busy.
  expect(Math.min(...seconds)).toBeLessThan(0.5);
  const { exit, stderr } = await runCli(['rollback', 'feed', '--registry', location], { cwd: scratch });
  expect(exit).toBe(2);
  expect(stderr).toMatch(/nothing served "feed" before/);
});
