/** What is wrong with what is no update of features. */
import type { z } from 'zod';

/** What an update is of: each kind has one of these. */
const KINDS = ['user', 'item', 'event'] as const;

const isObject = (value: unknown): value is Readonly<Record<string, unknown>> => typeof value === 'object' && value !== null;

/**
 * The problems of the kind that the update is of, by field, as `ttl: expected number`; an update of no kind, or of two, has none.
 *
 * @param error why it was refused
 */
export const updateProblems = (update: unknown, error: z.ZodError): readonly string[] => {
  if (!isObject(update)) return [];
  const kinds = KINDS.filter((kind) => kind in update);
  const [issue] = error.issues;
  if (kinds.length !== 1 || issue === undefined) return [];
  // Where it has the form of its kind, only that kind's problems are told; else those of all, of which the others' begin with the kind that is not there.
  const own =
    issue.code === 'invalid_union' && issue.path.length === 0
      ? issue.errors.find((problems) => !problems.some(({ path }) => path.length === 1 && KINDS.some((kind) => kind === path[0] && kind !== kinds[0])))
      : error.issues;
  return (own ?? []).map(({ path, message }) => (path.length === 0 ? message : `${path.join('.')}: ${message}`));
};
