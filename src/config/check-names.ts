/** Names become files, columns of the prepared dataset and parts of paths: each must be able to. */
import { issueAt } from './config-path.js';
import type { ConfigParts } from './config-parts.js';
import type { Issue } from './errors.js';

/** Columns that every prepared dataset has beside the features. */
export const RESERVED_COLUMNS: readonly string[] = [
  'request_id',
  'user_id',
  'time',
  'surface',
  'view_type',
  'candidate_offset',
  'candidate_count',
  'weight',
];

/** What separates parts of a column's, a table's or a view type's full name. */
const SEPARATORS = /[.@/]/;
const FILE_NAME = /^[A-Za-z][A-Za-z0-9_-]*$/;

const checkFileNames = (kind: 'surfaces' | 'tasks' | 'models', parts: ConfigParts): Issue[] =>
  parts.names[kind]
    .filter((name) => !FILE_NAME.test(name) || name in {})
    .map((name) =>
      issueAt(
        [kind, name],
        `${JSON.stringify(name)} cannot name a file or a column`,
        'a letter, then letters, digits, "_" or "-"',
        `rename it, e.g. ${JSON.stringify(`${kind.slice(0, -1)}_${name.replaceAll(/[^A-Za-z0-9_-]+/g, '_')}`)}`,
      ),
    );

const featureNameIssue = (path: PropertyKey[], name: string, what: string): Issue | undefined => {
  if (name.trim() === '' || name in {}) {
    return issueAt(path, `${JSON.stringify(name)} cannot name a ${what}`, 'a name with a letter in it', 'rename it');
  }
  const separator = SEPARATORS.exec(name)?.[0];
  if (separator === undefined) return undefined;
  return issueAt(
    path,
    `the name has "${separator}" in it, which separates the parts of column names`,
    `a ${what} name without ".", "@" and "/"`,
    `rename it to ${JSON.stringify(name.replaceAll(/[.@/]+/g, '_'))}${what === 'feature' ? " and name its column with `column`" : ''}`,
  );
};

const checkFeatureNames = (parts: ConfigParts): Issue[] =>
  parts.names.features.flatMap((name) => {
    const issue = featureNameIssue(['features', name], name, 'feature');
    if (issue !== undefined) return [issue];
    if (!RESERVED_COLUMNS.includes(name.toLowerCase())) return [];
    return [
      issueAt(
        ['features', name],
        `${JSON.stringify(name)} is a column of every prepared dataset`,
        `a name other than ${RESERVED_COLUMNS.join(', ')}, label.*, truth.* and outside.*`,
        `rename the feature, e.g. ${JSON.stringify(`${name}_feature`)}, with column: ${JSON.stringify(name)}`,
      ),
    ];
  });

const checkFieldAndTableNames = (parts: ConfigParts): Issue[] =>
  Object.entries(parts.features).flatMap(([name, feature]) => {
    const named: [PropertyKey[], string | undefined, string][] = [];
    if (feature.kind === 'categorical' || feature.kind === 'multi') named.push([['features', name, 'table'], feature.table, 'table']);
    if (feature.kind === 'sequence') {
      for (const [field, declared] of Object.entries(feature.fields)) {
        named.push([['features', name, 'fields', field], field, 'field']);
        if (declared.kind !== 'time_gap') named.push([['features', name, 'fields', field, 'table'], declared.table, 'table']);
      }
    }
    return named.flatMap(([path, value, what]) => (value === undefined ? [] : (featureNameIssue(path, value, what) ?? [])));
  });

/** DuckDB compares column names, and some file systems file names, without regard to case. */
const checkCase = (kind: 'surfaces' | 'features' | 'tasks' | 'models', parts: ConfigParts): Issue[] => {
  const first = new Map<string, string>();
  return parts.names[kind].flatMap((name) => {
    const other = first.get(name.toLowerCase());
    if (other === undefined) {
      first.set(name.toLowerCase(), name);
      return [];
    }
    return [
      issueAt(
        [kind, name],
        `${JSON.stringify(name)} and ${JSON.stringify(other)} differ only in case`,
        'names that differ in more than case',
        `rename one of ${kind}.${other} and ${kind}.${name}`,
      ),
    ];
  });
};

/** Every issue of names: of surfaces, features, sequence fields, tables, tasks and models. */
export function checkNames(parts: ConfigParts): Issue[] {
  return [
    ...checkFileNames('surfaces', parts),
    ...checkFileNames('tasks', parts),
    ...checkFileNames('models', parts),
    ...checkFeatureNames(parts),
    ...checkFieldAndTableNames(parts),
    ...checkCase('surfaces', parts),
    ...checkCase('features', parts),
    ...checkCase('tasks', parts),
    ...checkCase('models', parts),
  ];
}
