import { mkdir, mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { IoError } from '../config/errors.js';
import { openDatabase, quoteLiteral } from '../data/duckdb.js';
import type { ColumnSpec } from './column-buffer.js';
import { openWriterDatabase, ParquetParts } from './parquet-parts.js';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'onefold-parts-'));
});
afterEach(async () => {
  await rm(folder, { recursive: true, force: true });
});

// More names than fit in a byte.
const WORDS = Array.from({ length: 300 }, (_, i) => `word ${i}`);
const COLUMNS: readonly ColumnSpec[] = [
  { name: 'id', type: { kind: 'int32' }, depth: 0 },
  { name: 'moment', type: { kind: 'timestamp' }, depth: 0 },
  { name: 'word', type: { kind: 'name', names: WORDS }, depth: 0 },
  { name: 'short', type: { kind: 'name', names: ["it's", 'so'] }, depth: 1 },
  { name: 'price', type: { kind: 'float' }, depth: 1 },
  { name: 'vectors', type: { kind: 'float' }, depth: 2 },
];

interface Row {
  readonly id: number;
  readonly moment: string;
  readonly word: string | null;
  readonly short: readonly string[] | null;
  readonly price: readonly (number | null)[];
  readonly vectors: readonly (readonly number[])[];
}

const START = Date.UTC(2026, 0, 5);

/** Row `i` has `i % 40` list entries, so that a chunk's lists hold far more values than a chunk has rows. */
const expectedRow = (i: number): Row => ({
  id: i,
  moment: new Date(START + 1001 * i).toISOString().replace('T', ' ').replace(/\.?0*Z$/u, ''),
  word: i % 7 === 0 ? null : WORDS[i % 300]!,
  short: i % 5 === 0 ? null : Array.from({ length: i % 3 }, (_, k) => (k === 0 ? "it's" : 'so')),
  price: Array.from({ length: i % 40 }, (_, k) => ((i + k) % 3 === 0 ? null : i + k / 4)),
  vectors: Array.from({ length: i % 40 }, (_, k) => Array.from({ length: k % 3 }, (_, d) => k + d)),
});

const writeRows = async (rows: number, partValues: number): Promise<void> => {
  const { connection, close } = await openWriterDatabase();
  try {
    const parts = new ParquetParts({ connection, folder, table: 'things', columns: COLUMNS, partValues });
    const [id, moment, word, short, price, vectors] = COLUMNS.map(({ name }) => parts.column(name));
    for (let i = 0; i < rows; i++) {
      id!.push(i);
      moment!.push(START + 1001 * i);
      if (i % 7 === 0) word!.pushNull();
      else word!.push(i % 300);
      if (i % 5 === 0) short!.nullRow();
      else {
        for (let k = 0; k < i % 3; k++) short!.push(k === 0 ? 0 : 1);
        short!.endRow();
      }
      for (let k = 0; k < i % 40; k++) {
        if ((i + k) % 3 === 0) price!.pushNull();
        else price!.push(i + k / 4);
        for (let d = 0; d < k % 3; d++) vectors!.push(k + d);
        vectors!.endInner();
      }
      price!.endRow();
      vectors!.endRow();
      if (parts.endRow(i % 40)) await parts.flush();
    }
    await parts.finish();
  } finally {
    close();
  }
};

test('every value comes back: nulls in lists, empty and missing lists, lists of lists, names, moments', async () => {
  await writeRows(5_000, 50_000);
  expect(await readdir(folder)).toEqual(['part-00000.parquet', 'part-00001.parquet']);
  const database = await openDatabase();
  try {
    const rows = await database.rows<Row>(`FROM read_parquet(${quoteLiteral(join(folder, '*.parquet'))}) ORDER BY id`);
    expect(rows).toHaveLength(5_000);
    rows.forEach((row, i) => {
      expect(row).toEqual(expectedRow(i));
    });
  } finally {
    database.close();
  }
});

test('no rows still make a file with the columns', async () => {
  await writeRows(0, 10);
  const database = await openDatabase();
  try {
    expect(await database.rows(`SELECT count(*) AS n FROM read_parquet(${quoteLiteral(join(folder, 'part-00000.parquet'))})`)).toEqual([{ n: 0 }]);
  } finally {
    database.close();
  }
});

test('a file that cannot be written is an io error that names it', async () => {
  await mkdir(join(folder, 'part-00000.parquet'));
  const failure = writeRows(10, 1);
  await expect(failure).rejects.toBeInstanceOf(IoError);
  await expect(failure).rejects.toMatchObject({ where: join(folder, 'part-00000.parquet') });
});
