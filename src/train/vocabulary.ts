/** Which value each row of an embedding table stands for: how rows find their values again when vocabularies change. */
import { existsSync, readFileSync } from 'node:fs';
import { ArtifactError } from '../config/errors.js';
import { FIRST_VALUE_ROW, type EncoderSet, type TableState } from '../data/encoder-state.js';
import { explainIoFailure } from '../data/io-failure.js';
import { SURFACE_COLUMN, VIEW_TYPE_COLUMN } from '../model/plan-layout.js';
import { replaceFile } from './replace-file.js';

/** The part of fitted encoders that says what rows stand for. */
export type Vocabulary = Pick<EncoderSet, 'tables' | 'surfaces' | 'viewTypes'>;

/**
 * Writes a vocabulary file, aside and renamed; one that is the same already is left alone.
 *
 * @throws IoError when the file system refuses
 */
export const writeVocabulary = (path: string, { tables, surfaces, viewTypes }: Vocabulary): void => {
  const text = `${JSON.stringify({ surfaces, viewTypes, tables })}\n`;
  try {
    if (existsSync(path) && readFileSync(path, 'utf8') === text) return;
    replaceFile(path, text);
  } catch (cause) {
    throw explainIoFailure(cause, path);
  }
};

/** @throws ArtifactError when there is none; IoError when it cannot be read */
export const readVocabulary = (path: string): Vocabulary => {
  if (!existsSync(path)) {
    throw new ArtifactError(`${path} is missing: nothing says which value each row stands for`, {
      where: path,
      expected: "a checkpoint of a training run, not a copy of the model's tensors alone",
      fix: 'Start from the checkpoint folder that training wrote, or train without --from.',
    });
  }
  try {
    return JSON.parse(readFileSync(path, 'utf8')) as Vocabulary;
  } catch (cause) {
    throw explainIoFailure(cause, path);
  }
};

/** Row by row up to the shorter of both. */
const byPosition = (rows: number, rowsBefore: number): Int32Array => Int32Array.from({ length: rows }, (_, row) => (row < rowsBefore ? row : -1));

/** Rows of the names that both lists have. */
const byName = (names: readonly string[], before: readonly string[], first: number): Int32Array => {
  const rows = new Map(before.map((name, index) => [name, first + index]));
  const map = new Int32Array(first + names.length);
  for (let row = 0; row < first; row += 1) map[row] = row;
  names.forEach((name, index) => (map[first + index] = rows.get(name) ?? -1));
  return map;
};

const sameKind = (state: TableState, before: TableState): Int32Array | undefined => {
  if (state.type === 'vocabulary' && before.type === 'vocabulary') return byName(state.values, before.values, FIRST_VALUE_ROW);
  if (state.type === 'time_gap' && before.type === 'time_gap') return byPosition(state.rows, before.rows);
  // A bucket of a hash means something only among as many; one of numbers is the same part of the distribution.
  if (state.type === before.type && state.rows === before.rows) return byPosition(state.rows, before.rows);
  return undefined;
};

/**
 * The row that each row of a table had in an older vocabulary; −1 for a value that was not in it. The rows of what is
 * absent, missing and unknown are always found again.
 *
 * @param rows of the table
 * @param rowsBefore of the older table of that name and width
 */
export const olderRows = (table: string, now: Vocabulary, before: Vocabulary, rows: number, rowsBefore: number): Int32Array => {
  if (table === SURFACE_COLUMN) return byName(now.surfaces, before.surfaces, 0);
  if (table === VIEW_TYPE_COLUMN) return byName(now.viewTypes, before.viewTypes, 0);
  const state = now.tables.find(({ name }) => name === table);
  const stateBefore = before.tables.find(({ name }) => name === table);
  // Positions of a sequence have no encoder: a distance is a distance.
  if (state === undefined || stateBefore === undefined) return byPosition(rows, state === stateBefore ? rowsBefore : 0);
  return sameKind(state, stateBefore) ?? byPosition(rows, FIRST_VALUE_ROW);
};
