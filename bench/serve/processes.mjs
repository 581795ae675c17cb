/** The processes of the benchmark: servers, and what loads them. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { ROOT } from '../onefold.mjs';

/** Servers that run: none outlives the benchmark, however it ends. */
const servers = new Set();
process.on('exit', () => {
  for (const child of servers) child.kill('SIGTERM');
});

const MAIN = join(ROOT, 'dist', 'cli', 'main.js');

/** A port that nobody listens on. */
export const freePort = async () => {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address();
  server.close();
  await once(server, 'close');
  return port;
};

/** Waits until the server says at this address that it is ready. */
const untilReady = async (url, child) => {
  for (let tries = 0; tries < 6000; tries += 1) {
    if (child.exitCode !== null) throw new Error(`the server of ${url} ended with ${child.exitCode}`);
    const isReady = await fetch(url).then(
      (response) => response.ok,
      () => false,
    );
    if (isReady) return;
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  throw new Error(`the server of ${url} did not get ready`);
};

const running = (child, url) => ({
  url,
  stop: async () => {
    const exited = once(child, 'exit');
    child.kill('SIGTERM');
    await exited;
    servers.delete(child);
  },
  residentMb: () => Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${child.pid}/status`, 'utf8'))[1]) / 1024,
});

/** A server that answers at `port`, once it is ready. */
const start = async (command, args, port, readyPath, options = {}) => {
  const child = spawn(command, args, { stdio: ['ignore', 'ignore', 'inherit'], ...options });
  servers.add(child);
  const url = `http://127.0.0.1:${port}`;
  await untilReady(`${url}${readyPath}`, child);
  return running(child, url);
};

/** `onefold serve` with these arguments. */
export const startOurs = async (...args) => {
  const port = await freePort();
  return start(process.execPath, [MAIN, 'serve', ...args, '--port', String(port), '--log-level', 'error'], port, '/readyz');
};

/** A server in Python; none of its libraries has threads of its own. */
export const startPython = (command, args, { port, readyPath, cwd, env }) =>
  start(command, args, port, readyPath, { cwd, env: { ...process.env, OMP_NUM_THREADS: '1', MKL_NUM_THREADS: '1', ...env } });

/** One measurement of the load generator; `options` are those of load.mjs. Throws where nothing was answered. */
export const load = async (options) => {
  const child = spawn(process.execPath, [join(ROOT, 'bench', 'serve', 'load.mjs')], { stdio: ['pipe', 'pipe', 'inherit'] });
  child.stdin.end(JSON.stringify(options));
  const measured = JSON.parse(await text(child.stdout));
  if (measured.ok === 0) throw new Error(`${options.url} answered nothing with 200: ${JSON.stringify(measured.byStatus)}`);
  return measured;
};
