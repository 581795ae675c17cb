/**
 * What is served equals what the export predicts offline, for every held-out row, through every protocol: of a small simulated
 * marketplace, and of the exports that `ONEFOLD_SERVED` names: `EXPORT|ROWS` or `EXPORT|ROWS|SEQUENCE=EVENTS`, divided by commas.
 */
import { basename, dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openDatabase } from '../src/data/duckdb.js';
import { openExport } from '../src/export/open-export.js';
import { inputsOf } from '../src/serve/json/raw-inputs.js';
import { heldOutRequests } from './support/held-out-requests.js';
import { Marketplace, type MarketplaceProject } from './support/marketplace-project.js';
import { protocolsOf } from './support/protocols.js';
import { startServerProcess } from './support/running-server.js';

interface Served {
  readonly exported: string;
  readonly rows: string;
  readonly events: Readonly<Record<string, string>>;
}

/** Requests that are asked for at the same time. */
const AT_A_TIME = 8;

const largestDifferences = async ({ exported, rows, events }: Served): Promise<{ readonly candidates: number; readonly largest: Readonly<Record<string, number>> }> => {
  const opened = await openExport(exported);
  const server = await startServerProcess([exported, '--max-queue', '1000', '--user-cache-mb', '16']);
  const { asks, close } = protocolsOf(server, opened.manifest.surface, inputsOf(opened.encoders, opened.manifest));
  const largest: Record<string, number> = Object.fromEntries(Object.keys(asks).map((name) => [name, 0]));
  let candidates = 0;
  try {
    for await (const requests of heldOutRequests(opened, rows, events)) {
      for (const [name, ask] of Object.entries(asks)) {
        let next = 0;
        const client = async (): Promise<void> => {
          for (let request = requests[next]; request !== undefined; request = requests[next]) {
            next += 1;
            const scores = await ask(request);
            for (const [task, expected] of Object.entries(request.scores)) {
              expect(scores[task]).toHaveLength(expected.length);
              for (const [row, value] of expected.entries()) largest[name] = Math.max(largest[name]!, Math.abs(value - scores[task]![row]!));
            }
          }
        };
        await Promise.all(Array.from({ length: AT_A_TIME }, client));
      }
      candidates += requests.reduce((sum, { from, to }) => sum + to - from, 0);
    }
  } finally {
    close();
    await server.stop();
    await opened.close();
  }
  return { candidates, largest };
};

let marketplace: Marketplace;
let project: MarketplaceProject;

beforeAll(async () => {
  marketplace = await Marketplace.create(20_000);
  const models = `{ served: { preset: 'unified', embedding: { width: 4 }, transformer: { layers: 1, width: 8, read: 'both' }, experts: { count: 2, hidden: [8] }, cross: { layers: 1 }, mlp: [16], tower: [8] } }`;
  project = marketplace.project('served', { models });
  for (const [command, ...args] of [['prepare'], ['train', 'served'], ['export', 'served']] as const) {
    const { exit, stderr } = await project.run(command, args);
    if (exit !== 0) throw new Error(`${command} ended with ${String(exit)}:\n${stderr}`);
  }
}, 180_000);

afterAll(() => {
  marketplace.remove();
});

/** The requests from the first day of the test split on. */
const heldOutLog = async (surface: string): Promise<string> => {
  const file = project.path(`held-out-${surface}.parquet`);
  const database = await openDatabase({ threads: 1 });
  await database.run(`COPY (FROM read_parquet('${project.path('..', 'data/logs', surface, '*.parquet')}') WHERE time >= TIMESTAMP '2026-01-17') TO '${file}' (FORMAT parquet)`);
  database.close();
  return file;
};

describe('a served prediction', () => {
  it.each(['home_feed', 'search', 'related_pins'])('equals the offline one for every held-out row: %s', async (surface) => {
    const exported = project.path('exports/served', surface);
    const { candidates, largest } = await largestDifferences({ exported, rows: await heldOutLog(surface), events: { history: project.path('..', 'data/events/*.parquet') } });
    expect(candidates).toBeGreaterThan(500);
    for (const difference of Object.values(largest)) expect(difference).toBeLessThanOrEqual(1e-5);
  }, 120_000);

  const others = (process.env['ONEFOLD_SERVED'] ?? '').split(',').filter((text) => text !== '');
  it.each(others)('equals the offline one: %s', async (text) => {
    const [exported, rows, ...joined] = text.split('|') as [string, string, ...string[]];
    const events = Object.fromEntries(joined.map((one) => one.split('=') as [string, string]));
    const { candidates, largest } = await largestDifferences({ exported, rows, events });
    console.log(`${join(basename(dirname(exported)), basename(exported))}: ${candidates} candidates, largest difference ${JSON.stringify(largest)}`);
    for (const difference of Object.values(largest)) expect(difference).toBeLessThanOrEqual(1e-5);
  }, 3_600_000);
});
