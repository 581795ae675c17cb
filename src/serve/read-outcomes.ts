/** Labels that came in for predictions that were served. */
import { z } from 'zod';
import type { OutcomesReport } from './observe/score-metrics.js';
import { RequestError } from './request-error.js';

const outcomesSchema = z.strictObject({
  surface: z.string(),
  version: z.string(),
  viewType: z.string(),
  task: z.string(),
  rows: z.number().int().nonnegative(),
  labels: z.number().nonnegative(),
  predictions: z.number().nonnegative(),
});

/** A report, as errors show it. */
export const OUTCOMES_EXPECTED = '{"surface", "version", "viewType", "task", "rows": n, "labels": sum, "predictions": sum}';

/**
 * Reads a report of outcomes: sums over rows of one surface, version, view type and task.
 *
 * @throws RequestError `invalid` naming the field
 */
export const readOutcomes = (body: unknown): OutcomesReport => {
  const read = outcomesSchema.safeParse(body);
  if (read.success) return read.data;
  const [issue] = read.error.issues;
  throw new RequestError('invalid', `this is no report of outcomes: ${issue!.message}`, {
    path: issue!.path.join('.'),
    expected: OUTCOMES_EXPECTED,
    cause: read.error,
  });
};
