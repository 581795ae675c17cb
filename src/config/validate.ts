/** Validation of a config: its shape, then what holds between its entries; every problem in one go. */
import { checkFeatures } from './check-features.js';
import { checkNames } from './check-names.js';
import { checkModels } from './check-models.js';
import { checkReferences } from './check-references.js';
import { checkSources } from './check-sources.js';
import { checkUnify } from './check-unify.js';
import { soundParts } from './config-parts.js';
import { ConfigError, type Issue } from './errors.js';
import type { ProjectConfig } from './project.js';
import { schemaIssues } from './schema-issues.js';
import { projectSchema } from './schema.js';

/**
 * Every problem of a config, in the order shape, names, references, features, models, unify, sources; none when it is valid.
 * Entries with a fault of shape are left out of the later checks, so that one mistake is one issue.
 */
export function configIssues(config: unknown): Issue[] {
  const parsed = projectSchema.safeParse(config);
  const faults = parsed.success ? [] : schemaIssues(parsed.error, config);
  const shape: Issue[] = faults.map(({ path, message, expected, fix }) => ({ path, message, expected, fix }));
  if (typeof config !== 'object' || config === null || Array.isArray(config)) return shape;
  const parts = soundParts(config as Record<string, unknown>, faults);
  const reported = new Set(shape.map((issue) => issue.path));
  const between = [...checkNames(parts), ...checkReferences(parts), ...checkFeatures(parts), ...checkModels(parts), ...checkUnify(parts), ...checkSources(parts)];
  return [...shape, ...between.filter((issue) => !reported.has(issue.path))];
}

/**
 * Checks a config a user wrote.
 *
 * @param file - where it was read from, for the message
 * @throws ConfigError with every issue found
 */
export function validateConfig(config: unknown, file: string): ProjectConfig {
  const issues = configIssues(config);
  if (issues.length > 0) throw new ConfigError(file, issues);
  return config as ProjectConfig;
}
