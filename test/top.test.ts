/** `onefold top` as a process, against an endpoint that serves the metrics of a server. */
import { spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import { createServer as createNetServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { ServeMetrics } from '../src/serve/observe/serve-metrics.js';
import type { TopView } from '../src/serve/observe/top-view.js';
import { runCli } from './support/run-cli.js';

const MAIN = fileURLToPath(new URL('../dist/cli/main.js', import.meta.url));
const V1 = { surface: 'search', version: 'v1' } as const;

let folder: string;
let metrics: ServeMetrics;
let server: Server;
let traffic: NodeJS.Timeout;
let address: string;
/** What the endpoint answers with, beside metrics. */
let broken: { readonly status: number; readonly body: string } | undefined;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'onefold-top-'));
  metrics = new ServeMetrics();
  metrics.versions([{ ...V1, digest: '', isCurrent: true, tasks: ['click'], viewTypes: [], inputs: [] }]);
  metrics.heldOut({ ...V1, task: 'click', rate: 0.25 });
  metrics.workers({ alive: 3, restarts: 0 });
  traffic = setInterval(() => {
    metrics.requestDone({ ...V1, protocol: 'json', outcome: 'ok', seconds: 0.0018, candidates: 100 });
    metrics.scored({ ...V1, viewType: '', scores: { click: Float32Array.of(0.5) } });
  }, 10);
  server = createServer((request, response) => {
    if (request.url === '/closed' && request.headers.authorization !== 'Bearer t0ken') {
      response.writeHead(401).end();
    } else if (broken !== undefined) {
      response.writeHead(broken.status).end(broken.body);
    } else {
      void metrics.text().then((text) => response.writeHead(200, { 'content-type': metrics.contentType }).end(text));
    }
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  address = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});
afterAll(async () => {
  clearInterval(traffic);
  metrics.close();
  await new Promise((resolve) => server.close(resolve));
  rmSync(folder, { recursive: true });
});

const top = (...args: readonly string[]): ReturnType<typeof runCli> => runCli(['top', ...args], { cwd: folder });

test('--once --json prints one object of what happened in the interval', async () => {
  const { exit, stdout, stderr } = await top('--url', `${address}/metrics`, '--interval', '0.5', '--once', '--json');
  expect({ exit, stderr }).toEqual({ exit: 0, stderr: '' });
  const view = JSON.parse(stdout) as TopView;
  expect(view.windowSeconds).toBeGreaterThan(0.45);
  const search = view.versions[0]!;
  expect(search).toMatchObject({ surface: 'search', version: 'v1', isCurrent: true, errors: 0, tasks: [{ task: 'click', meanPrediction: 0.5, heldOutRate: 0.25 }] });
  expect(search.requests).toBeGreaterThan(10);
  expect(search.candidates).toBeCloseTo(search.requests * 100, 6);
  expect(search.p99).toBeCloseTo(0.00199, 6);
  expect(view.workers.alive).toBe(3);
  expect(view.process.residentBytes).toBeGreaterThan(1e6);
});

test('--once prints a table, without control characters where there is no terminal', async () => {
  const { exit, stdout } = await top('--url', `${address}/metrics`, '--interval', '0.3', '--once');
  expect(exit).toBe(0);
  expect(stdout).toMatch(/search +v1 +\d+(\.\d+)? +0 /u);
  expect(stdout).toMatch(/click +0\.500 +0\.250 +2\.00×/u);
  expect(stdout).not.toContain('\u001b');
});

test('frames follow each other until it is told to stop; a server that fails meanwhile is waited for', async () => {
  const running: { frames: number } = { frames: 0 };
  const { exit, stdout, stderr } = await runCli(['top', '--url', `${address}/metrics`, '--interval', '0.2', '--json'], {
    cwd: folder,
    onStart: (child) => {
      child.stdout!.on('data', () => {
        running.frames += 1;
        broken = running.frames === 2 ? { status: 503, body: '' } : undefined;
        if (running.frames === 2) setTimeout(() => { broken = undefined; }, 500);
        if (running.frames === 4) child.kill('SIGINT');
      });
    },
  });
  expect(exit).toBe(0);
  expect(stderr).toContain('answers with status 503');
  const frames = stdout.trim().split('\n').map((line) => JSON.parse(line) as TopView);
  expect(frames.length).toBeGreaterThanOrEqual(4);
  expect(frames.every(({ versions }) => versions[0]!.requests > 0)).toBe(true);
});

test('a token is read from the file that the server has', async () => {
  const file = join(folder, 'tokens');
  writeFileSync(file, '# of the admins\n\nt0ken\nother\n');
  expect((await top('--url', `${address}/closed`, '--once', '--interval', '0.1', '--json', '--token-file', file)).exit).toBe(0);
  const refused = await top('--url', `${address}/closed`, '--once');
  expect(refused.exit).toBe(2);
  expect(refused.stderr).toMatch(/asks for a token[\s\S]*--token-file/u);
});

test('nothing listens, something else answers, or it is no URL', async () => {
  const silent = await top('--url', 'http://127.0.0.1:9/metrics', '--once');
  expect(silent).toMatchObject({ exit: 9, stdout: '' });
  expect(silent.stderr).toMatch(/nothing answers at http:\/\/127\.0\.0\.1:9\/metrics: (ECONNREFUSED|bad port)[\s\S]*fix: .*--admin-port/u);
  broken = { status: 200, body: '<html>' };
  expect(await top('--url', `${address}/metrics`, '--once')).toMatchObject({ exit: 4, stderr: expect.stringContaining('is no metric: <html>') as string });
  broken = { status: 404, body: '' };
  expect(await top('--url', `${address}/metrics`, '--once')).toMatchObject({ exit: 9, stderr: expect.stringContaining('status 404') as string });
  broken = undefined;
  expect(await top('--url', 'localhost', '--once')).toMatchObject({ exit: 2 });
  expect(await top('--interval', '0')).toMatchObject({ exit: 2 });
});

test('a listener that closes every connection at once is one that nothing answers at', async () => {
  const listener = createNetServer((socket) => socket.destroy());
  await new Promise<void>((resolve) => listener.listen(0, '127.0.0.1', resolve));
  const silent = await top('--url', `http://127.0.0.1:${(listener.address() as AddressInfo).port}/metrics`, '--once');
  listener.close();
  expect(silent).toMatchObject({ exit: 9, stdout: '', stderr: expect.stringContaining('[io] nothing answers at http://127.0.0.1:') as string });
});

/** util-linux' `script` gives a process a terminal. */
const hasTerminals = spawnSync('script', ['--version']).status === 0;

test.runIf(hasTerminals)('on a terminal frames are drawn over each other, and q gives it back with its cursor', async () => {
  const child = spawn('script', ['--quiet', '--return', '--command', `'${process.execPath}' '${MAIN}' top --url ${address}/metrics --interval 0.2`, '/dev/null'], { env: { PATH: process.env['PATH'], TERM: 'xterm' } });
  let text = '';
  let isAsked = false;
  child.stdout.setEncoding('utf8').on('data', (part: string) => {
    text += part;
    if (isAsked || text.split('\u001b[H').length <= 3) return;
    isAsked = true;
    child.stdin.write('q');
  });
  const exit = await new Promise((resolve) => child.on('close', resolve));
  expect(exit).toBe(0);
  expect(text).toContain('\u001b[?25l');
  expect(text.trimEnd().endsWith('\u001b[?25h\u001b[0m')).toBe(true);
  expect(text).toContain('search');
});
