import { cpSync, mkdirSync, mkdtempSync, readdirSync, rmSync, statSync, truncateSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { RawInput } from '../src/serve/raw-request.js';
import { inputsOf } from '../src/serve/json/raw-inputs.js';
import { openRegistry } from '../src/serve/registry/registry.js';
import { publish } from '../src/serve/registry/publish.js';
import { openRedisStore } from '../src/serve/features/redis-store.js';
import { REDIS_PROGRAMS, startRedisProcess } from './support/redis-process.js';
import { onSmallDisk } from './support/refusing-disk.js';
import { startServerProcess, until } from './support/running-server.js';
import { expectScores, metricOf, post, scoreBody } from './support/score-client.js';
import { createServedShop, type GoldenRequest, type ServedShop } from './support/served-shop.js';
import { runCli } from './support/run-cli.js';

let shop: ServedShop;
let scratch: string;
let golden: readonly GoldenRequest[];
let inputs: readonly RawInput[];
let exportsFolder: string;

beforeAll(async () => {
  shop = await createServedShop();
  scratch = mkdtempSync(join(tmpdir(), 'onefold-faults-'));
  golden = await shop.golden('feed');
  inputs = inputsOf(shop.exports.feed.encoders, shop.exports.feed.manifest);
  exportsFolder = join(shop.exports.feed.directory, '..');
}, 120_000);

afterAll(async () => {
  await shop.remove();
  rmSync(scratch, { recursive: true, force: true });
});

const bodyOf = (request: GoldenRequest): Readonly<Record<string, unknown>> => scoreBody('feed', request, inputs);

describe('a server that loses a scoring thread', () => {
  it('answers every request once, and rightly', async () => {
    const server = await startServerProcess([exportsFolder, '--max-queue', '10000']);
    try {
      let [sent, answered] = [0, 0];
      const isOver = { value: false };
      const client = async (): Promise<void> => {
        while (!isOver.value) {
          const request = golden[sent % golden.length]!;
          sent += 1;
          expectScores(await post(`${server.http}/v1/score`, bodyOf(request)), request);
          answered += 1;
        }
      };
      const clients = Array.from({ length: 16 }, client);
      const losses = 12;
      for (let lost = 0; lost < losses; lost += 1) {
        const before = answered;
        // More than were on their way to a client: the thread that is lost next has answered.
        await until('requests are under way', () => answered > before + clients.length);
        expect((await fetch(`${server.admin}/workers/restart`, { method: 'POST' })).status).toBe(200);
      }
      isOver.value = true;
      await Promise.all(clients);
      expect(await metricOf(server.admin, 'onefold_requests_total', { outcome: 'ok' })).toBe(sent);
      expect(await metricOf(server.admin, 'onefold_requests_total')).toBe(sent);
      expect(await metricOf(server.admin, 'onefold_worker_restarts_total')).toBe(losses);
    } finally {
      expect(await server.stop()).toBe(0);
    }
  }, 60_000);
});

describe('a server that follows a registry', () => {
  it('comes back on whole versions when it is killed while it changes to others', async () => {
    const location = join(scratch, 'killed');
    const registry = await openRegistry(location);
    await publish(registry, { exports: [exportsFolder], version: 'v0', promote: true });
    for (let round = 1; round <= 4; round += 1) {
      const server = await startServerProcess(['--registry', location]);
      await publish(registry, { exports: [exportsFolder], version: `v${round}`, promote: true });
      // Somewhere between the pointer's change and the end of the swap.
      await new Promise((resolve) => setTimeout(resolve, 90 * round));
      await server.stop('SIGKILL');
      const again = await startServerProcess(['--registry', location]);
      try {
        const { body, status } = await post(`${again.http}/v1/score`, bodyOf(golden[0]!));
        expectScores({ body, status }, golden[0]!);
        expect(body.version).toBe(`v${round}`);
        const { versions } = (await (await fetch(`${again.admin}/versions`)).json()) as { readonly versions: readonly { readonly version: string; readonly isCurrent: boolean }[] };
        expect(versions.filter(({ isCurrent }) => isCurrent).map(({ version }) => version)).toEqual([`v${round}`, `v${round}`]);
      } finally {
        await again.stop();
      }
    }
  }, 90_000);

  it('refuses a version that is torn, and goes on with the one before; rollbacks take effect within a second', async () => {
    const location = join(scratch, 'torn');
    const registry = await openRegistry(location);
    await publish(registry, { exports: [exportsFolder], version: 'good', promote: true });
    const server = await startServerProcess(['--registry', location]);
    const versionOf = async (): Promise<string> => {
      const answer = await post(`${server.http}/v1/score`, bodyOf(golden[1]!));
      expectScores(answer, golden[1]!);
      return answer.body.version;
    };
    try {
      await publish(registry, { exports: [exportsFolder], version: 'torn', promote: false });
      const tables = join(location, 'versions/feed/torn/tables.bin');
      truncateSync(tables, statSync(tables).size - 1);
      await registry.promote({ feed: 'torn', search: 'torn' });
      await until('the torn version is refused', () => server.log().includes('was refused'));
      expect(server.log()).toMatch(/tables\.bin has \d+ bytes/);
      expect(await versionOf()).toBe('good');
      expect(await metricOf(server.admin, 'onefold_swaps_total', { outcome: 'refused' })).toBeGreaterThan(0);

      await publish(registry, { exports: [exportsFolder], version: 'better', promote: true });
      await until('the whole version serves', async () => (await versionOf()) === 'better');
      await registry.promote({ feed: 'good' });
      await until('the old one serves again', async () => (await versionOf()) === 'good');
      const seconds: number[] = [];
      for (let round = 0; round < 3; round += 1) {
        await registry.promote({ feed: 'better' });
        await until('the new one serves again', async () => (await versionOf()) === 'better');
        expect((await runCli(['rollback', 'feed', '--registry', location], { cwd: scratch })).exit).toBe(0);
        const since = performance.now();
        await until('the rollback takes effect', async () => (await versionOf()) === 'good');
        seconds.push((performance.now() - since) / 1000);
      }
      // The quickest: others may keep the machine busy.
      expect(Math.min(...seconds)).toBeLessThan(1);
    } finally {
      expect(await server.stop()).toBe(0);
    }
  }, 60_000);

  it('ends in order when it is told to while it loads a version', async () => {
    const location = join(scratch, 'ending');
    const registry = await openRegistry(location);
    await publish(registry, { exports: [exportsFolder], version: 'v0', promote: true });
    for (const [round, delay] of [50, 150, 250].entries()) {
      const server = await startServerProcess(['--registry', location, '--drain-seconds', '0']);
      await publish(registry, { exports: [exportsFolder], version: `v${round + 1}`, promote: true });
      await new Promise((resolve) => setTimeout(resolve, delay));
      expect(await server.stop()).toBe(0);
      expect(server.log()).not.toMatch(/terminate called/);
    }
  }, 60_000);

  it('answers what came before it is told to end', async () => {
    expect(await runCli(['serve', exportsFolder, '--drain-seconds', '3000000'], { cwd: scratch })).toMatchObject({ exit: 2, stderr: expect.stringContaining('a number from 0 to 86400') as unknown });
    const server = await startServerProcess([exportsFolder, '--drain-seconds', '86400']);
    const answers = Array.from({ length: 50 }, (_, index) => post(`${server.http}/v1/score`, bodyOf(golden[index % golden.length]!)));
    await until('requests arrive', async () => (await metricOf(server.admin, 'onefold_requests_total')) > 0);
    const exit = server.stop();
    (await Promise.all(answers)).forEach((answer, index) => {
      expectScores(answer, golden[index % golden.length]!);
    });
    expect(await exit).toBe(0);
  }, 30_000);
});

describe('clients', () => {
  it('that are slow are cut off, and hold nobody up', async () => {
    const server = await startServerProcess([exportsFolder, '--receive-ms', '1500']);
    const { hostname, port } = new URL(server.http);
    const open = (first: string): Promise<number> =>
      new Promise((resolve) => {
        const since = performance.now();
        const socket = connect(Number(port), hostname, () => socket.write(first));
        socket.on('error', () => undefined);
        socket.on('data', () => undefined);
        socket.on('close', () => {
          resolve(performance.now() - since);
        });
      });
    try {
      const headers = 'POST /v1/score HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\n';
      const slow = [...Array.from({ length: 50 }, () => open(headers)), ...Array.from({ length: 50 }, () => open(`${headers}content-length: 1000\r\n\r\n{"surface"`))];
      for (const request of golden) expectScores(await post(`${server.http}/v1/score`, bodyOf(request)), request);
      for (const milliseconds of await Promise.all(slow)) expect(milliseconds).toBeLessThan(10_000);
    } finally {
      expect(await server.stop()).toBe(0);
    }
  }, 60_000);

  it('that go away leave no trace', async () => {
    const server = await startServerProcess([exportsFolder]);
    try {
      for (let round = 0; round < 100; round += 1) {
        const controller = new AbortController();
        const gone = post(`${server.http}/v1/score`, bodyOf(golden[round % golden.length]!), { signal: controller.signal }).catch(() => undefined);
        setTimeout(() => {
          controller.abort();
        }, round % 5);
        await gone;
      }
      expectScores(await post(`${server.http}/v1/score`, bodyOf(golden[0]!)), golden[0]!);
      await until('nothing waits', async () => (await metricOf(server.admin, 'onefold_queue_requests')) === 0);
      expect(await metricOf(server.admin, 'onefold_requests_total', { outcome: 'internal' })).toBe(0);
    } finally {
      expect(await server.stop()).toBe(0);
    }
  }, 60_000);
});

describe('a feature log whose folder refuses', () => {
  it('holds no request up, says so, and goes on when it no longer does', async () => {
    // A file where the folder should be: every write fails, as on a full disk, also for root.
    const folder = join(scratch, 'log');
    cpSync(join(exportsFolder, 'feed', 'manifest.json'), folder);
    const server = await startServerProcess([exportsFolder, '--feature-log', folder, '--feature-log-seconds', '0.3']);
    const logged = (outcome: string): Promise<number> => metricOf(server.admin, 'onefold_feature_log_rows_total', { outcome });
    try {
      for (const request of golden) expectScores(await post(`${server.http}/v1/score`, bodyOf(request)), request);
      await until('what could not be written is counted', async () => (await logged('dropped')) > 0);
      expect(server.log()).toContain('could not be logged');
      rmSync(folder);
      for (const request of golden) expectScores(await post(`${server.http}/v1/score`, bodyOf(request)), request);
      await until('the rest is written', async () => (await logged('written')) > 0);
      expect(readdirSync(join(folder, 'feed')).some((file) => file.endsWith('.parquet'))).toBe(true);
    } finally {
      expect(await server.stop()).toBe(0);
    }
  }, 60_000);
});

describe('a feature log on a full disk', () => {
  it('holds no request up, says so, and goes on when there is room', async (context) => {
    const folder = join(scratch, 'small');
    mkdirSync(folder);
    const disk = onSmallDisk(context, folder);
    const server = await startServerProcess([exportsFolder, '--feature-log', join(folder, 'log'), '--feature-log-seconds', '0.3']);
    const logged = (outcome: string): Promise<number> => metricOf(server.admin, 'onefold_feature_log_rows_total', { outcome });
    const askAll = async (): Promise<void> => {
      for (const request of golden) expectScores(await post(`${server.http}/v1/score`, bodyOf(request)), request);
    };
    try {
      disk.fill(0);
      await askAll();
      await until('what could not be written is counted', async () => (await logged('dropped')) > 0);
      expect(server.log()).toMatch(/could not be logged[^\n]*no space left/iu);
      disk.fill(900_000);
      await askAll();
      await until('the rest is written', async () => (await logged('written')) > 0);
      expect(readdirSync(join(folder, 'log', 'feed')).filter((file) => !file.endsWith('.parquet'))).toEqual([]);
    } finally {
      expect(await server.stop()).toBe(0);
      disk.unmount();
    }
  }, 60_000);
});

describe.each(REDIS_PROGRAMS)('a feature store on %s', (program) => {
  it('that stops is served without, and told of; when it is back, it is used again', async (context) => {
    const redis = (await startRedisProcess(program, 'a store that stops')) ?? context.skip(`${program} is not installed`);
    const { url } = redis;
    const server = await startServerProcess([exportsFolder, '--features', url, '--feature-timeout-ms', '1000']);
    const request = golden.find(({ rows, from }) => rows.columns.has('country') || from === 0)!;
    const whole = bodyOf(request);
    const features = whole['features'] as Readonly<Record<string, unknown>>;
    const scalars = Object.fromEntries(Object.entries(features).filter(([name]) => !name.includes('.')));
    const lists = Object.fromEntries(Object.entries(features).filter(([name]) => name.includes('.')));
    const store = openRedisStore(url);
    const fill = async (): Promise<void> => {
      expect(await store.ready(10_000)).toBe(true);
      await store.write([{ user: 'u1', features: scalars as never }]);
    };
    const ask = (): ReturnType<typeof post> => post(`${server.http}/v1/score`, { ...whole, userId: 'u1', features: lists });
    try {
      await fill();
      expectScores(await ask(), request);
      await redis.kill();
      await until('it is told of', async () => {
        const { status, body } = await ask();
        expect(status).toBe(200);
        return body.degraded.includes('user');
      });
      await redis.restart();
      await fill();
      await until('it is used again', async () => {
        const answer = await ask();
        if (answer.body.degraded.length > 0) return false;
        expectScores(answer, request);
        return true;
      });
    } finally {
      await store.close();
      await redis.kill();
      expect(await server.stop()).toBe(0);
    }
  }, 60_000);
});
