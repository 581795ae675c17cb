import { createServer, type Server, type ServerResponse } from 'node:http';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import ts from 'typescript';
import { afterEach, describe, expect, it } from 'vitest';
import { INPUT } from '../../../test/support/search-surface.js';
import { UsageError } from '../../config/errors.js';
import type { ServedSurface } from '../raw-request.js';
import { createClient, ScoreError } from './client.js';
import { generateClient } from './generate-client.js';

const SEARCH: ServedSurface = {
  surface: 'search',
  version: 'v1',
  digest: '',
  isCurrent: true,
  tasks: ['click', 'save'],
  viewTypes: ['results'],
  inputs: [
    INPUT.query,
    INPUT.age,
    INPUT.pins,
    INPUT.times,
    { name: 'ad id', side: 'candidate', type: 'text', form: 'scalar' },
    INPUT.price,
    INPUT.shape,
  ],
};
const FEED: ServedSurface = { ...SEARCH, surface: 'feed', tasks: ['hide'], viewTypes: [], inputs: SEARCH.inputs.filter(({ name }) => name !== 'query') };

const CLIENT = fileURLToPath(new URL('./client.ts', import.meta.url));

/** Messages of the compiler for a program that uses the generated client. */
const compile = (program: string): readonly string[] => {
  const folder = mkdtempSync(join(tmpdir(), 'onefold-client-'));
  try {
    writeFileSync(join(folder, 'generated.ts'), generateClient([SEARCH, FEED]));
    const file = join(folder, 'program.ts');
    writeFileSync(file, `import { createClient } from './generated.js';\nconst client = createClient({ url: 'http://localhost' });\nexport const answer = async () => {\n${program}\n};\n`);
    const compiled = ts.createProgram([file], {
      strict: true,
      exactOptionalPropertyTypes: true,
      noEmit: true,
      skipLibCheck: true,
      types: [],
      lib: ['lib.es2022.d.ts', 'lib.dom.d.ts'],
      target: ts.ScriptTarget.ES2022,
      module: ts.ModuleKind.NodeNext,
      moduleResolution: ts.ModuleResolutionKind.NodeNext,
      allowImportingTsExtensions: true,
      paths: { 'onefold/serve/client/client': [CLIENT] },
    });
    return ts.getPreEmitDiagnostics(compiled).map(({ messageText }) => ts.flattenDiagnosticMessageText(messageText, '\n'));
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
};

describe('a generated client', () => {
  it('takes what the surfaces read', () => {
    const program = `
      const token: string | undefined = (globalThis as { token?: string }).token;
      createClient({ url: 'http://localhost', token });
      const { scores } = await client.score({
        surface: 'search', viewType: 'results', requestId: 'r', time: 1, tasks: ['click'],
        features: { query: 'shoes', age: 3, history: [{ pin: 'p', '@time': 1 }] },
        candidates: [{ 'ad id': 'a', price: 1.5, shape: [1, 2] }, {}],
      });
      const feed = await client.score({ surface: 'feed', features: { history: { pin: ['p'], '@time': [1] } }, candidates: [] });
      await client.score({ surface: 'search', userId: 'u1', itemIds: ['a1', null] });
      const numbers: readonly number[] = [...scores.click, ...feed.scores.hide];
      return numbers;`;
    expect(compile(program)).toEqual([]);
  });

  it.each([
    ['a feature that there is not', "features: { qeury: 'shoes' }, candidates: []", /qeury/],
    ['a value of another type', "features: { age: 'old' }, candidates: []", /'string' is not assignable/],
    ['a time of an event that is no number', "features: { history: [{ '@time': true }] }, candidates: []", /not assignable/],
    ['times of events that are no numbers', "features: { history: { '@time': [true] } }, candidates: []", /not assignable/],
    ['a feature of the other side', "features: {}, candidates: [{ query: 'shoes' }]", /query/],
    ['a vector of another size', 'candidates: [{ shape: [1, 2, 3] }]', /not assignable/],
    ['a task that there is not', "candidates: [], tasks: ['hide']", /"hide"/],
    ['a view type that there is not', "candidates: [], viewType: 'grid'", /"grid"/],
    ['no candidates', 'features: {}', /candidates/],
  ])('refuses %s', (_, rest, message) => {
    const [first] = compile(`return client.score({ surface: 'search', ${rest} });`);
    expect(first).toMatch(message);
  });

  it('refuses a surface that there is not, and a score that was not asked for', () => {
    expect(compile("return client.score({ surface: 'serach', candidates: [] });")[0]).toMatch(/serach/);
    expect(compile("return (await client.score({ surface: 'search', candidates: [], tasks: ['click'] })).scores.save;")[0]).toMatch(/save/);
  });
});

describe('createClient', () => {
  let server: Server | undefined;

  afterEach(() => {
    server?.close();
    server?.closeAllConnections();
  });

  /** A server that answers as told, once each. */
  const answering = async (...answers: readonly { readonly status: number; readonly body?: unknown; readonly headers?: Readonly<Record<string, string>> }[]) => {
    const asked: { readonly authorization: string | undefined; readonly body: Readonly<Record<string, unknown>> }[] = [];
    server = createServer((request, response) => {
      let text = '';
      request.on('data', (part: Buffer) => (text += part.toString()));
      request.on('end', () => {
        const answer = answers[Math.min(asked.length, answers.length - 1)]!;
        asked.push({ authorization: request.headers.authorization, body: JSON.parse(text) as Readonly<Record<string, unknown>> });
        if (answer.status === 0) return;
        response.writeHead(answer.status, { 'content-type': 'application/json', ...answer.headers });
        response.end(JSON.stringify(answer.body ?? {}));
      });
    });
    await new Promise<void>((resolve) => server!.listen(0, '127.0.0.1', resolve));
    return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, asked };
  };

  const request = { surface: 'search', candidates: [{}] } as const;

  it('asks with its token, and tries again while there is too much to do', async () => {
    const { url, asked } = await answering({ status: 429 }, { status: 503 }, { status: 200, body: { scores: { click: [0.5] } } });
    const client = createClient({ url, token: 'secret' });
    expect((await client.score(request as never)) as unknown).toEqual({ scores: { click: [0.5] } });
    expect(asked.map(({ authorization }) => authorization)).toEqual(['Bearer secret', 'Bearer secret', 'Bearer secret']);
    expect(asked[2]!.body['timeoutMs']).toBeLessThan(asked[0]!.body['timeoutMs'] as number);
  });

  it('does not wait for longer than it has', async () => {
    const { url, asked } = await answering({ status: 429, headers: { 'retry-after': '5' }, body: { error: { code: 'overloaded', message: 'later' } } });
    const error: unknown = await createClient({ url, timeoutMs: 300 }).score(request as never).catch((one: unknown) => one);
    expect(error).toBeInstanceOf(ScoreError);
    expect(error).toMatchObject({ status: 429, code: 'overloaded', message: 'later' });
    expect(asked).toHaveLength(1);
  });

  it.each([Infinity, 2 ** 31])('waits for %s ms as long as a timer can', async (timeoutMs) => {
    const { url, asked } = await answering({ status: 429 }, { status: 200, body: { scores: {} } });
    expect((await createClient({ url, timeoutMs }).score(request as never)) as unknown).toEqual({ scores: {} });
    expect(asked[0]!.body['timeoutMs']).toBeGreaterThan(2 ** 30);
  });

  it('says so where a request is no JSON, and asks nobody', async () => {
    const { url, asked } = await answering({ status: 200 });
    await expect(createClient({ url }).score({ ...request, features: { age: 1n } } as never)).rejects.toMatchObject({ name: 'ScoreError', status: 0, code: 'invalid', message: expect.stringContaining('BigInt') as string });
    expect(asked).toEqual([]);
  });

  it('says what was wrong with a request', async () => {
    const { url, asked } = await answering({ status: 400, body: { error: { code: 'invalid', message: 'no', path: 'candidates[0].price', expected: 'a number' } } });
    await expect(createClient({ url }).score(request as never)).rejects.toMatchObject({ status: 400, code: 'invalid', path: 'candidates[0].price', expected: 'a number' });
    expect(asked).toHaveLength(1);
  });

  it('waits for a date that a proxy names', async () => {
    const { url, asked } = await answering({ status: 503, headers: { 'retry-after': new Date(Date.now() + 60_000).toUTCString() } });
    await expect(createClient({ url, timeoutMs: 500 }).score(request as never)).rejects.toMatchObject({ status: 503 });
    expect(asked).toHaveLength(1);
  });

  it('says so where an answer is cut short, or no JSON', async () => {
    let part = '{"scores":';
    server = createServer((_, response) => response.writeHead(200).write(part));
    await new Promise<void>((resolve) => server!.listen(0, '127.0.0.1', resolve));
    const client = createClient({ url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, timeoutMs: 200 });
    await expect(client.score(request as never)).rejects.toMatchObject({ name: 'ScoreError', status: 0, code: 'timeout' });
    server.removeAllListeners('request').on('request', (_, response: ServerResponse) => response.end(part));
    part = '<html>';
    await expect(client.score(request as never)).rejects.toMatchObject({ name: 'ScoreError', status: 0, code: 'network' });
  });

  it.each(['127.0.0.1:8080', 'localhost:8080', 'scorer', ''])('takes no URL without a scheme: "%s"', (url) => {
    expect(() => createClient({ url })).toThrow(UsageError);
    expect(() => createClient({ url })).toThrow(`"${url}" is no URL of HTTP: expected e.g. http://127.0.0.1:8080`);
  });

  it('gives up on a server that does not answer, or is not there', async () => {
    const { url } = await answering({ status: 0 });
    await expect(createClient({ url, timeoutMs: 100 }).score(request as never)).rejects.toMatchObject({ status: 0, code: 'timeout' });
    await expect(createClient({ url: 'http://127.0.0.1:1', timeoutMs: 1000 }).score(request as never)).rejects.toMatchObject({ status: 0, code: 'network' });
  });
});
