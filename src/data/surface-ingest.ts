/**
 * Reads one surface's source into the merged schema: every row cast, checked and kept, the bad ones marked.
 *
 * Layout `candidate` gives one table of rows; layout `request` gives rows of requests, and candidates unnested from
 * their lists. Times in these tables are epoch microseconds, so that "strictly before" is not blurred by rounding.
 */
import { DataError } from '../config/errors.js';
import type { Feature, Project, Surface } from '../config/project.js';
import {
  canonicalKey,
  canonicalLabel,
  canonicalNumber,
  canonicalProbability,
  canonicalText,
  canonicalTexts,
  canonicalTime,
  canonicalTimes,
  canonicalVector,
  oneOf,
  type Canonical,
  type Check,
} from './canonical.js';
import { checkedSelectSql, checksOf, rawName, type CheckedColumn, type CheckedSelect } from './checked-select.js';
import { quoteIdentifier, type Database } from './duckdb.js';
import type { DescribedColumn } from './mapped-columns.js';
import type { DescribedSurface } from './merge-declarations.js';
import { surfaceOwner } from './relations.js';
import { runStep } from './sql-step.js';
import { eventTimeColumn, fieldColumn } from './staged.js';

/** A table of checked rows, with what its codes mean. */
export interface CheckedTable {
  /** Quoted name. */
  readonly sql: string;
  readonly checks: readonly Check[];
}

export interface IngestedSurface {
  readonly surface: Surface;
  readonly index: number;
  readonly described: DescribedSurface;
  readonly rows: CheckedTable;
  /** Layout `request`: candidates, each with `@parent`, the rowid of its request's row. Else they are the rows themselves. */
  readonly candidates: CheckedTable | undefined;
}

const canonicalFeature = (owner: string, feature: Feature, column: DescribedColumn, ref: string): Canonical => {
  switch (feature.kind) {
    case 'categorical':
      return canonicalText(owner, column, ref);
    case 'multi':
      return canonicalTexts(owner, column, ref);
    case 'number':
      return canonicalNumber(owner, column, ref);
    case 'vector':
      return canonicalVector(owner, column, ref, feature.size);
    case 'sequence':
      return column.id === eventTimeColumn(feature.name) ? canonicalTimes(owner, column, ref, feature.timeUnit) : canonicalTexts(owner, column, ref);
  }
};

/** A column of a surface in the merged schema, and what makes a row of it bad. */
export const canonicalOf = (surface: Surface, column: DescribedColumn, ref: string): Canonical => {
  const owner = surfaceOwner(surface.name);
  const { role } = column;
  switch (role) {
    case 'key':
      return canonicalKey(owner, column, ref);
    case 'time':
      return canonicalTime(owner, column, ref, surface.keys.timeUnit);
    case 'view_type': {
      const key = canonicalKey(owner, column, ref);
      const declared = surface.viewTypes === undefined ? [] : [oneOf(column.owner, quoteIdentifier(column.id), surface.viewTypes)];
      return { sql: key.sql, checks: [...key.checks, ...declared] };
    }
    case 'label':
      return canonicalLabel(owner, column, ref);
    case 'probability':
      return canonicalProbability(owner, column, ref);
    default:
      return canonicalFeature(owner, role, column, ref);
  }
};

type Sequence = Extract<Feature, { kind: 'sequence' }>;

const inRowSequences = (project: Project, surface: Surface): readonly Sequence[] =>
  project.features.filter((feature): feature is Sequence => feature.kind === 'sequence' && feature.events === undefined && feature.surfaces.includes(surface.name));

const listColumns = (sequence: Sequence): readonly string[] => [
  ...sequence.fields.filter((field) => field.kind === 'id').map((field) => fieldColumn(sequence.name, field.name)),
  ...(sequence.time === undefined ? [] : [eventTimeColumn(sequence.name)]),
];

const lengthOf = (list: string): string => `coalesce(len(${list}), 0)`;

const lengthsText = (names: readonly string[], lists: readonly string[]): string =>
  lists.map((list, index) => `'${names[index]!.replaceAll("'", "''")}: ' || ${lengthOf(list)}`).join(" || ', ' || ");

const sequenceChecks = (sequence: Sequence): readonly Check[] => {
  const owner = `feature "${sequence.name}"`;
  const names = listColumns(sequence);
  const lists = names.map(quoteIdentifier);
  const checks: Check[] = [];
  if (lists.length > 1) {
    checks.push({
      condition: lists.slice(1).map((list) => `${lengthOf(list)} <> ${lengthOf(lists[0]!)}`).join(' OR '),
      reason: `${owner}: its lists differ in length`,
      value: lengthsText(names, lists),
      expected: 'one element per event in every list',
    });
  }
  if (sequence.time !== undefined) {
    const times = quoteIdentifier(eventTimeColumn(sequence.name));
    checks.push({
      condition: `list_max(${times}) >= "@time"`,
      reason: `${owner}: history from the future`,
      value: `'event at ' || make_timestamp(list_max(${times})) || ', request at ' || make_timestamp("@time")`,
      expected: "events strictly before the request's time",
    });
  }
  return checks;
};

/** The newest events of an in-row sequence; its times in milliseconds. */
const sequenceOutputs = (sequences: readonly Sequence[]): ReadonlyMap<string, string> => {
  const outputs = new Map<string, string>();
  for (const sequence of sequences) {
    for (const name of listColumns(sequence)) {
      const newest = `coalesce(${quoteIdentifier(name)}[-${sequence.length}:], [])`;
      outputs.set(name, name === eventTimeColumn(sequence.name) ? `list_transform(${newest}, lambda "@x": "@x" // 1000)` : newest);
    }
  }
  return outputs;
};

const candidateLists = (columns: readonly DescribedColumn[]): Readonly<Record<string, string>> =>
  Object.fromEntries(columns.map((column, index) => [`"@l${index}"`, column.sql]));

/** Checks of a request's candidate lists; `"@l0"`, `"@l1"` … are the columns' lists. */
export const candidateListChecks = (columns: readonly DescribedColumn[]): readonly Check[] => {
  const lists = columns.map((_, index) => `"@l${index}"`);
  const longest = `greatest(${lists.map(lengthOf).join(', ')})`;
  return [
    {
      condition: `${longest} = 0`,
      reason: 'a request without candidates',
      value: "'no candidates'",
      expected: 'at least one candidate in every request',
    },
    {
      condition: lists.map((list) => `len(${list}) <> ${longest}`).join(' OR '),
      reason: 'candidate lists differ in length',
      value: lengthsText(columns.map((column) => column.text), lists),
      expected: 'one element per candidate in every list, or NULL instead of the list',
    },
  ];
};

/** Reads a surface, whose types have been checked against the others'. */
export const ingestSurface = async (database: Database, project: Project, described: DescribedSurface, index: number): Promise<IngestedSurface> => {
  const surface = project.surfaces[index]!;
  const owner = surfaceOwner(surface.name);
  const { relation } = described;
  const nested = relation.layout === 'request';
  const sequences = inRowSequences(project, surface);
  const outputs = sequenceOutputs(sequences);
  const checked = (columns: readonly DescribedColumn[], raw: (column: DescribedColumn, position: number) => string): readonly CheckedColumn[] =>
    columns.map((column, position) => {
      const output = outputs.get(column.id);
      const base = { id: column.id, text: column.text, raw: raw(column, position), canonical: canonicalOf(surface, column, rawName(position)) };
      return output === undefined ? base : { ...base, output };
    });

  const requestSide = described.columns.filter((column) => column.side === 'request');
  const candidateSide = described.columns.filter((column) => column.side === 'candidate');
  if (nested && candidateSide.length === 0) {
    throw new DataError(`${owner}: nothing is mapped to its candidates`, { where: owner, expected: 'a task or a candidate-side feature', fix: "use layout 'candidate'" });
  }
  const rows: CheckedSelect = {
    from: relation.sql,
    where: described.where,
    kept: { '"@file"': '"@file"', '"@row"': '"@row"', ...(nested ? candidateLists(candidateSide) : {}) },
    columns: checked(nested ? requestSide : described.columns, (column) => column.sql),
    checks: [...sequences.flatMap(sequenceChecks), ...(nested ? candidateListChecks(candidateSide) : [])],
    // Rows of one request must agree on everything but their candidates.
    derived: { '"@hash"': `hash(${requestSide.map((column) => quoteIdentifier(column.id)).join(', ')})` },
  };
  const rowsTable = quoteIdentifier(`rows_${index}`);
  await runStep(database, owner, `CREATE TEMP TABLE ${rowsTable} AS ${checkedSelectSql(rows)}`);
  const ingested = { surface, index, described, rows: { sql: rowsTable, checks: checksOf(rows) } };
  if (!nested) return { ...ingested, candidates: undefined };

  const unnested = candidateSide.map((_, position) => `unnest("@l${position}") AS "@l${position}"`).join(', ');
  const candidates: CheckedSelect = {
    from: `(SELECT rowid AS "@parent", ${unnested} FROM ${rowsTable} WHERE "@code" IS NULL)`,
    where: undefined,
    kept: { '"@parent"': '"@parent"' },
    columns: checked(candidateSide, (_, position) => `"@l${position}"`),
    checks: [],
  };
  const candidatesTable = quoteIdentifier(`candidates_${index}`);
  await runStep(database, owner, `CREATE TEMP TABLE ${candidatesTable} AS ${checkedSelectSql(candidates)}`);
  return { ...ingested, candidates: { sql: candidatesTable, checks: checksOf(candidates) } };
};
