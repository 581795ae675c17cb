/** Requests that name a user and items alone: with all features in the store, they get the scores of requests that have them. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { FeatureUpdate } from '../src/serve/features/feature-store.js';
import { openLmdbStore } from '../src/serve/features/lmdb-store.js';
import { inputsOf } from '../src/serve/json/raw-inputs.js';
import { startServerProcess } from './support/running-server.js';
import { expectScores, post, scoreBody } from './support/score-client.js';
import { createServedShop, type GoldenRequest, type ServedShop } from './support/served-shop.js';

let shop: ServedShop;
let scratch: string;

beforeAll(async () => {
  shop = await createServedShop();
  scratch = mkdtempSync(join(tmpdir(), 'onefold-stored-'));
});
afterAll(async () => {
  rmSync(scratch, { recursive: true });
  await shop.remove();
});

type Values = Readonly<Record<string, unknown>>;

/** What a request holds, as updates of a store. */
const updatesOf = (body: Values, user: string): { readonly updates: readonly FeatureUpdate[]; readonly itemIds: readonly string[] } => {
  const features = Object.entries(body['features'] as Values);
  const candidates = body['candidates'] as readonly Values[];
  const itemIds = candidates.map((_, index) => `${user} ${index}`);
  const lists = features.filter(([name]) => name.includes('.'));
  const sequences = [...new Set(lists.map(([name]) => name.split('.')[0]!))];
  const events = sequences.flatMap((sequence) => {
    const own = new Map(lists.flatMap(([name, values]) => (name.startsWith(`${sequence}.`) ? [[name.slice(sequence.length + 1), (values ?? []) as readonly unknown[]] as const] : [])));
    const times = own.get('@time') as readonly number[];
    own.delete('@time');
    return times.map((time, index) => ({ event: { sequence, user, time, fields: Object.fromEntries([...own].map(([field, values]) => [field, values[index]])) } }));
  });
  const updates = [{ user, features: Object.fromEntries(features.filter(([name]) => !name.includes('.'))) }, ...candidates.map((candidate, index) => ({ item: itemIds[index]!, features: candidate })), ...events];
  return { updates: updates as unknown as readonly FeatureUpdate[], itemIds };
};

it('are scored as if they had brought them, in JSON and over the Open Inference Protocol', async () => {
  const { feed } = shop.exports;
  const inputs = inputsOf(feed.encoders, feed.manifest);
  const golden = await shop.golden('feed');
  const location = join(scratch, 'store');
  const store = await openLmdbStore(location);
  const asked: { readonly request: GoldenRequest; readonly ids: { readonly userId: string; readonly itemIds: readonly string[] } }[] = [];
  for (const [index, request] of golden.entries()) {
    const userId = `user ${index}`;
    const { updates, itemIds } = updatesOf(scoreBody('feed', request, inputs), userId);
    await store.write(updates);
    asked.push({ request, ids: { userId, itemIds } });
  }
  await store.close();
  const server = await startServerProcess([feed.directory, '--features', location]);
  try {
    for (const { request, ids } of asked) {
      const { viewType, time } = request;
      const answer = await post(`${server.http}/v1/score`, { surface: 'feed', viewType, time, ...ids });
      expectScores(answer, request);
      expect([answer.body.degraded, (answer.body as unknown as { readonly ignored: readonly string[] }).ignored]).toEqual([[], []]);
      const tensor = (name: string, datatype: string, data: readonly unknown[]): unknown => ({ name, datatype, shape: [data.length], data });
      const inferred = await fetch(`${server.http}/v2/models/feed/infer`, {
        method: 'POST',
        body: JSON.stringify({ inputs: [tensor('@view_type', 'BYTES', [viewType]), tensor('@time', 'INT64', [time]), tensor('@user_id', 'BYTES', [ids.userId]), tensor('@item_id', 'BYTES', ids.itemIds)] }),
      });
      const { outputs } = (await inferred.json()) as { readonly outputs: readonly { readonly name: string; readonly data: readonly number[] }[] };
      expectScores({ status: inferred.status, body: { ...answer.body, scores: Object.fromEntries(outputs.map(({ name, data }) => [name, data])) } }, request);
    }
  } finally {
    expect(await server.stop()).toBe(0);
  }
}, 60_000);
