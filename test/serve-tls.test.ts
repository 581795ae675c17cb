/** A server with certificates: HTTP and gRPC, clients that must show one, and files that are wrong. */
import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import type { IncomingMessage } from 'node:http';
import { request, type RequestOptions } from 'node:https';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { Client, credentials } from '@grpc/grpc-js';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { inputsOf } from '../src/serve/json/raw-inputs.js';
import { runCli } from './support/run-cli.js';
import { startServerProcess, type RunningServer } from './support/running-server.js';
import { expectScores, scoreBody, type ScoreAnswer } from './support/score-client.js';
import { createServedShop, type GoldenRequest, type ServedShop } from './support/served-shop.js';

interface Pair {
  readonly cert: string;
  readonly key: string;
}

let shop: ServedShop;
let folder: string;
let golden: GoldenRequest;
/** Signed by itself; `client` by `authority`. */
let [host, authority, client, stranger]: readonly Pair[] = [];

/** A key and its certificate; signed by itself where nobody else does. */
const certify = (name: string, signer?: Pair): Pair => {
  const pair = { cert: join(folder, `${name}.pem`), key: join(folder, `${name}.key`) };
  const by = signer === undefined ? [] : ['-CA', signer.cert, '-CAkey', signer.key];
  const ec = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'];
  execFileSync('openssl', ['req', '-x509', ...ec, '-days', '2', '-subj', `/CN=${name}`, '-addext', 'subjectAltName=DNS:localhost,IP:127.0.0.1', ...by, '-keyout', pair.key, '-out', pair.cert], { stdio: 'ignore' });
  return pair;
};

beforeAll(async () => {
  shop = await createServedShop();
  golden = (await shop.golden('feed'))[0]!;
  folder = mkdtempSync(join(tmpdir(), 'onefold-tls-'));
  host = certify('host');
  authority = certify('authority');
  client = certify('client', authority);
  stranger = certify('stranger');
});

afterAll(async () => {
  rmSync(folder, { recursive: true });
  await shop.remove();
});

const start = (...args: readonly string[]): Promise<RunningServer> => startServerProcess([shop.exports.feed.directory, '--tls-cert', host!.cert, '--tls-key', host!.key, ...args]);

const shown = (pair: Pair | undefined): { readonly cert?: Buffer; readonly key?: Buffer } => (pair === undefined ? {} : { cert: readFileSync(pair.cert), key: readFileSync(pair.key) });

const ask = async (url: string, pair: Pair | undefined, { body, ...options }: RequestOptions & { readonly body?: string } = {}): Promise<{ readonly status: number; readonly text: string }> => {
  const asked = request(url, { agent: false, ca: readFileSync(host!.cert), ...shown(pair), ...options });
  asked.end(body);
  const [answer] = (await once(asked, 'response')) as [IncomingMessage];
  return { status: answer.statusCode!, text: await text(answer) };
};

const score = async (server: RunningServer, pair?: Pair, options: RequestOptions = {}): Promise<ScoreAnswer> => {
  const body = JSON.stringify(scoreBody('feed', golden, inputsOf(shop.exports.feed.encoders, shop.exports.feed.manifest)));
  const answer = await ask(`${server.http}/v1/score`, pair, { method: 'POST', headers: { 'content-type': 'application/json' }, body, ...options });
  return { status: answer.status, body: JSON.parse(answer.text) as ScoreAnswer['body'] };
};

/** Whether gRPC's health is told. */
const isAlive = (server: RunningServer, pair?: Pair): Promise<boolean> => {
  const { cert = null, key = null } = shown(pair);
  const by = new Client(server.grpc.replace('127.0.0.1', 'localhost'), credentials.createSsl(readFileSync(host!.cert), key, cert));
  return new Promise((resolve) => {
    by.makeUnaryRequest<Buffer, Buffer>('/inference.GRPCInferenceService/ServerLive', (bytes) => bytes, (bytes) => bytes, Buffer.alloc(0), { deadline: Date.now() + 5000 }, (error) => {
      by.close();
      resolve(error === null);
    });
  });
};

describe('a server with a certificate', () => {
  it('scores over HTTPS, for those who trust it', async () => {
    const server = await start();
    try {
      expect(server.http).toMatch(/^https:/);
      expectScores(await score(server), golden);
      expect(await isAlive(server)).toBe(true);
      await expect(score(server, undefined, { ca: readFileSync(stranger!.cert) })).rejects.toThrow(/self-signed/);
      await expect(fetch(server.http.replace('https', 'http'))).rejects.toThrow();
    } finally {
      expect(await server.stop()).toBe(0);
    }
  });

  it('asks clients for theirs where it is told to', async () => {
    const server = await start('--tls-client-ca', authority!.cert);
    try {
      expectScores(await score(server, client), golden);
      expect(await isAlive(server, client)).toBe(true);
      for (const other of [undefined, stranger]) {
        await expect(score(server, other)).rejects.toThrow();
        expect(await isAlive(server, other)).toBe(false);
      }
      expectScores(await score(server, client), golden);
    } finally {
      expect(await server.stop()).toBe(0);
    }
  });
});

describe('the admin port', () => {
  it('has certificates where it is told to, and asks for them as the others do', async () => {
    const open = await start();
    const [own, both] = [await start('--admin-tls'), await start('--admin-tls', '--tls-client-ca', authority!.cert)];
    try {
      expect([open, own, both].map(({ admin }) => new URL(admin).protocol)).toEqual(['http:', 'https:', 'https:']);
      expect(await ask(`${own.admin}/metrics`, undefined)).toMatchObject({ status: 200, text: expect.stringContaining('onefold_workers 1') as string });
      expect((await ask(`${both.admin}/metrics`, client)).status).toBe(200);
      await expect(ask(`${both.admin}/metrics`, undefined)).rejects.toThrow();
      // `onefold top` trusts what Node does.
      const top = ['top', '--url', `${own.admin}/metrics`, '--once', '--interval', '0.1', '--json'];
      expect(await runCli(top, { cwd: folder })).toMatchObject({ exit: 9, stderr: expect.stringContaining('NODE_EXTRA_CA_CERTS') as string });
      expect(await runCli(top, { cwd: folder, env: { NODE_EXTRA_CA_CERTS: host!.cert } })).toMatchObject({ exit: 0, stderr: '' });
    } finally {
      expect(await Promise.all([open, own, both].map((server) => server.stop()))).toEqual([0, 0, 0]);
    }
  });
});

describe('clients that hang', () => {
  it.each([['with', true], ['without', false]] as const)('keep no server from ending, %s certificates', async (_, isSecure) => {
    const drain = ['--drain-seconds', '1'];
    const server = isSecure ? await start(...drain, '--admin-tls') : await startServerProcess([shop.exports.feed.directory, ...drain]);
    const ports = [new URL(server.http).port, server.grpc.split(':').at(-1)!, new URL(server.admin).port];
    // They neither send nor read, and never close their end.
    const sockets = await Promise.all(
      ports.map(async (port) => {
        const socket = connect({ port: Number(port), host: '127.0.0.1', allowHalfOpen: true });
        socket.on('error', () => undefined);
        await once(socket, 'connect');
        return socket.pause();
      }),
    );
    const began = performance.now();
    expect(await server.stop()).toBe(0);
    expect(performance.now() - began).toBeLessThan(12_000);
    for (const socket of sockets) socket.destroy();
  }, 60_000);
});

describe('certificates that are wrong', () => {
  const refusal = async (...args: readonly string[]): Promise<string> => {
    const run = await runCli(['serve', shop.exports.feed.directory, ...args], { cwd: folder });
    expect(run.exit).not.toBe(0);
    return run.stderr;
  };

  it('are told of by option and file before the server listens', async () => {
    writeFileSync(join(folder, 'none.pem'), 'no certificate');
    const own = ['--tls-cert', host!.cert, '--tls-key', host!.key];
    expect(await refusal('--tls-cert', host!.cert)).toContain('--tls-key is missing');
    expect(await refusal('--tls-client-ca', authority!.cert)).toContain('--tls-cert is missing');
    expect(await refusal('--admin-tls')).toMatch(/the admin port has no certificate[^]*--tls-cert and --tls-key/);
    expect(await refusal('--tls-cert', 'none.pem', '--tls-key', host!.key)).toContain('none.pem holds no certificate');
    expect(await refusal('--tls-cert', host!.cert, '--tls-key', 'none.pem')).toContain('none.pem holds no private key');
    expect(await refusal('--tls-cert', host!.cert, '--tls-key', client!.key)).toMatch(/client\.key is not that of the certificate in .*host\.pem/);
    expect(await refusal(...own, '--tls-client-ca', 'none.pem')).toContain('none.pem holds no certificate');
    expect(await refusal(...own, '--tls-client-ca', 'nowhere.pem')).toContain('nowhere.pem: there is no such file');
  });
});
