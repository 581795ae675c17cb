/** Brings the checked surfaces together: splits them by time, numbers requests, joins histories, and orders everything. */
import { DataError } from '../config/errors.js';
import type { Project } from '../config/project.js';
import { quoteIdentifier, quoteLiteral, type Database } from './duckdb.js';
import { eventSequences, historyTable, joinHistory } from './history.js';
import { keyRanges, type KeyRange } from './key-ranges.js';
import { SPLITS, type Split } from './prepared.js';
import { queryStep, runStep } from './sql-step.js';
import { labelColumn, outsideColumn, STAGED_CANDIDATES, STAGED_REQUESTS, stagedColumns, truthColumn, type StagedColumn, type StagedSplit, type StagedTables } from './staged.js';
import type { IngestedSurface } from './surface-ingest.js';
import { goodCandidates, requestsTable } from './surface-requests.js';
import { ALL_REQUESTS, MILLISECONDS, splitBoundaries, type Boundaries } from './time-split.js';

/** Table of the requests that are kept, in key order: its rowid is the key. */
const KEYED_REQUESTS = 'keyed_requests';

export interface StageResult {
  readonly staged: StagedTables;
  /** Good requests before `split.from` or from `split.until` on, by surface. */
  readonly outsideRange: Readonly<Record<string, number>>;
}

/** Told the part that is done, 0 to 1. */
export type StageReport = (fraction: number) => void;

const inRange = (key: string, range: KeyRange): string => `${key} >= ${range.from} AND ${key} < ${range.to}`;

const gatherRequests = async (database: Database, ingested: readonly IngestedSurface[]): Promise<void> => {
  const arms = ingested.map(({ index, surface, rows }) => {
    const viewType = surface.viewType === undefined ? quoteLiteral(surface.name) : 'r."@view_type"';
    return `SELECT ${index}::INTEGER AS surface, q.request_id, q.first_row, q.first_candidate, r."@user_id" AS user_id, r."@time" AS time_us, ${viewType} AS view_type
      FROM ${requestsTable(index)} q JOIN ${rows.sql} r ON r.rowid = q.first_row`;
  });
  await runStep(database, 'gathering requests', `CREATE TEMP TABLE ${ALL_REQUESTS} AS ${arms.join(' UNION ALL ')}`);
  const counts = await queryStep<{ surface: number }>(database, 'gathering requests', `SELECT DISTINCT surface FROM ${ALL_REQUESTS}`);
  const empty = ingested.find(({ index }) => counts.every((count) => count.surface !== index));
  if (empty === undefined) return;
  const { name } = empty.surface;
  throw new DataError(`surface "${name}" has no usable rows: its source is empty, its condition keeps none, or all are bad`, {
    where: `surfaces.${name}`,
    expected: 'at least one request',
    fix: `check the source${empty.surface.where === undefined ? '' : ` and the condition ${empty.surface.where}`}, or take the surface out of the project`,
  });
};

/** Two to the 64th, as the largest value of the hash plus one. */
const HASH_RANGE = 2n ** 64n;

/**
 * Condition under which candidate `g` of request `q` stays. MD5 of the request id and the candidate's place, unlike
 * DuckDB's own hash, is the same in every version.
 */
const keptCondition = ({ surface }: IngestedSurface, boundaries: Boundaries): string => {
  const { task, rate } = surface.negativeSampling!;
  const threshold = (HASH_RANGE * BigInt(Math.round(rate * 2 ** 40))) / 2n ** 40n;
  return `(q.${MILLISECONDS} >= ${boundaries.validation} OR coalesce(g.${quoteIdentifier(labelColumn(task))}, 1) <> 0
    OR md5_number_lower(q.request_id || ':' || (g."@position" - q.first_candidate)) < ${threshold})`;
};

const keyRequests = async (database: Database, ingested: readonly IngestedSurface[], boundaries: Boundaries): Promise<void> => {
  const arms = ingested.map((entry) => {
    const arm = `SELECT q.* FROM ${ALL_REQUESTS} q WHERE q.surface = ${entry.index} AND q.${MILLISECONDS} >= ${boundaries.from} AND q.${MILLISECONDS} < ${boundaries.until}`;
    if (entry.surface.negativeSampling === undefined) return arm;
    // A request that loses all its candidates goes with them.
    return `${arm} AND q.request_id IN (SELECT g."@request_id" FROM ${goodCandidates(entry, [labelColumn(entry.surface.negativeSampling.task)])} g
      JOIN ${ALL_REQUESTS} q ON q.surface = ${entry.index} AND q.request_id = g."@request_id" WHERE ${keptCondition(entry, boundaries)})`;
  });
  const split = `CASE WHEN ${MILLISECONDS} < ${boundaries.validation} THEN 0 WHEN ${MILLISECONDS} < ${boundaries.test} THEN 1 ELSE 2 END`;
  await runStep(
    database,
    'ordering requests',
    `CREATE TEMP TABLE ${KEYED_REQUESTS} AS SELECT *, (${split})::UTINYINT AS split FROM (${arms.join(' UNION ALL ')}) ORDER BY ${MILLISECONDS}, surface, request_id`,
  );
};

const valueOrNull = (has: boolean, name: string, type: string, alias: string): string =>
  has ? `${alias}.${quoteIdentifier(name)}` : `NULL::${type} AS ${quoteIdentifier(name)}`;

const surfacesOf = (project: Project, column: StagedColumn): readonly string[] => project.features.find((feature) => feature.name === column.feature)!.surfaces;

const candidatesSql = (project: Project, ingested: readonly IngestedSurface[], boundaries: Boundaries, range: KeyRange): string => {
  const columns = stagedColumns(project).filter((column) => column.side === 'candidate');
  const probabilities = project.tasks.flatMap((task) => [
    ...(project.data.truth[task.name] === undefined ? [] : [{ task, name: truthColumn(task.name) }]),
    ...(project.data.outside[task.name] === undefined ? [] : [{ task, name: outsideColumn(task.name) }]),
  ]);
  const arms = ingested.map((entry) => {
    const { name, negativeSampling } = entry.surface;
    const outputs = [
      ...columns.map((column) => ({ name: column.name, type: column.type as string, has: surfacesOf(project, column).includes(name) })),
      ...project.tasks.map((task) => ({ name: labelColumn(task.name), type: 'FLOAT', has: task.surfaces.includes(name) })),
      ...probabilities.map((column) => ({ name: column.name, type: 'DOUBLE', has: column.task.surfaces.includes(name) })),
    ];
    const owned = outputs.filter((output) => output.has).map((output) => output.name);
    return `SELECT q.rowid AS "@key", q.surface AS "@surface", q.split AS "@split", g."@position", ${outputs.map((output) => valueOrNull(output.has, output.name, output.type, 'g')).join(', ')}
      FROM ${goodCandidates(entry, owned)} g JOIN ${KEYED_REQUESTS} q ON q.surface = ${entry.index} AND q.request_id = g."@request_id"
      WHERE ${inRange('q.rowid', range)} AND g."@time" BETWEEN ${range.firstTime} AND ${range.lastTime}
      ${negativeSampling === undefined ? '' : `AND ${keptCondition(entry, boundaries)}`}`;
  });
  return `SELECT * EXCLUDE ("@position"), 1::FLOAT AS "@weight" FROM (${arms.join(' UNION ALL ')}) ORDER BY "@key", "@position"`;
};

const requestsSql = (project: Project, ingested: readonly IngestedSurface[], range: KeyRange): string => {
  const columns = stagedColumns(project).filter((column) => column.side === 'request');
  const joined = eventSequences(project);
  const isJoined = (column: StagedColumn): boolean => joined.some((sequence) => sequence.name === column.feature);
  const arms = ingested.map((entry) => {
    const values = columns.filter((column) => !isJoined(column)).map((column) => valueOrNull(surfacesOf(project, column).includes(entry.surface.name), column.name, column.type, 'r'));
    return `SELECT q.rowid AS "@key", q.surface AS "@surface", q.request_id AS "@request_id", q.user_id AS "@user_id", q.${MILLISECONDS} AS "@time",
      q.view_type AS "@view_type", q.split AS "@split"${values.map((value) => `, ${value}`).join('')}
      FROM ${KEYED_REQUESTS} q JOIN ${entry.rows.sql} r ON r.rowid = q.first_row
      WHERE q.surface = ${entry.index} AND ${inRange('q.rowid', range)} AND r."@time" BETWEEN ${range.firstTime} AND ${range.lastTime}`;
  });
  const histories = joined.map((sequence, position) => `LEFT JOIN ${historyTable(sequence)} h${position} ON h${position}."@key" = s."@key" AND ${inRange(`h${position}."@key"`, range)}`);
  const outputs = columns.map((column) => {
    const name = quoteIdentifier(column.name);
    if (!isJoined(column)) return `s.${name}`;
    const position = joined.findIndex((sequence) => sequence.name === column.feature);
    const indices = ingested.filter((entry) => joined[position]!.surfaces.includes(entry.surface.name)).map((entry) => entry.index);
    return `CASE WHEN s."@surface" IN (${indices.join(', ')}) THEN coalesce(h${position}.${name}, []) END AS ${name}`;
  });
  return `SELECT s."@key", s."@surface", s."@request_id", s."@user_id", s."@time", s."@view_type", s."@split",
      n.candidates AS "@candidates"${outputs.map((output) => `, ${output}`).join('')}
    FROM (${arms.join(' UNION ALL ')}) s
    JOIN (SELECT "@key", count(*)::INTEGER AS candidates FROM ${STAGED_CANDIDATES} WHERE ${inRange('"@key"', range)} GROUP BY 1) n ON n."@key" = s."@key"
    ${histories.join(' ')} ORDER BY s."@key"`;
};

const fillTables = async (database: Database, project: Project, ingested: readonly IngestedSurface[], boundaries: Boundaries, report: StageReport): Promise<void> => {
  let candidates = 0;
  for (const entry of ingested) {
    const [counted] = await queryStep<{ count: number }>(database, 'staging', `SELECT count(*) AS count FROM ${(entry.candidates ?? entry.rows).sql}`);
    candidates += counted!.count;
  }
  const ranges = await keyRanges(database, KEYED_REQUESTS, candidates);
  for (const [index, range] of ranges.entries()) {
    report(index / ranges.length);
    const into = (table: string): string => (index === 0 ? `CREATE TABLE ${table} AS` : `INSERT INTO ${table}`);
    await runStep(database, 'staging candidates', `${into(STAGED_CANDIDATES)} ${candidatesSql(project, ingested, boundaries, range)}`);
    await runStep(database, 'staging requests', `${into(STAGED_REQUESTS)} ${requestsSql(project, ingested, range)}`);
  }
};

const splitRanges = async (database: Database): Promise<Readonly<Record<Split, StagedSplit>>> => {
  const rows = await queryStep<{ split: number; first: number; requests: number; candidates: number }>(
    database,
    'the split',
    `SELECT "@split" AS split, min("@key") AS first, count(*) AS requests, CAST(sum("@candidates") AS BIGINT) AS candidates FROM ${STAGED_REQUESTS} GROUP BY 1`,
  );
  let next = 0;
  const ranges = SPLITS.map((split, index): [Split, StagedSplit] => {
    const row = rows.find((candidate) => candidate.split === index);
    const range = { firstKey: next, requests: row?.requests ?? 0, candidates: row?.candidates ?? 0 };
    next += range.requests;
    return [split, range];
  });
  return Object.fromEntries(ranges) as Record<Split, StagedSplit>;
};

const dropTables = async (database: Database, ingested: readonly IngestedSurface[]): Promise<void> => {
  for (const { index, rows, candidates } of ingested) {
    for (const table of [rows.sql, candidates?.sql, requestsTable(index)]) if (table !== undefined) await runStep(database, 'staging', `DROP TABLE ${table}`);
  }
};

/**
 * Fills the staging tables from the checked surfaces, then drops what they came from.
 *
 * @throws DataError for a surface without usable rows, or without any in the training range
 */
export const stageSurfaces = async (database: Database, project: Project, ingested: readonly IngestedSurface[], report: StageReport): Promise<StageResult> => {
  await gatherRequests(database, ingested);
  const boundaries = await splitBoundaries(database, project);
  await keyRequests(database, ingested, boundaries);
  for (const sequence of eventSequences(project)) {
    const indices = ingested.filter((entry) => sequence.surfaces.includes(entry.surface.name)).map((entry) => entry.index);
    await joinHistory(database, sequence, `(SELECT rowid AS "@key", user_id, time_us FROM ${KEYED_REQUESTS} WHERE surface IN (${indices.join(', ')}))`);
  }
  await fillTables(database, project, ingested, boundaries, report);
  const outside = await queryStep<{ surface: number; requests: number }>(
    database,
    'the split',
    `SELECT surface, count(*) AS requests FROM ${ALL_REQUESTS} WHERE ${MILLISECONDS} < ${boundaries.from} OR ${MILLISECONDS} >= ${boundaries.until} GROUP BY 1`,
  );
  await dropTables(database, ingested);
  for (const sequence of eventSequences(project)) await runStep(database, 'staging', `DROP TABLE ${historyTable(sequence)}`);
  await runStep(database, 'staging', `DROP TABLE ${ALL_REQUESTS}; DROP TABLE ${KEYED_REQUESTS}`);
  return {
    staged: { columns: stagedColumns(project), splits: await splitRanges(database), boundaries },
    outsideRange: Object.fromEntries(ingested.map(({ index, surface }) => [surface.name, outside.find((row) => row.surface === index)?.requests ?? 0])),
  };
};
