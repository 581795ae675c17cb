/** Guesses a whole surface from its files. */
import { UsageError } from '../config/errors.js';
import type { FileSource } from '../config/project.js';
import { inspectColumns, type InspectedColumn, type InspectedTable } from '../data/inspect-columns.js';
import { namesViewType } from './init-column-names.js';
import { guessColumn, isLabel, type ColumnGuess } from './init-guess-columns.js';
import { guessKeys, type GivenKeys, type GuessedKeys } from './init-guess-keys.js';

/** What the command line says that guessing need not. */
export interface Given extends GivenKeys {
  /** Columns or expressions that are labels whatever their name. */
  readonly labels: readonly string[];
}

export interface SurfaceGuess {
  readonly name: string;
  readonly source: FileSource;
  readonly keys: GuessedKeys;
  readonly viewType: string | undefined;
  readonly rows: number;
  readonly columns: readonly ColumnGuess[];
  /** Column of the user, as a feature. */
  readonly userIsColumn: boolean;
}

const isViewType = (column: InspectedColumn): boolean =>
  namesViewType(column.name) && !column.type.list && column.distinct >= 1 && column.distinct <= 50 && column.nullShare === 0;

/** Lists as long as the labels' lists hold a value per candidate. */
const candidateLists = (columns: readonly InspectedColumn[]): string[] => {
  const label = columns.find((column) => column.type.list && isLabel(column));
  if (label?.lengths === undefined) return [];
  const { min, max, mean } = label.lengths;
  return columns.filter(({ lengths }) => lengths?.min === min && lengths.max === max && lengths.mean === mean).map((column) => column.name);
};

const guessColumns = (table: InspectedTable, keys: GuessedKeys, viewType: string | undefined, given: Given): ColumnGuess[] =>
  table.columns
    .filter((column) => !keys.columns.includes(column.name) && column.name !== viewType)
    .map((column) => (given.labels.includes(column.name) ? { column: column.name, role: 'label' } : guessColumn(column, table)));

/**
 * Looks at a surface's files and guesses its keys, its layout, and what each column is.
 *
 * @param directory - absolute folder that relative file names start from
 * @throws UsageError when it has no rows, no user, no time or no label; DataError or IoError when it cannot be read
 */
export async function guessSurface(name: string, files: string | readonly string[], directory: string, given: Given): Promise<SurfaceGuess> {
  const owner = `surface "${name}"`;
  const source: FileSource = { files };
  let lists: string[] = [];
  const table = await inspectColumns(source, directory, owner, {
    candidateLists: (columns) => {
      lists = candidateLists(columns);
      return lists;
    },
    groups: (columns) => {
      if (columns.every((column) => column.distinct === 0)) return [];
      const { request, user } = guessKeys(name, columns, given).keys;
      return [request, user];
    },
  });
  if (table.rows === 0) {
    throw new UsageError(`${owner} has no rows`, { where: String(files), expected: 'a log with rows', fix: 'name other files' });
  }
  const keys = guessKeys(name, table.columns, given);
  const viewType = table.columns.find(isViewType)?.name;
  const columns = guessColumns(table, keys, viewType, given);
  const extra = given.labels.filter((label) => !table.columns.some((column) => column.name === label));
  if (extra.length === 0 && !columns.some((column) => column.role === 'label')) {
    throw new UsageError(`${owner}: no 0/1 column looks like a label`, {
      where: '--label',
      expected: `a column of 0 and 1, such as "click"; there are ${table.columns.map((column) => column.name).join(', ')}`,
      fix: "name it with --label COLUMN, or give an expression such as --label 'read_time > 30'",
    });
  }
  return {
    name,
    source: lists.length > 0 ? { files, layout: 'request' } : source,
    keys,
    viewType,
    rows: table.rows,
    columns: [...columns, ...extra.map((label): ColumnGuess => ({ column: label, role: 'label' }))],
    userIsColumn: table.columns.some((column) => column.name === keys.keys.user),
  };
}
