import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { explainDuckDbError, openDatabase, quoteIdentifier, quoteLiteral, type Database, type RawColumn } from './duckdb.js';

let database: Database;
const folder = mkdtempSync(join(tmpdir(), 'onefold-duckdb-'));

beforeAll(async () => {
  database = await openDatabase({ threads: 2, memoryLimit: '1GB', tempDirectory: folder });
});
afterAll(() => {
  database.close();
  rmSync(folder, { recursive: true });
});

/** A column as plain values, the slow and obvious way. */
const toPlain = (column: RawColumn, rowCount: number): unknown[] =>
  Array.from({ length: rowCount }, (_, row) => {
    if (column.type === 'string') return column.values[row];
    if (!column.valid(row)) return null;
    if (column.type === 'number') return column.values[row];
    return toPlain(column.child, column.offsets.at(-1)!).slice(column.offsets[row], column.offsets[row + 1]);
  });

const collect = async (sql: string, name: string): Promise<unknown[]> => {
  const values: unknown[] = [];
  for await (const chunk of database.stream(sql)) values.push(...toPlain(chunk.column(name), chunk.rowCount));
  return values;
};

const failure = async (sql: string): Promise<unknown> => {
  try {
    await database.rows(sql);
  } catch (error) {
    return explainDuckDbError(error, { where: 'surfaces.search.source' });
  }
  throw new Error('the statement was expected to fail');
};

describe('stream', () => {
  it.each([
    ['TINYINT', '-5'],
    ['UTINYINT', '250'],
    ['SMALLINT', '-300'],
    ['USMALLINT', '60000'],
    ['INTEGER', '-70000'],
    ['UINTEGER', '4000000000'],
    ['BIGINT', '-9007199254740991'],
    ['UBIGINT', '9007199254740991'],
    ['HUGEINT', '-12'],
    ['FLOAT', '0.5'],
    ['DOUBLE', '-2.25'],
    ['DECIMAL(4,2)', '12.25'],
    ['DECIMAL(18,3)', '-1.125'],
    ['DECIMAL(30,1)', '7.5'],
  ])('reads %s as a number, NULL included', async (type, value) => {
    expect(await collect(`SELECT CAST(x AS ${type}) AS x FROM (VALUES ('${value}'), (NULL)) t(x)`, 'x')).toEqual([Number(value), null]);
  });

  it('reads booleans as 0 and 1', async () => {
    expect(await collect('SELECT * FROM (VALUES (true), (NULL), (false)) t(x)', 'x')).toEqual([1, null, 0]);
  });

  it('reads integers beyond 2^53 as text', async () => {
    const sql = 'SELECT CAST(x AS BIGINT) AS x FROM (VALUES (9223372036854775807), (NULL), (1)) t(x)';
    expect(await collect(sql, 'x')).toEqual(['9223372036854775807', null, '1']);
    expect(await collect('SELECT 170141183460469231731687303715884105727::HUGEINT AS x', 'x')).toEqual(['170141183460469231731687303715884105727']);
  });

  it('reads short, long and non-ASCII text', async () => {
    const values = ['', 'a', 'exactly12byt', 'longer than twelve bytes', 'žlutý', '日本語のテキスト', null];
    const list = values.map((value) => (value === null ? '(NULL)' : `(${quoteLiteral(value)})`)).join(', ');
    expect(await collect(`SELECT * FROM (VALUES ${list}) t(x)`, 'x')).toEqual(values);
  });

  it('reads dates, timestamps and enums as text', async () => {
    const sql = `SELECT DATE '2024-02-29' AS d, TIMESTAMP '2024-02-29 01:02:03' AS t, 'b'::ENUM('a','b') AS e`;
    expect(await collect(sql, 'd')).toEqual(['2024-02-29']);
    expect(await collect(sql, 't')).toEqual(['2024-02-29 01:02:03']);
    expect(await collect(sql, 'e')).toEqual(['b']);
  });

  it('reads lists of anything, also when an expression reorders or slices them', async () => {
    expect(await collect('SELECT * FROM (VALUES ([1, NULL, 3]), (NULL), ([]), ([4])) t(x)', 'x')).toEqual([[1, null, 3], null, [], [4]]);
    expect(await collect(`SELECT list_reverse(range(i))[1:2] AS x FROM range(4) t(i)`, 'x')).toEqual([[], [0], [1, 0], [2, 1]]);
    expect(await collect(`SELECT ['a', i::VARCHAR] AS x FROM range(2) t(i)`, 'x')).toEqual([['a', '0'], ['a', '1']]);
    expect(await collect(`SELECT [[i], [i, 7]] AS x FROM range(2) t(i)`, 'x')).toEqual([[[0], [0, 7]], [[1], [1, 7]]]);
    expect(await collect(`SELECT [i, i + 0.5]::DOUBLE[2] AS x FROM range(2) t(i)`, 'x')).toEqual([[0, 0.5], [1, 1.5]]);
    const joined = `WITH l AS (SELECT i, range(i) AS x FROM range(4) t(i)) SELECT l.x FROM range(8) k(j) JOIN l ON l.i = 3 - k.j % 4 ORDER BY j`;
    expect(await collect(joined, 'x')).toEqual([3, 2, 1, 0, 3, 2, 1, 0].map((n) => Array.from({ length: n }, (_, i) => i)));
  });

  it('keeps order over many chunks and lets several streams run at once', async () => {
    const other = database.stream('SELECT 1 AS y FROM range(5000)');
    await other.next();
    const values = await collect('SELECT i AS x FROM range(10000) t(i)', 'x');
    expect(values).toEqual(Array.from({ length: 10000 }, (_, i) => i));
    expect((await other.next()).value?.rowCount).toBeGreaterThan(0);
    await other.return();
  });

  it('names a column that the result lacks', async () => {
    for await (const chunk of database.stream('SELECT 1 AS x')) expect(() => chunk.column('z')).toThrow(/no column "z"/u);
  });
});

describe('rows', () => {
  it('gives plain values', async () => {
    const rows = await database.rows(`SELECT 1::BIGINT AS a, 9223372036854775807 AS b, TIMESTAMP '2024-01-01' AS c, [1.5] AS d, NULL AS e, {'k': 2::BIGINT} AS f`);
    expect(rows).toEqual([{ a: 1, b: '9223372036854775807', c: '2024-01-01 00:00:00', d: [1.5], e: null, f: { k: 2 } }]);
  });
});

describe('tableWriter', () => {
  it('writes typed arrays that read back equal, across chunk borders', async () => {
    const count = 5000;
    const offsets = Int32Array.from({ length: count + 1 }, (_, i) => i * 2);
    const vectors = Float32Array.from({ length: count * 2 }, (_, i) => (i === 0 || i === 1 ? NaN : i / 2));
    const writer = await database.tableWriter('written', [
      { name: 'i', type: 'INTEGER' },
      { name: 'b', type: 'BIGINT' },
      { name: 'f', type: 'FLOAT' },
      { name: 'd', type: 'DOUBLE' },
      { name: 's', type: 'VARCHAR' },
      { name: 'l', type: 'INTEGER[]' },
      { name: 'v', type: 'FLOAT[]' },
    ]);
    const columns = [
      Int32Array.from({ length: count }, (_, i) => -i),
      Float64Array.from({ length: count }, (_, i) => (i % 2 === 0 ? -1 : 1) * i * 1e11),
      Float32Array.from({ length: count }, (_, i) => (i === 3 ? NaN : i / 4)),
      Float64Array.from({ length: count }, (_, i) => (i === 2500 ? NaN : i / 3)),
      Array.from({ length: count }, (_, i) => (i === 7 ? null : `value number ${i}`)),
      { offsets, values: Int32Array.from({ length: count * 2 }, (_, i) => i) },
      { offsets, values: vectors },
    ];
    writer.append(columns, 0, 3000);
    writer.append(columns, 3000, count);
    writer.close();
    const rows = await database.rows<{ i: number; b: number; f: number; d: number; s: string; l: number[]; v: number[] | null }>('SELECT * FROM written');
    expect(rows).toHaveLength(count);
    rows.forEach((row, i) => {
      expect(row).toEqual({
        i: i === 0 ? 0 : -i,
        b: (i % 2 === 0 ? -1 : 1) * i * 1e11 + 0,
        f: i === 3 ? null : i / 4,
        d: i === 2500 ? null : i / 3,
        s: i === 7 ? null : `value number ${i}`,
        l: [2 * i, 2 * i + 1],
        v: i === 0 ? null : [i, i + 0.5],
      });
    });
  });
});

describe('explainDuckDbError', () => {
  it('names a missing column and its candidates', async () => {
    await expect(failure('SELECT clik FROM (SELECT 1 AS click)')).resolves.toMatchObject({ code: 'data', message: expect.stringMatching(/surfaces\.search\.source: there is no column "clik"; did you mean one of "click"/u) });
    await expect(failure('SELECT t.clik FROM (SELECT 1 AS click) t')).resolves.toMatchObject({ code: 'data', message: expect.stringContaining('"clik"') });
  });

  it('calls a value that does not convert bad data', async () => {
    await expect(failure(`SELECT CAST(x AS INTEGER) FROM (SELECT 'many' AS x)`)).resolves.toMatchObject({ code: 'data', message: expect.stringContaining('many') });
  });

  it('names a truncated Parquet file', async () => {
    const file = join(folder, 'whole.parquet');
    await database.run(`COPY (SELECT i, i::VARCHAR AS s FROM range(100000) t(i)) TO ${quoteLiteral(file)}`);
    const bytes = readFileSync(file);
    const cut = join(folder, 'cut.parquet');
    for (const size of [4, 1000, bytes.length - 3]) {
      writeFileSync(cut, bytes.subarray(0, size));
      await expect(failure(`SELECT * FROM ${quoteLiteral(cut)}`)).resolves.toMatchObject({ code: 'data', message: expect.stringMatching(/cut\.parquet is truncated or damaged/u) });
    }
    const footer = Buffer.from(bytes);
    footer.fill(255, bytes.length - 200, bytes.length - 20);
    writeFileSync(cut, footer);
    await expect(failure(`SELECT * FROM ${quoteLiteral(cut)}`)).resolves.toMatchObject({ code: 'data', message: expect.stringContaining('truncated or damaged') });
  });

  it('tells file-system failures apart', async () => {
    await expect(failure(`SELECT * FROM ${quoteLiteral(join(folder, 'none*.parquet'))}`)).resolves.toMatchObject({ code: 'io', message: expect.stringContaining('no file matches') });
    await expect(failure(`COPY (SELECT * FROM range(1000)) TO '/dev/full' (FORMAT csv)`)).resolves.toMatchObject({ code: 'io', fix: expect.stringContaining('free space') });
    await expect(failure(`COPY (SELECT 1) TO ${quoteLiteral(join(folder, 'no/folder/x.parquet'))}`)).resolves.toMatchObject({ code: 'io' });
  });

  it('blames the expression where DuckDB refuses it', async () => {
    await expect(failure('SELECT no_such_function(1)')).resolves.toMatchObject({ code: 'data', message: expect.stringContaining('no_such_function') });
  });

  it('reports a database file that cannot be opened', async () => {
    await expect(openDatabase({ path: join(folder, 'no/folder/x.db') })).rejects.toMatchObject({ code: 'io' });
  });
});

describe('quoting', () => {
  it('survives quotes', async () => {
    const name = `a"b'c`;
    expect(await database.rows(`SELECT ${quoteLiteral(name)} AS ${quoteIdentifier(name)}`)).toEqual([{ [name]: name }]);
  });
});
