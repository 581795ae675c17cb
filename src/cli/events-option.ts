import { UsageError } from '../config/errors.js';

/** Adds a `SEQUENCE=FILE` option to those before it. */
export const addEvents = (value: string, before: Readonly<Record<string, string>>): Readonly<Record<string, string>> => {
  const [, sequence, file] = /^([^=]+)=(.+)$/.exec(value) ?? [];
  if (sequence === undefined || file === undefined) {
    throw new UsageError(`--events ${value} does not name a sequence and its file`, { where: '--events', expected: 'SEQUENCE=FILE', fix: "write it as --events history='events/*.parquet'" });
  }
  return { ...before, [sequence]: file };
};
