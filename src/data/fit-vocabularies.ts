import type { CategoricalEncoding, Feature, Project } from '../config/project.js';
import { quoteIdentifier, type Database } from './duckdb.js';
import { FIRST_VALUE_ROW, type TableState } from './encoder-state.js';
import { fieldColumn, STAGED, STAGED_CANDIDATES, STAGED_REQUESTS, type StagedTables } from './staged.js';

/** Table rows of `time_gap`: the reserved ones and 16 doublings of a minute, the last for 45 days and more. */
const TIME_GAP_ROWS = FIRST_VALUE_ROW + 16;

/** A staging column whose values share a table. */
interface ValueSource {
  readonly side: Feature['side'];
  readonly column: string;
  /** Set for list columns: which elements are kept. */
  readonly list: { readonly maxLength: number; readonly keep: 'first' | 'last' } | undefined;
}

interface ValueTable {
  readonly name: string;
  readonly encoding: CategoricalEncoding | 'time_gap';
  readonly sources: ValueSource[];
}

const valueTables = (project: Project): readonly ValueTable[] => {
  const tables = new Map<string, ValueTable>();
  const add = (name: string, encoding: ValueTable['encoding'], source: ValueSource | undefined): void => {
    const table = tables.get(name) ?? { name, encoding, sources: [] };
    tables.set(name, table);
    if (source !== undefined) table.sources.push(source);
  };
  for (const feature of project.features) {
    const { side } = feature;
    if (feature.kind === 'categorical') add(feature.table, feature.encoding, { side, column: feature.name, list: undefined });
    if (feature.kind === 'multi') {
      add(feature.table, feature.encoding, { side, column: feature.name, list: { maxLength: feature.maxLength, keep: 'first' } });
    }
    if (feature.kind === 'sequence') {
      for (const field of feature.fields) {
        if (field.kind === 'time_gap') add(field.table, 'time_gap', undefined);
        else add(field.table, field.encoding, { side, column: fieldColumn(feature.name, field.name), list: { maxLength: feature.length, keep: 'last' } });
      }
    }
  }
  return [...tables.values()];
};

/** The condition that a staging row belongs to the training split. */
export const trainingRows = ({ splits: { train } }: StagedTables): string => {
  const key = quoteIdentifier(STAGED.key);
  return `${key} >= ${train.firstKey} AND ${key} < ${train.firstKey + train.requests}`;
};

export const stagedTable = (side: Feature['side']): string => (side === 'request' ? STAGED_REQUESTS : STAGED_CANDIDATES);

const selectValues = (source: ValueSource, staged: StagedTables): string => {
  const column = quoteIdentifier(source.column);
  const { list } = source;
  let value = column;
  if (list !== undefined) value = `unnest(${column}[${list.keep === 'first' ? `1:${list.maxLength}` : `-${list.maxLength}:`}])`;
  return `SELECT ${value} AS value FROM ${stagedTable(source.side)} WHERE ${trainingRows(staged)}`;
};

const fitVocabulary = async (
  database: Database,
  staged: StagedTables,
  table: ValueTable,
  { minCount = 2, maxSize }: { readonly minCount?: number; readonly maxSize?: number },
): Promise<TableState> => {
  const values: string[] = [];
  const sql = `SELECT value FROM (${table.sources.map((source) => selectValues(source, staged)).join(' UNION ALL ')})
    WHERE value IS NOT NULL GROUP BY value HAVING count(*) >= ${minCount}
    ORDER BY count(*) DESC, value ${maxSize === undefined ? '' : `LIMIT ${maxSize}`}`;
  for await (const chunk of database.stream(sql)) {
    const column = chunk.column('value');
    if (column.type === 'string') for (const value of column.values) values.push(value!);
  }
  return { type: 'vocabulary', name: table.name, rows: FIRST_VALUE_ROW + values.length, values };
};

/**
 * Fits every table of raw values. A table that several columns name counts the values of all of them, of all surfaces,
 * over the lists as they will be kept.
 */
export const fitValueTables = async (database: Database, staged: StagedTables, project: Project): Promise<readonly TableState[]> => {
  const states: TableState[] = [];
  for (const table of valueTables(project)) {
    const { name, encoding } = table;
    if (encoding === 'time_gap') states.push({ type: 'time_gap', name, rows: TIME_GAP_ROWS });
    else if (encoding.type === 'hash') states.push({ type: 'hash', name, rows: FIRST_VALUE_ROW + encoding.buckets, buckets: encoding.buckets });
    else states.push(await fitVocabulary(database, staged, table, encoding));
  }
  return states;
};
