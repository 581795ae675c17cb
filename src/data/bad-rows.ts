/** Bad rows: stop with the first of them, or set them aside with the reason. Never dropped without a word. */
import { DataError } from '../config/errors.js';
import { reasonSql } from './checked-select.js';
import { quoteLiteral, type Database } from './duckdb.js';
import { rowsBeforeFiles, type Relation } from './relations.js';
import { queryStep, runStep } from './sql-step.js';
import type { CheckedTable } from './surface-ingest.js';

/** Table that `prepared/quarantine.parquet` is written from. */
export const QUARANTINE = 'quarantine';

/** A checked table whose marked rows are to be dealt with. */
export interface BadRowSource {
  /** `surface "search"`, `events of "clicks"`. */
  readonly owner: string;
  readonly relation: Relation;
  readonly table: CheckedTable;
  /** SQL of a row's request id, over alias `t` (or `p`, the parent's row). */
  readonly requestId: string;
  /** Quoted table that `@parent` of the marked rows points into, where file and row stand. */
  readonly parent?: string;
}

export interface BadRowCount {
  readonly owner: string;
  readonly reason: string;
  readonly rows: number;
}

const SHOWN = 5;

export const createQuarantine = (database: Database): Promise<void> =>
  runStep(
    database,
    'quarantine',
    `CREATE TABLE ${QUARANTINE} (source VARCHAR, file VARCHAR, row BIGINT, request_id VARCHAR, reason VARCHAR, value VARCHAR, content VARCHAR)`,
  );

const badSelect = (source: BadRowSource, before: ReadonlyMap<string, number>): string => {
  const place = source.parent === undefined ? 't' : 'p';
  const offsets = [...before].map(([file, rows]) => `WHEN ${quoteLiteral(file)} THEN ${rows}`).join(' ');
  const row = offsets === '' ? `${place}."@row"` : `${place}."@row" - CASE ${place}."@file" ${offsets} ELSE 0 END`;
  const join = source.parent === undefined ? '' : ` JOIN ${source.parent} p ON p.rowid = t."@parent"`;
  return `SELECT ${quoteLiteral(source.owner)} AS source, ${place}."@file" AS file, ${row} AS row, ${source.requestId} AS request_id,
    ${reasonSql(source.table.checks, 't."@code"')} AS reason, t."@value" AS value, t."@content" AS content
    FROM ${source.table.sql} t${join} WHERE t."@code" IS NOT NULL ORDER BY t.rowid`;
};

const countBadRows = async (database: Database, source: BadRowSource): Promise<readonly (BadRowCount & { readonly expected: string })[]> => {
  const counts = await queryStep<{ code: number; rows: number }>(
    database,
    source.owner,
    `SELECT "@code" AS code, count(*) AS rows FROM ${source.table.sql} WHERE "@code" IS NOT NULL GROUP BY 1 ORDER BY 1`,
  );
  return counts.map(({ code, rows }) => {
    const check = source.table.checks[code - 1]!;
    return { owner: source.owner, reason: check.reason, expected: check.expected, rows };
  });
};

const failure = async (database: Database, source: BadRowSource, before: ReadonlyMap<string, number>, counts: Awaited<ReturnType<typeof countBadRows>>): Promise<DataError> => {
  const first = await queryStep<{ file: string | null; row: number | null; request_id: string | null; reason: string; value: string | null }>(
    database,
    source.owner,
    `${badSelect(source, before)} LIMIT ${SHOWN}`,
  );
  const total = counts.reduce((sum, count) => sum + count.rows, 0);
  const places = first.map((row) => {
    const place = row.file === null ? 'the query' : `${row.file}${row.row === null ? '' : ` row ${row.row}`}`;
    return `  ${place}${row.request_id === null ? '' : ` (request ${row.request_id})`}: ${row.reason}: ${row.value ?? 'NULL'}`;
  });
  const reasons = counts.map((count) => `  ${count.rows} × ${count.reason} (expected ${count.expected})`);
  const head = first[0];
  return new DataError(`${source.owner} has ${total} bad ${total === 1 ? 'row' : 'rows'}:\n${reasons.join('\n')}\nthe first:\n${places.join('\n')}`, {
    where: head === undefined || head.file === null ? source.owner : `${head.file}${head.row === null ? '' : `:${head.row}`}`,
    expected: counts[0]!.expected,
    fix: "correct the rows, keep them out with the surface's where, or set data.badRows to 'quarantine' to go on without them",
  });
};

/**
 * Deals with the marked rows of a table.
 *
 * @returns how many there were of each reason; they are in the table {@link QUARANTINE} now
 * @throws DataError under policy `fail`, with counts per reason and the first rows by file and row
 */
export const settleBadRows = async (database: Database, policy: 'fail' | 'quarantine', source: BadRowSource): Promise<readonly BadRowCount[]> => {
  const counts = await countBadRows(database, source);
  if (counts.length === 0) return [];
  const before = await rowsBeforeFiles(database, source.relation);
  if (policy === 'fail') throw await failure(database, source, before, counts);
  await runStep(database, source.owner, `INSERT INTO ${QUARANTINE} ${badSelect(source, before)}`);
  return counts.map(({ owner, reason, rows }) => ({ owner, reason, rows }));
};
