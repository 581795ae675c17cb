/**
 * Point-in-time join of event histories: each request gets the newest `length` events of its user that happened
 * strictly before it.
 *
 * A join of every event with every request of its user would grow with the product of both. Instead events are numbered
 * by user and time and packed into blocks of `length`; an ASOF join finds the number of the last event before a request,
 * and two blocks, that event's and the one before it, hold all that can be in its history.
 */
import type { Feature, Project } from '../config/project.js';
import { settleBadRows, type BadRowCount } from './bad-rows.js';
import { canonicalKey, canonicalText, canonicalTime } from './canonical.js';
import { checkedSelectSql, checksOf, rawName, type CheckedSelect } from './checked-select.js';
import { quoteIdentifier, type Database } from './duckdb.js';
import { describeColumns, type MappedColumn } from './mapped-columns.js';
import { eventsOwner, type Relation } from './relations.js';
import { queryStep, runStep } from './sql-step.js';
import { eventTimeColumn, fieldColumn, STAGED } from './staged.js';

export type Sequence = Extract<Feature, { kind: 'sequence' }>;
type EventSequence = Sequence & { readonly events: NonNullable<Sequence['events']> };

/** Sequences joined from events. */
export const eventSequences = (project: Project): readonly EventSequence[] =>
  project.features.filter((feature): feature is EventSequence => feature.kind === 'sequence' && feature.events !== undefined);

/** Quoted table of a sequence's histories: `@key` and its list columns; requests without any event are not in it. */
export const historyTable = (sequence: Sequence): string => quoteIdentifier(`history of ${sequence.name}`);

const eventsTable = (sequence: Sequence): string => quoteIdentifier(`events of ${sequence.name}`);
const orderedTable = (sequence: Sequence): string => quoteIdentifier(`ordered events of ${sequence.name}`);
const blocksTable = (sequence: Sequence): string => quoteIdentifier(`event blocks of ${sequence.name}`);

const usersTable = (sequence: Sequence): string => quoteIdentifier(`users of ${sequence.name}`);

/** Events packed at a time: lists being built cannot spill, so their number is what bounds memory. */
const PACKED_EVENTS = 500_000;

const eventColumns = (sequence: EventSequence): readonly MappedColumn[] => {
  const option = `features.${sequence.name}`;
  return [
    { id: STAGED.userId, role: 'key', owner: 'the user of an event', option: `${option}.events.user`, text: sequence.events.user, side: 'request' },
    { id: STAGED.time, role: 'time', owner: 'the time of an event', option: `${option}.events.time`, text: sequence.events.time, side: 'request' },
    ...sequence.fields.flatMap((field): MappedColumn[] =>
      field.kind === 'id'
        ? [{ id: field.name, role: sequence, owner: `field "${field.name}"`, option: `${option}.fields.${field.name}.column`, text: field.column, side: 'candidate' }]
        : [],
    ),
  ];
};

/**
 * Reads the events of a sequence, checks them, and orders the good ones by user and time.
 *
 * @returns counts of bad rows
 * @throws DataError for missing columns and, under policy `fail`, for bad rows
 */
export const ingestEvents = async (database: Database, project: Project, sequence: EventSequence, relation: Relation): Promise<readonly BadRowCount[]> => {
  const owner = eventsOwner(sequence.name);
  const { where } = sequence.events;
  const columns = await describeColumns(database, eventColumns(sequence), { owner, relation, where, whereOption: `features.${sequence.name}.events.where` });
  const select: CheckedSelect = {
    from: relation.sql,
    where,
    kept: { '"@file"': '"@file"', '"@row"': '"@row"' },
    columns: columns.map((column, index) => {
      const ref = rawName(index);
      const canonical =
        column.role === 'key'
          ? canonicalKey(owner, column, ref)
          : column.role === 'time'
            ? canonicalTime(owner, column, ref, sequence.events.timeUnit)
            : canonicalText(owner, column, ref);
      return { id: column.id, text: column.text, raw: column.sql, canonical };
    }),
    checks: [],
  };
  const events = eventsTable(sequence);
  await runStep(database, owner, `CREATE TEMP TABLE ${events} AS ${checkedSelectSql(select)}`);
  const bad = await settleBadRows(database, project.data.badRows, { owner, relation, table: { sql: events, checks: checksOf(select) }, requestId: 'NULL::VARCHAR' });
  // The order makes the row number of an event its place in its user's history, after an offset per user.
  await runStep(
    database,
    owner,
    `CREATE TEMP TABLE ${orderedTable(sequence)} AS SELECT * EXCLUDE ("@file", "@row", "@code", "@value", "@content")
     FROM ${events} WHERE "@code" IS NULL ORDER BY "@user_id", "@time", rowid`,
  );
  await runStep(database, owner, `DROP TABLE ${events}`);
  return bad;
};

/** Packs ordered events into blocks of `length` within a user. */
const packBlocks = async (database: Database, sequence: EventSequence, lists: readonly { readonly list: string; readonly source: string }[]): Promise<void> => {
  const owner = eventsOwner(sequence.name);
  const { length } = sequence;
  const blocks = blocksTable(sequence);
  const [counted] = await queryStep<{ events: number }>(database, owner, `SELECT count(*) AS events FROM ${orderedTable(sequence)}`);
  for (let from = 0; from === 0 || from < counted!.events; from += PACKED_EVENTS) {
    const to = from + PACKED_EVENTS;
    // Blocks that begin in [from, to) may reach beyond it. Sorting a list of structs by its first field takes a fraction
    // of the time and memory of an ordered aggregate.
    const select = `SELECT block, ${lists.map(({ list }) => `list_transform(events, lambda x: x."${list}") AS ${list}`).join(', ')}
      FROM (SELECT e."@block" AS block, list_sort(list(struct_pack("place" := e."@place", ${lists.map(({ list, source }) => `"${list}" := ${source}`).join(', ')}))) AS events
        FROM (SELECT o.*, o.rowid AS "@place", u.first + ((o.rowid - u.first) // ${length}) * ${length} AS "@block"
              FROM ${orderedTable(sequence)} o JOIN ${usersTable(sequence)} u ON u."@user_id" = o."@user_id"
              WHERE o.rowid >= ${from} AND o.rowid < ${to + length} AND u.first < ${to + length} AND u.last >= ${from}) e
        WHERE e."@block" >= ${from} AND e."@block" < ${to} GROUP BY 1)`;
    await runStep(database, owner, from === 0 ? `CREATE TEMP TABLE ${blocks} AS ${select}` : `INSERT INTO ${blocks} ${select}`);
  }
};

/**
 * Joins a sequence's ordered events to the keyed requests (`@key`, `surface`, `user_id`, `time_us`).
 *
 * @param requests a subquery or table of those requests that have the sequence
 */
export const joinHistory = async (database: Database, sequence: EventSequence, requests: string): Promise<void> => {
  const owner = eventsOwner(sequence.name);
  const { length } = sequence;
  const ordered = orderedTable(sequence);
  const fields = sequence.fields.filter((field) => field.kind === 'id').map((field) => field.name);
  const lists = [
    ...fields.map((field, index) => ({ list: `f${index}`, source: `e.${quoteIdentifier(field)}`, name: quoteIdentifier(fieldColumn(sequence.name, field)) })),
    { list: 't', source: 'e."@time" // 1000', name: quoteIdentifier(eventTimeColumn(sequence.name)) },
  ];
  // `first` and `last` are rows of `ordered`, and so are blocks: the row of their first event.
  const users = usersTable(sequence);
  await runStep(database, owner, `CREATE TEMP TABLE ${users} AS SELECT "@user_id", min(rowid) AS first, max(rowid) AS last FROM ${ordered} GROUP BY 1`);
  await packBlocks(database, sequence, lists);
  const slice = (list: string): string => `list_slice(list_concat(p.${list}, c.${list}), greatest(a.last - ${length - 1}, a.first) - a.base + 1, a.last - a.base + 1)`;
  await runStep(
    database,
    owner,
    // Of events at one moment the last counts: all of them are before the request, or none.
    `CREATE TEMP TABLE ${historyTable(sequence)} AS
     WITH moments AS (SELECT "@user_id", "@time", max(rowid) AS last FROM ${ordered} GROUP BY 1, 2),
     found AS (
       SELECT q."@key", m.last, u.first, u.first + ((m.last - u.first) // ${length}) * ${length} AS block
       FROM ${requests} q ASOF JOIN moments m ON q.user_id = m."@user_id" AND q.time_us > m."@time"
       JOIN ${users} u ON u."@user_id" = q.user_id),
     a AS (SELECT *, CASE WHEN block > first THEN block - ${length} END AS previous, coalesce(previous, block) AS base FROM found)
     SELECT a."@key", ${lists.map(({ list, name }) => `${slice(list)} AS ${name}`).join(', ')}
     FROM a JOIN ${blocksTable(sequence)} c ON c.block = a.block LEFT JOIN ${blocksTable(sequence)} p ON p.block = a.previous`,
  );
  await runStep(database, owner, `DROP TABLE ${blocksTable(sequence)}; DROP TABLE ${users}; DROP TABLE ${ordered}`);
};
