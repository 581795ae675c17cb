/** What an operator gets wrong about a server's options. */
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { once } from 'node:events';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { startServerProcess, until } from './support/running-server.js';
import { runCli } from './support/run-cli.js';
import { createServedShop, type ServedShop } from './support/served-shop.js';

let shop: ServedShop;
let scratch: string;

beforeAll(async () => {
  shop = await createServedShop();
  scratch = mkdtempSync(join(tmpdir(), 'onefold-options-'));
});
afterAll(async () => {
  rmSync(scratch, { recursive: true });
  await shop.remove();
});

const refusal = async (...args: readonly string[]): Promise<readonly [number | null, string]> => {
  const { exit, stderr } = await runCli(['serve', shop.exports.feed.directory, ...args], { cwd: scratch });
  return [exit, stderr];
};

it('says where it cannot listen', async () => {
  const taken = createServer().listen(0, '127.0.0.1');
  await once(taken, 'listening');
  const { port } = taken.address() as AddressInfo;
  for (const args of [['--port', String(port)], ['--port', '0', '--admin-port', String(port)]]) {
    expect(await refusal(...args)).toEqual([9, expect.stringContaining(`127.0.0.1:${port}: something listens there already`)]);
  }
  taken.close();
  expect(await refusal('--port', '0', '--host', 'host.invalid')).toEqual([9, expect.stringMatching(/host\.invalid:0: .*name/)]);
  expect(await refusal('--port', '0', '--host', '192.0.2.1')).toEqual([9, expect.stringContaining('192.0.2.1:0: this machine has no such address')]);
});

it('says which values an option takes, and which go together', async () => {
  expect(await refusal('--log-level', 'loud')).toEqual([2, expect.stringMatching(/debug, info, warn, error, silent/)]);
  expect(await refusal('--load', 'feed=v1')).toEqual([2, expect.stringMatching(/folders of exports have no other versions[^]*--registry/)]);
});

it('says that there is no feature store, and makes none', async () => {
  const folder = join(scratch, 'none', 'store');
  expect(await refusal('--features', folder)).toEqual([9, expect.stringMatching(/none\/store[^]*onefold features load/)]);
  expect(existsSync(join(scratch, 'none'))).toBe(false);
  expect((await refusal('--features', 'http://127.0.0.1:1'))[0]).toBe(2);
});

it('says that a registry is empty, and that a priority is of no surface', async () => {
  const empty = await startServerProcess(['--registry', join(scratch, 'nowhere')]);
  try {
    await until('it is told', () => empty.log().includes('nothing is promoted there yet'));
    expect((await fetch(`${empty.http}/readyz`)).status).toBe(503);
  } finally {
    expect(await empty.stop()).toBe(0);
  }
  const server = await startServerProcess([shop.exports.feed.directory, '--priority', 'fed=2', '--priority', 'feed=1']);
  try {
    await until('it is told', () => server.log().includes('a priority is of a surface that does not serve'));
    expect(server.log()).toContain('["fed"]');
  } finally {
    expect(await server.stop()).toBe(0);
  }
});
