import { mkdtempSync, readdirSync, readFileSync, rmSync, truncateSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { simulatedPredictions } from '../../test/fixtures/simulated-predictions.js';
import { DataError, IoError } from '../config/errors.js';
import { openDatabase } from '../data/duckdb.js';
import { readPredictions, writePredictions } from './prediction-file.js';

const folder = mkdtempSync(join(tmpdir(), 'onefold-predictions-'));
afterAll(() => {
  rmSync(folder, { recursive: true });
});

const numberByAppearance = (values: Int32Array): Int32Array => {
  const numbers = new Map<number, number>();
  return values.map((value) => {
    if (!numbers.has(value)) numbers.set(value, numbers.size);
    return numbers.get(value)!;
  });
};

/** Writes a file from SQL, as another tool would. */
const foreignFile = async (name: string, select: string): Promise<string> => {
  const path = join(folder, name);
  const database = await openDatabase();
  await database.run(`COPY (${select}) TO '${path}' (FORMAT parquet)`);
  database.close();
  return path;
};

const row = (values: string): string => `SELECT * FROM (VALUES ${values}) t(surface, view_type, "user", request, "label.click", "probability.click")`;

describe('prediction files', () => {
  const predictions = { ...simulatedPredictions(), surfaceNames: ['home_feed', "it's", 'related_pins', 'without rows'] };
  const path = join(folder, 'predictions.parquet');

  it('come back as they were, numbers given by first appearance', async () => {
    await writePredictions(path, predictions);
    expect(await readPredictions(path)).toEqual({ ...predictions, users: numberByAppearance(predictions.users) });
  });

  it('are the same bytes for the same predictions, and leave nothing else behind', async () => {
    const again = join(folder, 'again.parquet');
    await writePredictions(again, predictions);
    expect(readFileSync(again).equals(readFileSync(path))).toBe(true);
    expect(readdirSync(folder).sort()).toEqual(['again.parquet', 'predictions.parquet']);
  });

  it('hold no rows without trouble', async () => {
    const empty = simulatedPredictions({ requests: 0 });
    await writePredictions(join(folder, 'empty.parquet'), empty);
    expect(await readPredictions(join(folder, 'empty.parquet'))).toEqual(empty);
  });

  it('may come from elsewhere, with text as keys', async () => {
    const found = await readPredictions(
      await foreignFile('text.parquet', row(`('b', 'b/x', 'u9', 'r7', 1, 0.5), ('b', 'b/x', 'u9', 'r7', NULL, 0.25), ('a', 'a/y', 'u3', 'r1', false::INT, 0.125)`)),
    );
    expect(found).toEqual({
      count: 3,
      surfaceNames: ['a', 'b'],
      viewTypeNames: ['a/y', 'b/x'],
      surfaces: Int32Array.of(1, 1, 0),
      viewTypes: Int32Array.of(1, 1, 0),
      users: Int32Array.of(0, 0, 1),
      requests: Int32Array.of(0, 0, 1),
      tasks: [{ task: 'click', labels: Float32Array.of(1, NaN, 0), probabilities: Float32Array.of(0.5, 0.25, 0.125) }],
    });
  });

  it('say what is wrong with them', async () => {
    const cases: readonly [string, string, RegExp][] = [
      ['torn.parquet', row(`('a', 'a', 1, 1, 0, 0.5), ('a', 'a', 1, 2, 0, 0.5), ('a', 'a', 1, 1, 0, 0.5)`), /row 2 of .*torn\.parquet belongs to a request/u],
      ['no-user.parquet', row(`('a', 'a', NULL, 1, 0, 0.5)`), /row 0 of .* has no user/u],
      ['no-surface.parquet', row(`('a', 'a', 1, 1, 0, 0.5), (NULL, 'a', 1, 1, 0, 0.5)`), /row 1 of .* has no surface/u],
      ['text-label.parquet', row(`('a', 'a', 1, 1, 'yes', 0.5)`), /column label\.click of .* holds text/u],
      ['lacking.parquet', `SELECT 'a' AS surface, 1 AS "user", 0 AS "label.click"`, /lacks column view_type, request, probability\.click/u],
      ['no-task.parquet', `SELECT 'a' AS surface`, /lacks column label\.<task>/u],
    ];
    for (const [name, sql, message] of cases) {
      const reading = readPredictions(await foreignFile(name, sql));
      await expect(reading).rejects.toThrow(DataError);
      await expect(reading).rejects.toThrow(message);
    }
  });

  it('fail to open with the file named', async () => {
    await expect(readPredictions(join(folder, 'nothing.parquet'))).rejects.toThrow(IoError);
    truncateSync(path, 2000);
    await expect(readPredictions(path)).rejects.toThrow(/predictions\.parquet/u);
    await expect(writePredictions(join(folder, 'no-folder', 'x.parquet'), predictions)).rejects.toThrow(IoError);
  });
});
