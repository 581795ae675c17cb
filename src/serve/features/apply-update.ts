/** Changes to a feature store from outside: checked before anything is written. */
import { z } from 'zod';
import { EXACT, isExact } from '../json/exact-text.js';
import { RequestError } from '../request-error.js';
import { LONGEST_ID, LONGEST_SEQUENCE, LONGEST_TTL, type FeatureStore, type FeatureUpdate } from './feature-store.js';
import { updateProblems } from './update-problems.js';

const scalar = z.union([z.string(), z.number(), z.boolean(), z.null()]);
const shortText = (bytes: number): z.ZodString => z.string().min(1).refine((text) => Buffer.byteLength(text) <= bytes, { error: `at most ${bytes} bytes of UTF-8` });
const id = z.union([shortText(LONGEST_ID), z.number().refine(isExact, { error: EXACT })]).transform(String);
const sequence = shortText(LONGEST_SEQUENCE).regex(/^[^.@/]+$/, { error: 'a name of a feature: no ".", "@" or "/"' });
const features = z.record(z.string(), z.union([scalar, z.array(scalar)]));
const ttl = z.number().positive().max(LONGEST_TTL).optional();

/** One update. */
export const updateSchema = z.union([
  z.strictObject({ user: id, features, ttl }),
  z.strictObject({ item: id, features, ttl }),
  z.strictObject({ event: z.strictObject({ sequence, user: id, time: z.number(), fields: z.record(z.string(), scalar) }), ttl }),
]);

const EXPECTED = '{"user": ID, "features": {…}}, {"item": ID, "features": {…}} or {"event": {"sequence", "user", "time", "fields"}}; each with "ttl" in seconds or without';

/**
 * Reads an update.
 *
 * @throws RequestError `invalid`, with the fields that do not fit
 */
export const readUpdate = (value: unknown): FeatureUpdate => {
  const read = updateSchema.safeParse(value);
  if (read.success) return read.data;
  const problems = updateProblems(value, read.error);
  throw new RequestError('invalid', `this is no update of features${problems.length === 0 ? '' : ` (${problems.join('; ')})`}`, { expected: EXPECTED, cause: read.error });
};

/**
 * Writes one update, or a list of them; where one is wrong, none.
 *
 * @throws RequestError `invalid` naming the first that is none; `unavailable` when the store does not take them
 */
export const applyUpdate = async (store: FeatureStore, updates: unknown): Promise<void> => {
  const list = Array.isArray(updates) ? (updates as readonly unknown[]) : [updates];
  const read = list.map((update, index) => {
    try {
      return readUpdate(update);
    } catch (error) {
      if (!(error instanceof RequestError) || !Array.isArray(updates)) throw error;
      throw new RequestError('invalid', `[${index}]: ${error.message}`, { path: `[${index}]`, ...(error.expected === undefined ? {} : { expected: error.expected }), cause: error });
    }
  });
  try {
    await store.write(read);
  } catch (cause) {
    throw new RequestError('unavailable', `the feature store does not take updates now: ${(cause as Error).message}`, { retryAfter: 1, cause });
  }
};
