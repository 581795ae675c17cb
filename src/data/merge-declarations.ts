/** Conflicts between surfaces that their declarations and column types already show, before a row is read. */
import type { Issue } from '../config/errors.js';
import type { Feature, Project } from '../config/project.js';
import type { Database } from './duckdb.js';
import type { DescribedColumn } from './mapped-columns.js';
import { describeType, type PhysicalType } from './physical-type.js';
import type { Relation } from './relations.js';
import { queryStep } from './sql-step.js';

/** A surface's columns as found in its source. */
export interface DescribedSurface {
  readonly surface: string;
  readonly relation: Relation;
  readonly where: string | undefined;
  readonly columns: readonly DescribedColumn[];
}

interface Definition {
  readonly described: DescribedSurface;
  readonly column: DescribedColumn;
  /** What must be equal on every surface; `undefined` where no value says. */
  readonly kind: string | undefined;
}

const kindOf = (type: PhysicalType, feature: Feature): string => {
  // 0 and 1 lose nothing as numbers, but "true" is another id than "1".
  const scalar = feature.kind === 'number' && type.scalar === 'boolean' ? 'number' : type.scalar;
  return `${type.list ? 'list of ' : ''}${scalar}`;
};

/**
 * Text in a text file proves little: DuckDB calls a column VARCHAR when it is empty, or when one value of thousands is
 * broken. Such a column counts as what most of its values are; the broken ones are bad rows, not a conflict.
 */
const softenText = async (database: Database, definition: Definition): Promise<Definition> => {
  const { described, column } = definition;
  if (column.type.list || described.relation.layout === 'request') return definition;
  const filter = described.where === undefined ? '' : ` WHERE (${described.where})`;
  const [row] = await queryStep<{ present: number; numbers: number }>(
    database,
    `${described.surface}, ${column.owner}`,
    `SELECT count(x) AS present, count(TRY_CAST(CAST(x AS VARCHAR) AS DOUBLE)) AS numbers FROM (SELECT ${column.sql} AS x FROM ${described.relation.sql}${filter})`,
  );
  if (row === undefined || row.present === 0) return { ...definition, kind: undefined };
  const loose = column.type.scalar === 'text' && described.relation.rowsRunOn;
  return loose && row.numbers * 2 >= row.present ? { ...definition, kind: 'number' } : definition;
};

const typeIssue = (feature: Feature, a: Definition, b: Definition): Issue => ({
  path: `features.${feature.name}`,
  message: `"${feature.name}" is ${describeType(a.column.type)} on ${a.described.surface} (${a.column.text}) and ${describeType(b.column.type)} on ${b.described.surface} (${b.column.text})`,
  expected: 'the same type of values on every surface that has the feature',
  fix: `map one side with a cast, such as features.${feature.name}.on.${b.described.surface}.column: 'CAST(${b.column.text} AS ${a.column.type.sql})', or declare two features`,
});

const declarationIssues = (feature: Feature, what: 'unit' | 'vocabulary', declared: Readonly<Record<string, string | undefined>>): readonly Issue[] => {
  const sides = feature.surfaces.flatMap((surface) => (declared[surface] === undefined ? [] : [{ surface, value: declared[surface] }]));
  const first = sides[0];
  return sides
    .filter((side) => side.value !== first?.value)
    .slice(0, 1)
    .map((side) => ({
      path: `features.${feature.name}.on.${side.surface}.${what}`,
      message: `"${feature.name}" has the ${what} "${first!.value}" on ${first!.surface} and "${side.value}" on ${side.surface}`,
      expected: `one ${what} on every surface that has the feature`,
      fix:
        what === 'unit'
          ? `convert one side in features.${feature.name}.on.${side.surface}.column and declare the same unit, or declare two features`
          : `map one id space to the other in features.${feature.name}.on.${side.surface}.column, or declare two features, each with its own table`,
    }));
};

/** Conflicts of type, unit and vocabulary; at most one of each for a feature. */
export const findDeclarationConflicts = async (database: Database, project: Project, surfaces: readonly DescribedSurface[]): Promise<readonly Issue[]> => {
  const issues: Issue[] = [];
  for (const feature of project.features) {
    if (feature.kind !== 'sequence') {
      issues.push(...declarationIssues(feature, 'unit', feature.units), ...declarationIssues(feature, 'vocabulary', feature.vocabularies));
    }
    const ids = feature.kind === 'sequence' ? feature.fields.map((field) => `${feature.name}.${field.name}`) : [feature.name];
    for (const id of ids) {
      let definitions: Definition[] = surfaces.flatMap((described) =>
        described.columns.filter((column) => column.id === id).map((column) => ({ described, column, kind: kindOf(column.type, feature) })),
      );
      if (new Set(definitions.map((definition) => definition.kind)).size < 2) continue;
      definitions = await Promise.all(definitions.map((definition) => softenText(database, definition)));
      const told = definitions.filter((definition) => definition.kind !== undefined);
      const other = told.find((definition) => definition.kind !== told[0]?.kind);
      if (other !== undefined) issues.push(typeIssue(feature, told[0]!, other));
    }
  }
  return issues;
};
