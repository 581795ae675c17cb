/** A registry in a bucket: Moto's S3 in a process of its own, and the real client. */
import { once } from 'node:events';
import { createServer, request as httpRequest } from 'node:http';
import type { AddressInfo } from 'node:net';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { CreateBucketCommand, DeleteObjectCommand, ListObjectsV2Command, PutObjectCommand, S3Client } from '@aws-sdk/client-s3';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ArtifactError, IoError, UsageError } from '../src/config/errors.js';
import { inputsOf } from '../src/serve/json/raw-inputs.js';
import { publish } from '../src/serve/registry/publish.js';
import { openRegistry, type Registry } from '../src/serve/registry/registry.js';
import { hasMoto, startMoto, type MotoServer } from './support/moto-server.js';
import { startServerProcess, until, type RunningServer } from './support/running-server.js';
import { runCli } from './support/run-cli.js';
import { expectScores, post, scoreBody } from './support/score-client.js';
import { createServedShop } from './support/served-shop.js';
import { writeSmallExport } from './support/small-export.js';

const BUCKET = 'models';
const CREDENTIALS = { AWS_ACCESS_KEY_ID: 'key', AWS_SECRET_ACCESS_KEY: 'secret', AWS_REGION: 'us-east-1' };

describe.skipIf(!hasMoto())('a registry in a bucket', () => {
  let moto: MotoServer;
  let client: S3Client;
  let scratch: string;
  let exports: readonly string[];
  let count = 0;

  const emptyRegistry = async (options: { readonly cacheDirectory?: string } = {}): Promise<{ readonly location: string; readonly prefix: string; readonly open: () => Promise<Registry>; readonly registry: Registry }> => {
    count += 1;
    const prefix = `ads/${count}`;
    const location = `s3://${BUCKET}/${prefix}`;
    const open = (): Promise<Registry> => openRegistry(location, { s3Endpoint: moto.endpoint, cacheDirectory: join(scratch, `cache-${count}`), ...options });
    return { location, prefix, open, registry: await open() };
  };

  const keysOf = async (prefix: string): Promise<readonly string[]> => {
    const { Contents = [] } = await client.send(new ListObjectsV2Command({ Bucket: BUCKET, Prefix: `${prefix}/` }));
    return Contents.map(({ Key }) => Key!.slice(prefix.length + 1));
  };

  beforeAll(async () => {
    Object.assign(process.env, CREDENTIALS, { AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED: 'true' });
    scratch = mkdtempSync(join(tmpdir(), 'onefold-s3-'));
    moto = await startMoto();
    client = new S3Client({ endpoint: moto.endpoint, forcePathStyle: true, region: CREDENTIALS.AWS_REGION });
    await client.send(new CreateBucketCommand({ Bucket: BUCKET }));
    exports = await Promise.all([0, 1, 2].map((version) => writeSmallExport(join(scratch, `exports/${version}/feed`), 'feed', `feed ${version}`)));
  }, 60_000);

  afterAll(async () => {
    client.destroy();
    await moto.stop();
    rmSync(scratch, { recursive: true, force: true });
  });

  it('gives a version back as it was published, downloaded once', async () => {
    const { prefix, registry } = await emptyRegistry();
    expect(await registry.current()).toMatchObject({ revision: 0, surfaces: {} });
    await publish(registry, { exports: [exports[0]!], version: 'v0', promote: true });
    expect(await registry.versions()).toEqual([{ surface: 'feed', version: 'v0' }]);
    expect(await registry.current()).toMatchObject({ revision: 1, surfaces: { feed: { version: 'v0' } } });
    expect(await keysOf(prefix)).toEqual(expect.arrayContaining(['current.json', 'versions/feed/v0/manifest.json', 'versions/feed/v0/tables.bin']));
    const directory = await registry.directory('feed', 'v0');
    expect(readdirSync(directory).sort()).toEqual(readdirSync(exports[0]!).sort());
    for (const name of readdirSync(directory)) expect(readFileSync(join(directory, name))).toEqual(readFileSync(join(exports[0]!, name)));
    await client.send(new DeleteObjectCommand({ Bucket: BUCKET, Key: `${prefix}/versions/feed/v0/tables.bin` }));
    expect(await registry.directory('feed', 'v0')).toBe(directory);
  });

  it('goes back one promotion at a time', async () => {
    const { registry } = await emptyRegistry();
    for (const [index, folder] of exports.entries()) await publish(registry, { exports: [folder], version: `v${index}`, promote: true });
    expect((await registry.rollback()).surfaces['feed']).toMatchObject({ version: 'v1', previous: 'v0' });
    expect((await registry.rollback(['feed'])).surfaces['feed']!.version).toBe('v0');
    await expect(registry.rollback()).rejects.toThrow(UsageError);
    await expect(registry.promote({ feed: 'v7' })).rejects.toThrow(/no version "v7" of "feed"/);
  });

  it('loses no change of writers at the same moment', async () => {
    const { open, registry } = await emptyRegistry();
    const surfaces = ['a', 'b', 'c', 'd'];
    for (const surface of surfaces) {
      for (const version of ['v0', 'v1']) await publish(registry, { exports: [await writeSmallExport(join(scratch, `many/${surface}/${version}`), surface, version)], version, promote: false });
    }
    await Promise.all(
      surfaces.map(async (surface) => {
        const own = await open();
        for (const version of ['v0', 'v1', 'v0']) await own.promote({ [surface]: version });
      }),
    );
    const { revision, surfaces: pointed } = await registry.current();
    expect(revision).toBe(3 * surfaces.length);
    for (const surface of surfaces) expect(pointed[surface]).toMatchObject({ version: 'v0', previous: 'v1' });
  });

  it('shows no version of which the manifest is not there yet, and takes it in when it is published again', async () => {
    const { prefix, registry } = await emptyRegistry();
    await publish(registry, { exports: [exports[0]!], version: 'v0', promote: true });
    await client.send(new DeleteObjectCommand({ Bucket: BUCKET, Key: `${prefix}/versions/feed/v0/manifest.json` }));
    expect(await registry.versions()).toEqual([]);
    await expect(registry.promote({ feed: 'v0' })).rejects.toThrow(UsageError);
    // What is there of the one export is never mixed with another.
    await expect(publish(registry, { exports: [exports[1]!], version: 'v0', promote: false })).rejects.toThrow(ArtifactError);
    await publish(registry, { exports: [exports[0]!], version: 'v0', promote: false });
    expect(await registry.versions()).toEqual([{ surface: 'feed', version: 'v0' }]);
  });

  it('repairs what is damaged in the bucket with the same export', async () => {
    const { prefix, registry } = await emptyRegistry();
    const again = (): Promise<unknown> => publish(registry, { exports: [exports[0]!], version: 'v0', promote: true });
    await again();
    const tables = { Bucket: BUCKET, Key: `${prefix}/versions/feed/v0/tables.bin` };
    await client.send(new PutObjectCommand({ ...tables, Body: 'feed' }));
    await again();
    await client.send(new DeleteObjectCommand(tables));
    await again();
    expect(readFileSync(join(await registry.directory('feed', 'v0'), 'tables.bin'), 'utf8')).toBe('feed 0');
  });

  it('downloads a version anew whose name another export has by now', async () => {
    const { open, prefix, registry } = await emptyRegistry();
    for (const version of [0, 1]) await publish(registry, { exports: [exports[version]!], version: `v${version}`, promote: true });
    const tables = async (): Promise<string> => readFileSync(join(await (await open()).directory('feed', 'v1'), 'tables.bin'), 'utf8');
    expect(await tables()).toBe('feed 1');
    await registry.rollback();
    for (const key of await keysOf(`${prefix}/versions/feed/v1`)) await client.send(new DeleteObjectCommand({ Bucket: BUCKET, Key: `${prefix}/versions/feed/v1/${key}` }));
    // What is there may go on: nobody can tell what it was.
    expect(await tables()).toBe('feed 1');
    await publish(registry, { exports: [exports[2]!], version: 'v1', promote: true });
    expect(await tables()).toBe('feed 2');
  });

  it('lets one of two exports have a name that both want, whole', async () => {
    const { open, registry } = await emptyRegistry();
    const results = await Promise.allSettled([exports[0]!, exports[1]!].map(async (folder) => publish(await open(), { exports: [folder], version: 'both', promote: false })));
    const won = results.findIndex(({ status }) => status === 'fulfilled');
    expect(results.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
    expect(results.find(({ status }) => status === 'rejected')).toMatchObject({ reason: expect.any(ArtifactError) as unknown });
    expect(readFileSync(join(await registry.directory('feed', 'both'), 'tables.bin'), 'utf8')).toBe(`feed ${won}`);
  });

  it('refuses what was altered in the bucket, and leaves nothing of it', async () => {
    const { prefix, registry } = await emptyRegistry();
    await publish(registry, { exports: [exports[0]!], version: 'v0', promote: true });
    await client.send(new PutObjectCommand({ Bucket: BUCKET, Key: `${prefix}/versions/feed/v0/tables.bin`, Body: 'feed 9' }));
    await expect(registry.directory('feed', 'v0')).rejects.toThrow(/tables\.bin was altered/);
    const cache = join(scratch, `cache-${count}`);
    expect(readdirSync(cache, { recursive: true }).filter((name) => String(name).includes('tables'))).toEqual([]);
  });

  it('takes files that need several parts', async () => {
    const { registry } = await emptyRegistry();
    const tables = Buffer.alloc(64 * 1024 * 1024 + 5, 'rows ');
    await publish(registry, { exports: [await writeSmallExport(join(scratch, 'large'), 'feed', tables)], version: 'large', promote: true });
    const found = readFileSync(join(await registry.directory('feed', 'large'), 'tables.bin'));
    expect(found.equals(tables)).toBe(true);
  }, 60_000);

  it('is followed, and its loss is told once and survived', async () => {
    const { location, registry } = await emptyRegistry();
    await publish(registry, { exports: [exports[0]!], version: 'v0', promote: true });
    await publish(registry, { exports: [exports[1]!], version: 'v1', promote: false });
    // A server of its own, which goes away for a while.
    const away = await startMoto();
    const port = Number(new URL(away.endpoint).port);
    const other = new S3Client({ endpoint: away.endpoint, forcePathStyle: true, region: CREDENTIALS.AWS_REGION });
    await other.send(new CreateBucketCommand({ Bucket: BUCKET }));
    const follower = await openRegistry(location, { s3Endpoint: away.endpoint, cacheDirectory: join(scratch, 'cache-away') });
    await publish(follower, { exports: [exports[0]!], version: 'v0', promote: true });
    const errors: unknown[] = [];
    let seen = 0;
    const watcher = follower.watch(() => { seen += 1; }, (error) => errors.push(error), { intervalMs: 100 });
    await until('the first call', () => seen === 1);
    await follower.promote({ feed: 'v0' });
    await until('a change', () => seen === 2);
    await away.stop();
    await until('the loss', () => errors.length === 1);
    expect(errors[0]).toBeInstanceOf(IoError);
    // Moto forgets: the pointer comes back as another.
    const back = await startMoto(port);
    await other.send(new CreateBucketCommand({ Bucket: BUCKET }));
    await publish(await openRegistry(location, { s3Endpoint: back.endpoint }), { exports: [exports[1]!], version: 'v1', promote: true });
    await until('the change after it', () => seen === 3, 20_000);
    expect((await follower.current()).surfaces['feed']!.version).toBe('v1');
    watcher.close();
    other.destroy();
    await back.stop();
  }, 60_000);

  it('rolls back once where the answer is lost and the write is sent again', async () => {
    const { location, registry } = await emptyRegistry();
    for (const [index, folder] of exports.entries()) await publish(registry, { exports: [folder], version: `v${index}`, promote: true });
    let lost = 0;
    const proxy = createServer((request, response) => {
      const { hostname, port } = new URL(moto.endpoint);
      const passed = httpRequest({ hostname, port, method: request.method, path: request.url, headers: request.headers }, (answer) => {
        if (request.method === 'PUT' && request.url!.includes('/current.json') && lost === 0) {
          lost += 1;
          answer.resume().on('end', () => response.destroy());
          return;
        }
        response.writeHead(answer.statusCode!, answer.headers);
        answer.pipe(response);
      });
      request.pipe(passed);
    });
    proxy.listen(0, '127.0.0.1');
    await once(proxy, 'listening');
    const { port } = proxy.address() as AddressInfo;
    const lossy = await openRegistry(location, { s3Endpoint: `http://127.0.0.1:${port}` });
    expect((await lossy.rollback()).surfaces['feed']!.version).toBe('v1');
    expect(lost).toBe(1);
    expect(await registry.current()).toMatchObject({ revision: 4, surfaces: { feed: { version: 'v1' } } });
    proxy.closeAllConnections();
    proxy.close();
  });

  it('says what to check where the bucket is not there', async () => {
    const registry = await openRegistry('s3://no-such-bucket/ads', { s3Endpoint: moto.endpoint });
    await expect(registry.current()).rejects.toThrow(IoError);
    await expect(openRegistry('s3:///ads')).rejects.toThrow(UsageError);
    await expect(openRegistry('gs://models/ads')).rejects.toThrow(UsageError);
  });

  it('makes a copy anew for several processes of a machine at once', async () => {
    const { open, registry } = await emptyRegistry();
    await publish(registry, { exports: [exports[0]!], version: 'v0', promote: true });
    const tables = join(await registry.directory('feed', 'v0'), 'tables.bin');
    writeFileSync(tables, 'feed 9');
    const renewed = await Promise.all([registry, await open()].map((one) => one.renew('feed', 'v0')));
    expect(renewed).toEqual([dirname(tables), dirname(tables)]);
    expect(readFileSync(tables, 'utf8')).toBe('feed 0');
    expect(readdirSync(dirname(dirname(tables)))).toEqual(['v0']);
  });

  it('gives a server a new copy of what was damaged on its machine', async () => {
    const { location, registry } = await emptyRegistry();
    const shop = await createServedShop();
    try {
      await publish(registry, { exports: [shop.exports.feed.directory], version: 'v0', promote: true });
      const cache = join(scratch, 'xdg-server');
      const serve = (): Promise<RunningServer> => startServerProcess(['--registry', location], { ...CREDENTIALS, AWS_ENDPOINT_URL: moto.endpoint, XDG_CACHE_HOME: cache });
      expect(await (await serve()).stop()).toBe(0);
      const tables = join(cache, String(readdirSync(cache, { recursive: true }).find((name) => String(name).endsWith('v0/tables.bin'))));
      const whole = readFileSync(tables);
      writeFileSync(tables, whole.subarray(1));
      const server = await serve();
      const [golden] = await shop.golden('feed');
      const { encoders, manifest } = shop.exports.feed;
      expectScores(await post(`${server.http}/v1/score`, scoreBody('feed', golden!, inputsOf(encoders, manifest))), golden!);
      expect(await server.stop()).toBe(0);
      expect(readFileSync(tables).equals(whole)).toBe(true);
      expect(readdirSync(dirname(dirname(tables)))).toEqual(['v0']);
    } finally {
      await shop.remove();
    }
  }, 60_000);

  it('is worked on from the command line', async () => {
    const { location, prefix } = await emptyRegistry();
    const env = { ...CREDENTIALS, AWS_ENDPOINT_URL: moto.endpoint, XDG_CACHE_HOME: join(scratch, 'xdg') };
    const run = async (...args: readonly string[]): Promise<Readonly<Record<string, unknown>>> => {
      const { exit, stdout, stderr } = await runCli([...args, '--registry', location, '--json'], { cwd: scratch, env });
      expect({ exit, stderr }).toEqual({ exit: 0, stderr: '' });
      return JSON.parse(stdout) as Readonly<Record<string, unknown>>;
    };
    await run('publish', exports[0]!, '--name', 'v0');
    await run('publish', exports[1]!, '--name', 'v1', '--no-promote');
    await run('promote', 'feed=v1');
    expect(await run('rollback', 'feed')).toMatchObject({ revision: 3, by: 'rollback', surfaces: { feed: { version: 'v0' } } });
    expect(await run('versions')).toMatchObject({ versions: [{ version: 'v0', serves: true }, { version: 'v1', serves: false }] });
    expect(await keysOf(prefix)).toContain('versions/feed/v1/manifest.json');
    expect(existsSync(join(scratch, 'xdg/onefold/registry'))).toBe(false);
  });
});
