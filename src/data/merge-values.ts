/** Conflicts between surfaces that only their values show: ids of different spaces, numbers of different units. */
import type { Issue } from '../config/errors.js';
import type { Feature, Project } from '../config/project.js';
import { quoteIdentifier, type Database } from './duckdb.js';
import type { MergedColumn, MergeReport } from './merge-report.js';
import { queryStep } from './sql-step.js';
import { STAGED_CANDIDATES, STAGED_REQUESTS } from './staged.js';

/** Fewer distinct values, or fewer numbers, than this prove nothing. */
const ENOUGH = 20;
/** Typical magnitudes further apart than this are another unit, not another audience. */
const ABSURD_RATIO = 100;

const declaredEqual = (declared: Readonly<Record<string, string | undefined>>, a: string, b: string): boolean =>
  declared[a] !== undefined && declared[a] === declared[b];

const scaleIssue = (feature: Extract<Feature, { kind: 'number' }>, merged: MergedColumn): readonly Issue[] => {
  const sides = Object.entries(merged.surfaces).flatMap(([surface, { numbers, column }]) =>
    numbers === undefined || numbers.nonZero < ENOUGH ? [] : [{ surface, column, magnitude: numbers.typicalMagnitude }],
  );
  sides.sort((a, b) => a.magnitude - b.magnitude);
  for (const low of sides) {
    for (const high of sides.toReversed()) {
      const ratio = high.magnitude / low.magnitude;
      if (!(ratio >= ABSURD_RATIO) || declaredEqual(feature.units, low.surface, high.surface)) continue;
      const round = (value: number): string => String(Number(value.toPrecision(3)));
      return [
        {
          path: `features.${feature.name}`,
          message: `"${feature.name}" is typically ${round(low.magnitude)} on ${low.surface} (${low.column ?? ''}) and ${round(high.magnitude)} on ${high.surface} (${high.column ?? ''}): ${round(ratio)} times as much, which looks like another unit`,
          expected: 'numbers in one unit on every surface',
          fix: `convert one side, such as features.${feature.name}.on.${high.surface}.column: '${high.column ?? feature.name} / ${round(ratio)}'; if the unit is the same, declare it: features.${feature.name}.unit`,
        },
      ];
    }
  }
  return [];
};

/** Surfaces whose ids of `feature` occur on none of the others. */
const disjointIssue = async (database: Database, project: Project, feature: Extract<Feature, { kind: 'categorical' }>, merged: MergedColumn): Promise<readonly Issue[]> => {
  const sides = feature.surfaces.filter((surface) => (merged.surfaces[surface]?.distinct ?? 0) >= ENOUGH / 2);
  if (sides.length < 2) return [];
  const name = quoteIdentifier(feature.name);
  const index = (surface: string): number => project.surfaces.findIndex((candidate) => candidate.name === surface);
  const table = feature.side === 'request' ? STAGED_REQUESTS : STAGED_CANDIDATES;
  const values = (surfaces: readonly string[]): string =>
    `SELECT DISTINCT ${name} AS value FROM ${table} WHERE "@surface" IN (${surfaces.map(index).join(', ')}) AND ${name} IS NOT NULL`;
  for (const surface of sides) {
    const others = sides.filter((other) => other !== surface && !declaredEqual(feature.vocabularies, surface, other));
    if (others.length < sides.length - 1) continue;
    // Nearly always a few values settle it, without looking at the rest.
    const [early] = await queryStep(
      database,
      `feature "${feature.name}"`,
      `SELECT 1 FROM ${table} WHERE "@surface" IN (${others.map(index).join(', ')}) AND ${name} IN (${values([surface])} LIMIT 200) LIMIT 1`,
    );
    if (early !== undefined) continue;
    const [row] = await queryStep<{ own: number; theirs: number; common: number }>(
      database,
      `feature "${feature.name}"`,
      `WITH own AS (${values([surface])}), theirs AS (${values(others)})
       SELECT (SELECT count(*) FROM own) AS own, (SELECT count(*) FROM theirs) AS theirs, (SELECT count(*) FROM own SEMI JOIN theirs USING (value)) AS common`,
    );
    const { own, theirs, common } = row!;
    if (own < ENOUGH || theirs < ENOUGH || common > 0) continue;
    const sample = async (side: string): Promise<string> => {
      const rows = await queryStep<{ value: string }>(database, feature.name, `SELECT value FROM (${values([side])}) ORDER BY value LIMIT 3`);
      return rows.map(({ value }) => JSON.stringify(value)).join(', ');
    };
    const other = others[0]!;
    return [
      {
        path: `features.${feature.name}`,
        message: `"${feature.name}" has no value in common between ${surface} (${own} values, such as ${await sample(surface)}) and ${others.join(', ')} (${theirs} values, such as ${await sample(other)})`,
        expected: 'ids of one space on every surface',
        fix: `map one side to the other's ids in features.${feature.name}.on.${surface}.column, or declare two features; if the ids are of one space, declare the same vocabulary on both: features.${feature.name}.on.${surface}.vocabulary and on.${other}.vocabulary`,
      },
    ];
  }
  return [];
};

/** Conflicts in the staged values of features that surfaces share. */
export const findValueConflicts = async (database: Database, project: Project, report: MergeReport): Promise<readonly Issue[]> => {
  const issues: Issue[] = [];
  for (const merged of report.columns) {
    if (!merged.shared) continue;
    const feature = project.features.find((candidate) => candidate.name === merged.feature)!;
    if (feature.kind === 'number') issues.push(...scaleIssue(feature, merged));
    if (feature.kind === 'categorical') issues.push(...(await disjointIssue(database, project, feature, merged)));
  }
  return issues;
};
