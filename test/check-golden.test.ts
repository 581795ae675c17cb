/** Golden rows of real exports: what start-up holds a version's predictions against. */
import { cpSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { ParityError } from '../src/config/errors.js';
import type { EncodedRows, OpenExport } from '../src/export/open-export.js';
import { checkGolden, GOLDEN_TOLERANCE } from '../src/serve/registry/check-golden.js';
import { createServedShop, type ServedShop } from './support/served-shop.js';
import { runSql } from './support/shop-project.js';

let shop: ServedShop;
let scratch: string;

beforeAll(async () => {
  shop = await createServedShop();
  scratch = mkdtempSync(join(tmpdir(), 'onefold-golden-'));
});

afterAll(async () => {
  await shop.remove();
  rmSync(scratch, { recursive: true, force: true });
});

type Score = OpenExport['score'];

/** Scores as the export does, but for one candidate. */
const altered =
  (score: Score, task: string, row: number, by: number): Score =>
  async (rows: EncodedRows) => {
    const scores = await score(rows);
    const changed = Float32Array.from(scores[task]!);
    changed[row]! += by;
    return { ...scores, [task]: changed };
  };

const check = (exported: OpenExport, score: Score = exported.score, directory = exported.directory): Promise<void> => checkGolden(directory, exported.manifest, exported.encoders, score);

it.each(['feed', 'search'] as const)('finds the predictions of %s as they were', async (surface) => {
  let scored = 0;
  await check(shop.exports[surface], (rows) => {
    scored += rows.candidateCount;
    return shop.exports[surface].score(rows);
  });
  expect(scored).toBe(64);
});

it('names the first row and task that differ, and both numbers', async () => {
  const { feed } = shop.exports;
  const error = await check(feed, altered(feed.score, 'save', 6, 10 * GOLDEN_TOLERANCE)).catch((raised: unknown) => raised);
  expect(error).toBeInstanceOf(ParityError);
  const [, found, wanted] = /^feed: golden row 7 gets (\S+) for task "save"; it was exported with (\S+)$/.exec((error as Error).message)!;
  expect(Number(found) - Number(wanted)).toBeCloseTo(10 * GOLDEN_TOLERANCE, 6);
});

it('lets the last digits differ, and nothing that is no number', async () => {
  const { feed } = shop.exports;
  await check(feed, altered(feed.score, 'click', 63, GOLDEN_TOLERANCE / 2));
  await expect(check(feed, altered(feed.score, 'click', 63, NaN))).rejects.toThrow(/golden row 64 gets NaN for task "click"/);
});

it('holds the predictions against the file beside them', async () => {
  const { feed } = shop.exports;
  const directory = join(scratch, 'feed');
  cpSync(feed.directory, directory, { recursive: true });
  const [from, to] = [join(feed.directory, 'golden.parquet'), join(directory, 'golden.parquet')];
  await runSql(directory, `COPY (SELECT * REPLACE (CASE WHEN row_number() OVER () = 3 THEN 1 - "probability.click" ELSE "probability.click" END AS "probability.click") FROM read_parquet('${from}')) TO '${to}' (FORMAT parquet)`);
  await expect(check(feed, feed.score, directory)).rejects.toThrow(/golden row 3 gets \S+ for task "click"/);
});
