/** Sources, view types and the split: what holds between their options. */
import type { ConfigParts } from './config-parts.js';
import { issueAt, type ConfigPath } from './config-path.js';
import type { Issue } from './errors.js';
import { parseMoment } from './moment.js';
import type { ProjectConfig, Source, SurfaceConfig } from './project.js';

const checkSource = (path: ConfigPath, source: Source): Issue[] => {
  const both = 'files' in source && source.files !== undefined && 'sql' in source;
  const neither = !('files' in source && source.files !== undefined) && !('sql' in source);
  if (both || neither) {
    return [
      issueAt(
        path,
        both ? 'has both files and sql' : 'has neither files nor sql',
        "{ files: 'logs/*.parquet' } or { sql: 'select …' }",
        both ? 'remove one of them; a query can read files by itself' : 'add files or sql',
      ),
    ];
  }
  if ('sql' in source && 'format' in source) {
    return [issueAt([...path, 'format'], 'a query has no format', 'format only with files', 'remove format')];
  }
  return [];
};

const checkViewTypes = (path: ConfigPath, surface: SurfaceConfig): Issue[] => {
  const issues: Issue[] = [];
  if (surface.viewTypes !== undefined && surface.viewType === undefined) {
    issues.push(
      issueAt(
        [...path, 'viewTypes'],
        'lists view types, and nothing says which one a row has',
        'viewType: a column or DuckDB expression',
        "add viewType, e.g. viewType: 'view_type', or remove viewTypes",
      ),
    );
  }
  surface.viewTypes?.forEach((viewType, index, all) => {
    if (all.indexOf(viewType) === index) return;
    issues.push(
      issueAt([...path, 'viewTypes', index], `${JSON.stringify(viewType)} is listed twice`, 'each view type once', 'remove one of them'),
    );
  });
  return issues;
};

const checkMoments = (split: Extract<ProjectConfig['split'], { validationFrom: unknown }>): Issue[] => {
  const issues: Issue[] = [];
  let before: { readonly name: string; readonly at: number } | undefined;
  for (const name of ['from', 'validationFrom', 'testFrom', 'until'] as const) {
    const moment = split[name];
    if (moment === undefined) continue;
    const at = parseMoment(moment);
    if (at === undefined) {
      issues.push(
        issueAt(
          ['split', name],
          `${JSON.stringify(moment)} is not a moment`,
          'an ISO date or date-time (UTC unless it says otherwise), or epoch milliseconds',
          "write it as '2025-01-31' or '2025-01-31T18:00:00Z'",
        ),
      );
      continue;
    }
    if (before !== undefined && at <= before.at) {
      issues.push(
        issueAt(
          ['split', name],
          `${JSON.stringify(moment)} is not after ${before.name}, ${JSON.stringify(split[before.name as typeof name])}`,
          'from < validationFrom < testFrom < until',
          `set ${name} to a moment after ${before.name}`,
        ),
      );
    }
    before = { name, at };
  }
  return issues;
};

const checkSplit = (split: NonNullable<ProjectConfig['split']>): Issue[] => {
  const has = (name: string): boolean => (split as Record<string, unknown>)[name] !== undefined;
  const moments = ['from', 'validationFrom', 'testFrom', 'until'].filter(has);
  const fractions = ['validation', 'test'].filter(has);
  const expected = '{ validationFrom, testFrom, from?, until? } or { validation, test }';
  if (moments.length > 0 && fractions.length > 0) {
    return [
      issueAt(['split'], `mixes moments (${moments.join(', ')}) with fractions (${fractions.join(', ')})`, expected, 'keep one of the two forms'),
    ];
  }
  const required = moments.length > 0 ? ['validationFrom', 'testFrom'] : ['validation', 'test'];
  const missing = required.filter((name) => !has(name));
  if (missing.length > 0) {
    return missing.map((name) =>
      issueAt(['split', name], 'is missing', expected, `add ${name}${moments.length > 0 ? ", e.g. '2025-01-31'" : ', e.g. 0.1'}`),
    );
  }
  if ('validation' in split && split.validation !== undefined) {
    const total = split.validation + split.test;
    if (total < 1) return [];
    return [
      issueAt(['split'], `validation and test take ${total} of the requests`, 'a sum below 1: the rest is for training', 'lower validation or test, e.g. 0.1 each'),
    ];
  }
  return checkMoments(split as Extract<ProjectConfig['split'], { validationFrom: unknown }>);
};

/** Every issue of sources, view types and the split. */
export function checkSources(parts: ConfigParts): Issue[] {
  return [
    ...Object.entries(parts.surfaces).flatMap(([name, surface]) => [
      ...checkSource(['surfaces', name, 'source'], surface.source),
      ...checkViewTypes(['surfaces', name], surface),
    ]),
    ...Object.entries(parts.features).flatMap(([name, feature]) =>
      feature.kind === 'sequence' && feature.events !== undefined
        ? checkSource(['features', name, 'events', 'source'], feature.events.source)
        : [],
    ),
    ...(parts.split === undefined ? [] : checkSplit(parts.split)),
  ];
}
