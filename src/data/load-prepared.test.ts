import { appendFileSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { createLogWorkplace, homeConfig, requestLog, type LogWorkplace } from '../../test/support/log-workplace.js';
import { ArtifactError } from '../config/errors.js';
import { loadPrepared } from './load-prepared.js';
import { prepare, type PreparedDataset } from './prepare.js';

let place: LogWorkplace;
let prepared: PreparedDataset;
beforeEach(async () => {
  place = createLogWorkplace();
  await place.write('home.parquet', requestLog());
  prepared = await prepare(place.project(homeConfig));
});
afterEach(() => place.remove());

const candidates = (): string => `${prepared.directory}/${prepared.splits.train.shards[0]!.candidates.path}`;

test('reads what prepare wrote', async () => {
  const manifest: Record<string, unknown> = { ...prepared };
  delete manifest["directory"];
  delete manifest["reused"];
  expect(await loadPrepared(prepared.directory, { verify: true })).toEqual(manifest);
});

test.each<[string, () => void, RegExp]>([
  ['no dataset', () => rmSync(prepared.directory, { recursive: true }), /there is no prepared dataset/],
  ['a torn manifest', () => truncateSync(`${prepared.directory}/manifest.json`, 100), /manifest\.json is torn/],
  ['another version', () => writeFileSync(`${prepared.directory}/manifest.json`, '{"version":9}'), /is of version 9/],
  ['a missing file', () => rmSync(candidates()), /is missing from the prepared dataset/],
  ['a file that grew', () => appendFileSync(candidates(), 'x'), /is torn: it has \d+ bytes/],
])('refuses %s', async (_, damage, message) => {
  damage();
  const error: unknown = await loadPrepared(prepared.directory).catch((reason: unknown) => reason);
  expect(error).toBeInstanceOf(ArtifactError);
  expect((error as ArtifactError).message).toMatch(message);
  expect((error as ArtifactError).fix).toContain('onefold prepare');
});

test('refuses altered content when asked to verify', async () => {
  const bytes = readFileSync(candidates());
  bytes[bytes.length >> 1]! ^= 1;
  writeFileSync(candidates(), bytes);
  await expect(loadPrepared(prepared.directory)).resolves.toBeDefined();
  await expect(loadPrepared(prepared.directory, { verify: true })).rejects.toThrow(/was altered/);
});
