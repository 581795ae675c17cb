/** Histories of raw rows: there as lists, or joined from files of events as training joined them. */
import { DataError } from '../config/errors.js';
import type { Project } from '../config/project.js';
import { quoteIdentifier, type Database } from '../data/duckdb.js';
import { historyTable, ingestEvents, joinHistory } from '../data/history.js';
import { describeColumns, mappedColumns } from '../data/mapped-columns.js';
import type { Relation } from '../data/relations.js';
import { STAGED } from '../data/staged.js';
import { canonicalOf } from '../data/surface-ingest.js';
import { historyLists, joinedSequences, type EventSequence, type RawSchema } from './raw-schema.js';

/** Number of a row of the source, from 1: its place in what is read, and what histories are joined by. */
export const NUMBER_COLUMN = '@n';

/** An error of the config's words told about the file: here the file must fit the config, not the other way round. */
export const aboutFile = (error: unknown, file: string, fix: string): unknown =>
  error instanceof DataError
    ? new DataError(error.message.includes(file) ? error.message : `${file}: ${error.message}`, {
        where: file,
        fix,
        cause: error,
        ...(error.expected === undefined ? {} : { expected: error.expected }),
      })
    : error;

/** A sequence and the relation of its events. */
export interface SequenceEvents {
  readonly sequence: EventSequence;
  readonly events: Relation;
}

/**
 * Joins histories to raw rows, each the newest events strictly before its row's time.
 *
 * @param rows with {@link NUMBER_COLUMN}
 * @returns the rows with the lists of the joined sequences, in any order
 * @throws DataError for events that do not fit, and for rows that have such lists already
 */
export const joinEvents = async (database: Database, project: Project, rows: Relation, histories: readonly SequenceEvents[], file: string): Promise<Relation> => {
  if (histories.length === 0) return rows;
  const surface = project.surfaces[0]!;
  const lists = histories.flatMap(({ sequence }) => historyLists(sequence));
  const present = lists.find((list) => rows.columns.some((column) => column.toLowerCase() === list.toLowerCase()));
  if (present !== undefined) {
    throw new DataError(`${file} has a column "${present}" already, and events to join as well`, {
      where: file,
      expected: 'histories in the rows, or files of events',
      fix: 'leave out one of the two',
    });
  }
  const keys = mappedColumns(project, surface).filter((column) => column.id === STAGED.userId || column.id === STAGED.time);
  const described = await describeColumns(database, keys, { owner: file, relation: rows, where: undefined, whereOption: 'where' }).catch((error: unknown) => {
    throw aboutFile(error, file, "give the file the columns of the surface's logs");
  });
  const [user, time] = described.map((column) => canonicalOf(surface, column, column.sql).sql);
  const number = quoteIdentifier(NUMBER_COLUMN);
  for (const { sequence, events } of histories) {
    try {
      await ingestEvents(database, project, sequence, events);
      await joinHistory(database, sequence, `(SELECT ${number} AS "@key", ${user!} AS user_id, ${time!} AS time_us FROM ${rows.sql})`);
    } catch (error) {
      throw aboutFile(error, events.files[0]!, 'correct the events');
    }
  }
  const outputs = histories.flatMap(({ sequence }, index) => historyLists(sequence).map(quoteIdentifier).map((list) => `coalesce(h${index}.${list}, []) AS ${list}`));
  const joins = histories.map(({ sequence }, index) => `LEFT JOIN ${historyTable(sequence)} h${index} ON h${index}."@key" = r.${number}`);
  return { ...rows, sql: `(SELECT r.*, ${outputs.join(', ')} FROM ${rows.sql} r ${joins.join(' ')})`, columns: [...rows.columns, ...lists] };
};

/**
 * Checks that rows have the histories that training joined from events: no log has such columns by itself.
 *
 * @throws DataError naming all columns that are missing, and what belongs there
 */
export const checkHistories = (schema: RawSchema, rows: Relation, file: string): void => {
  const present = new Set(rows.columns.map((column) => column.toLowerCase()));
  const joined = joinedSequences(schema);
  const missing = joined.flatMap((sequence) => historyLists(sequence).filter((list) => !present.has(list.toLowerCase())));
  if (missing.length === 0) return;
  const names = joined.filter((sequence) => historyLists(sequence).some((list) => missing.includes(list))).map((sequence) => sequence.name);
  throw new DataError(`${file} has no ${missing.map((list) => `"${list}"`).join(', ')}: what training joined from events`, {
    where: file,
    expected: "list columns with one element per event of the row's user before its time, oldest first; @time in epoch ms",
    fix: `add these columns, or let them be joined: ${names.map((name) => `--events ${name}=FILE`).join(' ')}`,
  });
};
