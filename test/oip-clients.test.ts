/** The Open Inference Protocol as its own clients speak it: Triton's and KServe's, in Python. */
import fastify, { type FastifyInstance } from 'fastify';
import { execFile, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startGrpc, type GrpcServer } from '../src/serve/oip/grpc-server.js';
import { registerOip } from '../src/serve/oip/rest-routes.js';
import { Unscored } from '../src/serve/unscored.js';
import { ExportScorer } from './support/export-scorer.js';
import { callTensors } from './support/oip-tensors.js';
import { createServedShop, type GoldenRequest, type ServedShop } from './support/served-shop.js';

const PYTHON = process.env['ONEFOLD_PYTHON'] ?? 'python3';

const script = (name: string): string => fileURLToPath(new URL(`python/${name}.py`, import.meta.url));

const canImport = (modules: string): boolean => spawnSync(PYTHON, ['-c', `import numpy, ${modules}`]).status === 0;

const CLIENTS = [
  { name: 'oip_triton', isThere: canImport('tritonclient.http, tritonclient.grpc'), ways: ['REST, JSON', 'REST, bytes', 'REST, bytes asked by name', 'REST, gzip', 'gRPC', 'gRPC, gzip'], refused: ['oip-rest not_found', 'oip-grpc not_found'] },
  { name: 'oip_kserve', isThere: canImport('kserve'), ways: ['REST, JSON', 'REST, bytes', 'gRPC, contents', 'gRPC, raw'], refused: [] },
];

describe('clients of the protocol', () => {
  let shop: ServedShop;
  let app: FastifyInstance;
  let grpc: GrpcServer;
  let directory: string;
  const sent: { readonly model: string; readonly requests: readonly GoldenRequest[] }[] = [];

  /** Calls that were not scored; the wrong ones that a client makes on purpose. */
  const refused: string[] = [];

  const isNeeded = CLIENTS.some(({ isThere }) => isThere);

  beforeAll(async () => {
    if (!isNeeded) return;
    shop = await createServedShop();
    const scorer = new ExportScorer(Object.values(shop.exports));
    app = fastify({ forceCloseConnections: true });
    const unscored = new Unscored(scorer, ({ protocol, outcome }) => refused.push(`${protocol} ${outcome}`));
    registerOip(app, { scorer, limits: { maxCandidates: 1000, maxBodyBytes: 1_000_000 }, serverVersion: '1', unscored });
    await app.listen({ host: '127.0.0.1', port: 0 });
    grpc = await startGrpc({ scorer, host: '127.0.0.1', port: 0, maxMessageBytes: 1_000_000, maxCandidates: 1000, serverVersion: '1', unscored });
    for (const model of ['feed', 'search'] as const) {
      const golden = await shop.golden(model);
      sent.push(...golden.map((request) => ({ model, requests: [request] })), { model, requests: golden });
    }
    directory = mkdtempSync(join(tmpdir(), 'onefold-clients-'));
    const inputs = new Map(scorer.surfaces().map((surface) => [surface.surface, surface.inputs]));
    const cases = sent.map(({ model, requests }, index) => ({ model, id: `case-${index}`, tensors: callTensors(requests, inputs.get(model)!, false) }));
    writeFileSync(join(directory, 'cases.json'), JSON.stringify(cases));
  });

  afterAll(async () => {
    if (!isNeeded) return;
    await app.close();
    await grpc.close(1000);
    await shop.remove();
    rmSync(directory, { recursive: true });
  });

  for (const { name, isThere, ways, refused: wrong } of CLIENTS) {
    if (!isThere) console.warn(`NOT TESTED: ${name}, because ${PYTHON} lacks the packages of test/python/requirements.txt; ONEFOLD_PYTHON names one that has them`);
    it.skipIf(!isThere)(`get the scores stored with golden rows: ${name}`, async () => {
      const { port } = app.server.address() as AddressInfo;
      const { stdout } = await promisify(execFile)(PYTHON, [script(name), join(directory, 'cases.json'), `127.0.0.1:${port}`, `127.0.0.1:${grpc.port}`], { maxBuffer: 64 * 1024 * 1024 });
      const answers = JSON.parse(stdout) as Readonly<Record<string, readonly Readonly<Record<string, readonly number[]>>[]>>;
      expect(Object.keys(answers)).toEqual(ways);
      expect(refused.splice(0)).toEqual(wrong);
      for (const answered of Object.values(answers)) {
        expect(answered).toHaveLength(sent.length);
        for (const [index, scores] of answered.entries()) {
          const { requests } = sent[index]!;
          expect(Object.keys(scores)).toEqual(Object.keys(requests[0]!.scores));
          for (const [task, values] of Object.entries(scores)) {
            const expected = requests.flatMap((request) => request.scores[task]!);
            expect(values).toHaveLength(expected.length);
            expect(Math.max(...expected.map((value, row) => Math.abs(value - values[row]!)))).toBeLessThan(1e-5);
          }
        }
      }
    });
  }
});
