/** Guesses what each column of a surface is: a label, a feature of some kind and side, or nothing to train on. */
import type { NumberEncoding, Side } from '../config/project.js';
import type { InspectedColumn, InspectedGroups, InspectedTable } from '../data/inspect-columns.js';
import type { ScalarClass } from '../data/physical-type.js';
import {
  namesAction,
  namesAttribute,
  namesDate,
  namesHistory,
  namesId,
  namesOutcome,
  namesPosition,
  namesPrediction,
  namesQuantity,
  namesRequestSide,
} from './init-column-names.js';

export type GuessedKind =
  | { readonly kind: 'categorical'; readonly trainingOnly?: { readonly serveAs: string | number } }
  | { readonly kind: 'multi' }
  | { readonly kind: 'number'; readonly encoding?: NumberEncoding }
  | { readonly kind: 'vector'; readonly size: number };

/** What a column is taken for, and why where that is not plain. */
export type ColumnGuess = { readonly column: string; readonly note?: string } & (
  | { readonly role: 'label' }
  | { readonly role: 'feature'; readonly side: Side; readonly scalar: ScalarClass; readonly feature: GuessedKind }
  | { readonly role: 'left out'; readonly note: string }
);

const DATE_REASON = 'a date is no feature by itself; derive one, e.g. hour(…) or an age in days';

/** Whole numbers with at most this many values are more likely codes than amounts. */
const MOST_CODES = 24;
/** Numbers that reach this far are usually spread over orders of magnitude. */
const LONG_TAIL = 1_000;

/** Whether a column (or the elements of a list) is 0 or 1. */
export const isBinary = ({ type, min, max, whole }: InspectedColumn): boolean =>
  type.scalar === 'boolean' || (type.scalar === 'number' && whole && typeof min === 'number' && typeof max === 'number' && min >= 0 && max <= 1);

/** 0 or 1, and named as what a user does. */
export const isLabel = (column: InspectedColumn): boolean => isBinary(column) && namesAction(column.name) && !namesAttribute(column.name);

const guessNumber = (column: InspectedColumn): GuessedKind => {
  const spread = typeof column.min === 'number' && column.min >= 0 && typeof column.max === 'number' && column.max >= LONG_TAIL;
  return { kind: 'number', ...(spread ? { encoding: { type: 'log' } as const } : {}) };
};

const guessList = (column: InspectedColumn): GuessedKind | string => {
  const { type, lengths, whole } = column;
  if (type.scalar === 'text' || (type.scalar === 'number' && whole && !type.fractional)) return { kind: 'multi' };
  if (type.scalar !== 'number') return `lists of ${type.sql.replace(/\[\d*\]$/, '')} have no encoding`;
  if (lengths !== undefined && lengths.min === lengths.max && lengths.max > 0) return { kind: 'vector', size: lengths.max };
  return 'its lists of numbers differ in length, so they are no vector';
};

const guessScalar = (column: InspectedColumn, rows: number): GuessedKind | string => {
  const { type, name, distinct, whole } = column;
  const present = rows * (1 - column.nullShare);
  switch (type.scalar) {
    case 'boolean':
      return { kind: 'categorical' };
    case 'text':
      if ((column.textLength ?? 0) > 40 && distinct > present / 2) return 'it is free text';
      return { kind: 'categorical' };
    case 'number':
      if (namesDate(name) && whole) return DATE_REASON;
      if (namesId(name) && whole) return { kind: 'categorical' };
      if (whole && distinct <= MOST_CODES && !namesQuantity(name)) return { kind: 'categorical' };
      return guessNumber(column);
    case 'time':
      return DATE_REASON;
    case 'other':
      return `${type.sql.split('(')[0]!} has no encoding; take values out of it with a DuckDB expression`;
  }
};

/** Whether enough groups have several rows to tell what is constant within one. */
const isTelling = (groups: InspectedGroups | undefined): groups is InspectedGroups =>
  groups !== undefined && groups.withSeveralRows > 0 && (groups.withSeveralRows >= 20 || groups.withSeveralRows * 2 >= groups.count);

/** From requests of several rows; else by what each user has once, and by name. */
const guessSide = (column: InspectedColumn, { groups: [requests, users] }: InspectedTable): Side => {
  if (isTelling(requests)) return requests.constant.includes(column.name) ? 'request' : 'candidate';
  if (namesRequestSide(column.name)) return 'request';
  return isTelling(users) && users.constant.includes(column.name) ? 'request' : 'candidate';
};

const noteOn = (column: InspectedColumn, kind: GuessedKind): string | undefined => {
  if (kind.kind === 'multi' && namesHistory(column.name)) {
    return "a history? kind 'sequence' keeps its order; see docs/configuration.md";
  }
  if (column.nullShare >= 0.5) return `${Math.round(column.nullShare * 100)} % are missing`;
  return undefined;
};

/** Guesses one column of a table that was inspected with its request key. */
export function guessColumn(column: InspectedColumn, table: InspectedTable): ColumnGuess {
  const { name } = column;
  const leftOut = (note: string): ColumnGuess => ({ column: name, role: 'left out', note });
  const side = guessSide(column, table);
  if (isBinary(column) && !column.type.list && !namesAttribute(name)) {
    if (namesAction(name)) return { column: name, role: 'label' };
    if (/^is_/i.test(name) && side === 'candidate' && isTelling(table.groups[0])) {
      return { column: name, role: 'label', note: 'taken for a label by its name; a fact about the ad is a feature instead' };
    }
  }
  if (namesOutcome(name)) return leftOut('known only after the impression, when there is nothing left to predict');
  if (namesPrediction(name)) return leftOut("looks like a prediction; the true probability in simulated data goes into data.truth");
  if (column.nullShare === 1) return leftOut('it is empty');
  if (column.distinct <= 1 && column.nullShare === 0) return leftOut('it has one value only');
  if (namesPosition(name) && column.type.scalar === 'number' && !column.type.list) {
    return {
      column: name,
      role: 'feature',
      side,
      scalar: column.type.scalar,
      feature: { kind: 'categorical', trainingOnly: { serveAs: column.min ?? 1 } },
      note: 'where the ad was shown: learned from in training, fixed when scoring',
    };
  }
  const kind = column.type.list ? guessList(column) : guessScalar(column, table.rows);
  if (typeof kind === 'string') return leftOut(kind);
  const note = noteOn(column, kind);
  return { column: name, role: 'feature', side, scalar: column.type.scalar, feature: kind, ...(note === undefined ? {} : { note }) };
}
