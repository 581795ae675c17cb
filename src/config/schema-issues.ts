/** Turns zod's findings into the project's {@link Issue}s: where, what was found, what was expected, and the fix. */
import type { z } from 'zod';
import type { Issue } from './errors.js';
import { joinPath, type ConfigPath } from './config-path.js';
import { closest, didYouMean, listNames } from './suggest.js';

type Found = z.core.$ZodIssue;

/** An issue with its path still in parts, so that the entry it spoils can be found. */
export interface LocatedIssue extends Issue {
  readonly keys: ConfigPath;
  /**
   * Whether later checks should leave the entry out. A key nothing like a known one leaves the rest readable; a
   * misspelt one means that the option it stands for would be reported as missing, too.
   */
  readonly spoils: boolean;
}

const valueAt = (input: unknown, path: ConfigPath): unknown => {
  let value = input;
  for (const part of path) {
    if (typeof value !== 'object' || value === null) return undefined;
    value = (value as Record<PropertyKey, unknown>)[part];
  }
  return value;
};

/** What stands there, shortly. */
export function describe(value: unknown): string {
  if (value === undefined) return 'nothing';
  if (value === null) return 'null';
  if (typeof value === 'string') return JSON.stringify(value.length > 60 ? `${value.slice(0, 57)}…` : value);
  if (typeof value === 'number' || typeof value === 'boolean' || typeof value === 'bigint') return String(value);
  if (Array.isArray(value)) return value.length === 0 ? 'an empty list' : `a list of ${value.length}`;
  return typeof value === 'object' ? 'an object' : `a ${typeof value}`;
}

const unknownKeys = (issue: z.core.$ZodIssueUnrecognizedKeys, path: ConfigPath): LocatedIssue[] => {
  const known = issue.message.split(', ');
  return issue.keys.map((key) => ({
    keys: [...path, key],
    spoils: closest(key, known) !== undefined,
    path: joinPath([...path, key]),
    message: `unknown option ${JSON.stringify(key)}`,
    expected: `one of ${known.join(', ')}`,
    fix: closest(key, known) === undefined ? 'remove it, or check its spelling' : didYouMean(key, known),
  }));
};

/** Values a closed choice would take. */
const choices = (issue: Found): string[] | undefined => {
  if (issue.code === 'invalid_value') return issue.values.map(String);
  const quoted = [...issue.message.matchAll(/'(\w+)'/g)].map((match) => match[1]!);
  return issue.code === 'invalid_union' && quoted.length > 0 ? quoted : undefined;
};

/** The branch of a union that the user most likely meant: the one whose findings lie deepest. */
const likelyBranch = (issue: z.core.$ZodIssueInvalidUnion): readonly Found[] | undefined => {
  const deepest = issue.errors
    .map((branch) => ({ branch, depth: Math.max(0, ...branch.map((inner) => inner.path.length + (inner.code === 'unrecognized_keys' ? 1 : 0))) }))
    .sort((a, b) => b.depth - a.depth)[0];
  return deepest !== undefined && deepest.depth > 0 ? deepest.branch : undefined;
};

const describeFinding = (issue: Found, input: unknown, before: ConfigPath): LocatedIssue[] => {
  const path = [...before, ...issue.path];
  if (issue.code === 'unrecognized_keys') return unknownKeys(issue, path);
  if (issue.code === 'invalid_union') {
    const branch = likelyBranch(issue);
    if (branch !== undefined) return branch.flatMap((inner) => describeFinding(inner, input, path));
  }
  const value = valueAt(input, path);
  const values = typeof value === 'string' ? choices(issue) : undefined;
  const where = joinPath(path);
  return [
    {
      keys: path,
      spoils: true,
      path: where,
      message: value === undefined ? 'is missing' : `is ${describe(value)}`,
      expected: issue.message,
      fix:
        values === undefined
          ? value === undefined
            ? `add ${where}: ${issue.message}`
            : `set ${where} to ${issue.message}`
          : closest(value as string, values) === undefined
            ? `use ${listNames(values)}`
            : didYouMean(value as string, values),
    },
  ];
};

/** All findings of a failed parse of `input`, each once. */
export function schemaIssues(error: z.ZodError, input: unknown): LocatedIssue[] {
  const found = error.issues.flatMap((issue) => describeFinding(issue, input, []));
  return [...new Map(found.map((issue) => [`${issue.path}\n${issue.expected}`, issue])).values()];
}
