/** Which expressions of a surface's source fill which columns of the merged schema, and what types they have there. */
import { DataError } from '../config/errors.js';
import type { Feature, Project, Surface } from '../config/project.js';
import { closest, listNames } from '../config/suggest.js';
import { explainDuckDbError, quoteIdentifier, type Database } from './duckdb.js';
import { elementType, parsePhysicalType, describeType, type PhysicalType } from './physical-type.js';
import type { Relation } from './relations.js';
import { eventTimeColumn, fieldColumn, labelColumn, outsideColumn, STAGED, truthColumn } from './staged.js';

/** One column of the merged schema on one surface, as the config maps it. */
export interface MappedColumn {
  /** Column of the merged schema: a fixed one, a feature, `sequence.field`, `label.task`. */
  readonly id: string;
  /** What it is there. */
  readonly role: 'key' | 'time' | 'view_type' | 'label' | 'probability' | Feature;
  /** For messages: `feature "age"`. */
  readonly owner: string;
  /** Config path of the mapping. */
  readonly option: string;
  /** Column name or expression as the user wrote it. */
  readonly text: string;
  readonly side: 'request' | 'candidate';
}

/** A mapped column found in its source. */
export interface DescribedColumn extends MappedColumn {
  /** SQL over the relation. */
  readonly sql: string;
  /** Type of one value: in layout `request`, of one element of a candidate-side list. */
  readonly type: PhysicalType;
}

/** The place and names for messages. */
export interface DescribeContext {
  /** `surface "search"`. */
  readonly owner: string;
  readonly relation: Relation;
  readonly where: string | undefined;
  /** Config path of `where`. */
  readonly whereOption: string;
}

/** Columns a surface maps, keys first. */
export const mappedColumns = (project: Project, surface: Surface): readonly MappedColumn[] => {
  const on = `surfaces.${surface.name}`;
  const key = (id: string, role: 'key' | 'time' | 'view_type', owner: string, option: string, text: string): MappedColumn => ({
    id,
    role,
    owner,
    option: `${on}.${option}`,
    text,
    side: 'request',
  });
  const columns: MappedColumn[] = [
    key(STAGED.requestId, 'key', 'the request key', 'keys.request', surface.keys.request),
    key(STAGED.userId, 'key', 'the user key', 'keys.user', surface.keys.user),
    key(STAGED.time, 'time', 'the time', 'keys.time', surface.keys.time),
  ];
  if (surface.viewType !== undefined) columns.push(key(STAGED.viewType, 'view_type', 'the view type', 'viewType', surface.viewType));
  for (const feature of project.features) {
    if (!feature.surfaces.includes(surface.name)) continue;
    const owner = `feature "${feature.name}"`;
    if (feature.kind !== 'sequence') {
      columns.push({ id: feature.name, role: feature, owner, option: `features.${feature.name}.column`, text: feature.columns[surface.name]!, side: feature.side });
    } else if (feature.events === undefined) {
      for (const field of feature.fields) {
        if (field.kind !== 'id') continue;
        const option = `features.${feature.name}.fields.${field.name}.column`;
        columns.push({
          id: fieldColumn(feature.name, field.name),
          role: feature,
          owner: `${owner}, field "${field.name}"`,
          option,
          text: field.column,
          side: 'request',
        });
      }
      if (feature.time !== undefined) {
        columns.push({
          id: eventTimeColumn(feature.name),
          role: feature,
          owner: `${owner}, its event times`,
          option: `features.${feature.name}.time`,
          text: feature.time,
          side: 'request',
        });
      }
    }
  }
  for (const task of project.tasks) {
    if (!task.surfaces.includes(surface.name)) continue;
    columns.push({
      id: labelColumn(task.name),
      role: 'label',
      owner: `task "${task.name}"`,
      option: `tasks.${task.name}.label`,
      text: task.labels[surface.name]!,
      side: 'candidate',
    });
    const probability = (id: string, owner: string, option: 'truth' | 'outside'): readonly MappedColumn[] => {
      const text = project.data[option][task.name];
      return text === undefined ? [] : [{ id, role: 'probability', owner, option: `data.${option}.${task.name}`, text, side: 'candidate' }];
    };
    columns.push(
      ...probability(truthColumn(task.name), `the true probability of "${task.name}"`, 'truth'),
      ...probability(outsideColumn(task.name), `the outside model's "${task.name}"`, 'outside'),
    );
  }
  return columns;
};

/** A column of that name, whatever characters it has, or else the text as an expression. */
export const columnSql = (relation: Relation, text: string): string => {
  const lower = text.toLowerCase();
  const column = relation.columns.find((name) => name === text) ?? relation.columns.find((name) => name.toLowerCase() === lower);
  return column === undefined ? `(${text})` : quoteIdentifier(column);
};

const explainColumn = (error: unknown, column: MappedColumn, context: DescribeContext): DataError => {
  const { owner, relation } = context;
  const message = error instanceof Error ? error.message : String(error);
  const missing = /Referenced column "([^"]+)" not found|column named "([^"]+)"/.exec(message);
  const name = missing?.[1] ?? missing?.[2];
  if (name === undefined) {
    const explained = explainDuckDbError(error, { where: `${owner}, ${column.owner} (${column.text})` });
    return new DataError(explained.message, { where: column.option, expected: 'a column or a DuckDB expression', fix: `correct ${column.option}`, cause: error });
  }
  const near = closest(name, relation.columns);
  return new DataError(
    `${owner}, ${column.owner}: there is no column "${name}"${near === undefined ? '.' : `; did you mean "${near}"?`} The source has ${listNames(relation.columns, 60)}`,
    {
      where: column.option,
      expected: 'a column of the source, or an expression over its columns',
      fix: near === undefined ? `set ${column.option} to the right column, or leave the surface out of "surfaces"` : `set ${column.option} to "${near}"`,
      cause: error,
    },
  );
};

const describe = async (database: Database, expressions: readonly string[], context: DescribeContext): Promise<readonly string[]> => {
  const list = expressions.map((sql, index) => `${sql} AS "@r${index}"`).join(', ');
  const filter = context.where === undefined ? '' : ` WHERE (${context.where})`;
  const rows = await database.rows<{ column_type: string }>(`DESCRIBE SELECT ${list} FROM ${context.relation.sql}${filter}`);
  return rows.map((row) => row.column_type);
};

/**
 * Finds each mapped column in the source.
 *
 * @throws DataError that names the first column that is not there (with the nearest name and all that are), an
 *   expression DuckDB refuses, or a candidate column that is no list in layout `request`
 */
export const describeColumns = async (database: Database, columns: readonly MappedColumn[], context: DescribeContext): Promise<readonly DescribedColumn[]> => {
  const { owner, relation } = context;
  const found = columns.map((column) => columnSql(relation, column.text));
  let types: readonly string[];
  try {
    types = await describe(database, found, context);
  } catch (error) {
    try {
      await describe(database, ['1'], context);
    } catch (cause) {
      throw explainColumn(cause, { id: 'where', role: 'key', owner: 'its condition', option: context.whereOption, text: context.where ?? '', side: 'request' }, context);
    }
    for (const [index, sql] of found.entries()) {
      try {
        await describe(database, [sql], context);
      } catch (cause) {
        throw explainColumn(cause, columns[index]!, context);
      }
    }
    throw explainDuckDbError(error, { where: owner });
  }
  return columns.map((column, index) => {
    const type = parsePhysicalType(types[index]!);
    if (column.side === 'request' || relation.layout === 'candidate') return { ...column, sql: found[index]!, type };
    const element = elementType(type);
    if (element === undefined) {
      throw new DataError(`${owner}, ${column.owner}: "${column.text}" is ${describeType(type)}, not a list`, {
        where: column.option,
        expected: "a list with one element per candidate, as the source's layout is 'request'",
        fix: `map it to a list, for example list_transform(ids, lambda id: …), or make it a request-side feature`,
      });
    }
    return { ...column, sql: found[index]!, type: element };
  });
};
