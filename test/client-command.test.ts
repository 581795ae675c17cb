/** `onefold client` as its users have it: the command, the compiler, and the program that asks a server. */
import { execFile, execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { createServer as createTlsServer } from 'node:https';
import { createServer, type AddressInfo, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { inputsOf } from '../src/serve/json/raw-inputs.js';
import { runCli } from './support/run-cli.js';
import { startServerProcess } from './support/running-server.js';
import { expectScores, scoreBody, type ScoreAnswer } from './support/score-client.js';
import { createServedShop, type ServedShop } from './support/served-shop.js';

const ROOT = fileURLToPath(new URL('..', import.meta.url));

/** A project's own program: it is sent golden requests, and writes what it was answered. */
const PROGRAM = `import { readFileSync } from 'node:fs';
import { createClient, ScoreError, type ScoreRequest, type Surfaces } from './onefold-client.js';

const client = createClient({ url: process.argv[2]!, token: process.env['ONEFOLD_TOKEN'] });
const requests = JSON.parse(readFileSync(process.argv[3]!, 'utf8')) as readonly ScoreRequest<Surfaces['feed'], 'feed'>[];
const answers = await Promise.all(requests.map((request) => client.score(request)));
const clicks: readonly number[] = answers[0]!.scores.click;
const refused = await client.score({ surface: 'feed', version: 'none', candidates: [{}] }).catch((error: unknown) => (error instanceof ScoreError ? error.code : 'another'));
process.stdout.write(JSON.stringify({ answers, clicks, refused }));
`;

let shop: ServedShop;
let folder: string;

beforeAll(async () => {
  shop = await createServedShop();
  folder = mkdtempSync(join(tmpdir(), 'onefold-client-'));
  mkdirSync(join(folder, 'node_modules', '@types'), { recursive: true });
  symlinkSync(ROOT, join(folder, 'node_modules', 'onefold'));
  symlinkSync(join(ROOT, 'node_modules', '@types', 'node'), join(folder, 'node_modules', '@types', 'node'));
  writeFileSync(join(folder, 'package.json'), JSON.stringify({ type: 'module' }));
  writeFileSync(join(folder, 'program.ts'), PROGRAM);
});

afterAll(async () => {
  rmSync(folder, { recursive: true });
  await shop.remove();
});

it('what it writes compiles in strict mode and asks a server', async () => {
  const { feed, search } = shop.exports;
  const run = await runCli(['client', feed.directory, search.directory, '--output', 'onefold-client.ts', '--json'], { cwd: folder });
  expect(JSON.parse(run.stdout)).toEqual({ output: 'onefold-client.ts', surfaces: ['feed', 'search'] });
  expect(run.exit, run.stderr).toBe(0);
  const compiler = join(ROOT, 'node_modules', 'typescript', 'bin', 'tsc');
  const compiled = await promisify(execFile)(process.execPath, [compiler, '--strict', '--exactOptionalPropertyTypes', '--target', 'es2022', '--module', 'nodenext', '--skipLibCheck', '--types', 'node', 'program.ts'], { cwd: folder }).catch((error: unknown) => error as { readonly stdout: string });
  expect(compiled.stdout).toBe('');

  const golden = await shop.golden('feed');
  const inputs = inputsOf(feed.encoders, feed.manifest);
  writeFileSync(join(folder, 'requests.json'), JSON.stringify(golden.map((request) => scoreBody('feed', request, inputs))));
  const server = await startServerProcess([feed.directory, search.directory]);
  try {
    const { stdout } = await promisify(execFile)(process.execPath, ['program.js', server.http, 'requests.json'], { cwd: folder });
    const { answers, clicks, refused } = JSON.parse(stdout) as { readonly answers: readonly ScoreAnswer['body'][]; readonly clicks: readonly number[]; readonly refused: unknown };
    expect(refused).toBe('not_found');
    expect(answers).toHaveLength(golden.length);
    for (const [index, body] of answers.entries()) expectScores({ status: 200, body }, golden[index]!);
    expect(clicks).toEqual(answers[0]!.scores['click']);

    const asked = await runCli(['client', `${server.http}/`, '--output', 'asked.ts', '--json'], { cwd: folder });
    expect(asked.exit, asked.stderr).toBe(0);
    expect(readFileSync(join(folder, 'asked.ts'), 'utf8')).toBe(readFileSync(join(folder, 'onefold-client.ts'), 'utf8'));
    const elsewhere = await runCli(['client', server.admin, '--output', 'none.ts'], { cwd: folder });
    expect([elsewhere.exit, elsewhere.stderr]).toEqual([9, expect.stringContaining('/openapi.json answers with status 404')]);
  } finally {
    expect(await server.stop()).toBe(0);
  }
});

it('a folder without an export and a server that is none are told of, and nothing is written', async () => {
  mkdirSync(join(folder, 'empty'), { recursive: true });
  const run = await runCli(['client', 'empty', '--output', 'none.ts'], { cwd: folder });
  expect(run.exit).not.toBe(0);
  expect(run.stderr).toContain('empty');
  for (const [sources, message] of [[['http://127.0.0.1:1'], 'nothing answers at http://127.0.0.1:1/openapi.json'], [['http://127.0.0.1:1', 'empty'], 'a server is asked alone']] as const) {
    const asked = await runCli(['client', ...sources, '--output', 'none.ts'], { cwd: folder });
    expect(asked.exit).not.toBe(0);
    expect(asked.stderr).toContain(message);
  }
  expect(() => readFileSync(join(folder, 'none.ts'))).toThrow('ENOENT');
});

const listen = async (server: Server): Promise<number> => {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return (server.address() as AddressInfo).port;
};

it('a listener that closes every connection at once is one that nothing answers at', async () => {
  const server = createServer((socket) => socket.destroy());
  const url = `http://127.0.0.1:${await listen(server)}`;
  const asked = await runCli(['client', url, '--output', 'none.ts'], { cwd: folder });
  // A program of the project's own does not end without a word either.
  const program = `import { createClient } from 'onefold/serve/client/client';
await createClient({ url: '${url}', timeoutMs: 300 }).score({ surface: 'feed', candidates: [] }).catch(({ name, code }) => console.log(name, code));`;
  const { stdout } = await promisify(execFile)(process.execPath, ['--input-type', 'module', '--eval', program], { cwd: folder });
  server.close();
  expect([asked.exit, asked.stderr]).toEqual([9, expect.stringContaining(`[io] nothing answers at ${url}/openapi.json`)]);
  expect(stdout).toMatch(/^ScoreError (timeout|network)\n$/u);
});

it('what to do about a certificate that signed itself is said, and helps', async () => {
  const [key, cert] = [join(folder, 'key.pem'), join(folder, 'cert.pem')];
  execFileSync('openssl', ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2', '-subj', '/CN=host', '-addext', 'subjectAltName=IP:127.0.0.1', '-keyout', key, '-out', cert], { stdio: 'ignore' });
  const server = createTlsServer({ key: readFileSync(key), cert: readFileSync(cert) }, (_, response) => response.writeHead(404).end());
  const url = `https://127.0.0.1:${await listen(server)}`;
  const refused = await runCli(['client', url, '--output', 'none.ts'], { cwd: folder });
  const trusted = await runCli(['client', url, '--output', 'none.ts'], { cwd: folder, env: { NODE_EXTRA_CA_CERTS: cert } });
  server.close();
  expect([refused.exit, refused.stderr]).toEqual([9, expect.stringMatching(/unknown signer: DEPTH_ZERO_SELF_SIGNED_CERT[^]*fix: .*NODE_EXTRA_CA_CERTS/u)]);
  expect(trusted.stderr).toContain('answers with status 404');
});
