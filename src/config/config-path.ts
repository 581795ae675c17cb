/** Paths into a config, as issues print them. */
import type { Issue } from './errors.js';

export type ConfigPath = readonly PropertyKey[];

/** `features.age.on.search`, `models.unified.mlp[1]`; names that are not plain words are quoted. */
export function joinPath(path: ConfigPath): string {
  let joined = '';
  for (const part of path) {
    if (typeof part === 'number') joined += `[${part}]`;
    else if (/^[\w$-]+$/.test(String(part))) joined += joined === '' ? String(part) : `.${String(part)}`;
    else joined += `[${JSON.stringify(String(part))}]`;
  }
  return joined === '' ? '(root)' : joined;
}

/** An {@link Issue} at a path given in parts. */
export function issueAt(path: ConfigPath, message: string, expected: string, fix: string): Issue {
  return { path: joinPath(path), message, expected, fix };
}
