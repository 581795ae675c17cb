import { resolve } from 'node:path';
import { UsageError } from '../config/errors.js';
import { didYouMean, listNames } from '../config/suggest.js';
import { joinedSequences, type RawSchema } from './raw-schema.js';

/**
 * Files of events by sequence, absolute.
 *
 * @throws UsageError for a sequence that the export does not join
 */
export const eventFiles = (source: RawSchema, events: Readonly<Record<string, string>>): Readonly<Record<string, string>> => {
  const known = joinedSequences(source).map((sequence) => sequence.name);
  for (const name of Object.keys(events)) {
    if (known.includes(name)) continue;
    throw new UsageError(known.length === 0 ? `there are no events to join for "${name}"` : `there is no sequence "${name}" of joined events`, {
      where: '--events',
      expected: known.length === 0 ? 'nothing: this export reads no history joined from events' : `one of ${listNames(known)}`,
      fix: known.length === 0 ? 'leave it out' : didYouMean(name, known),
    });
  }
  return Object.fromEntries(Object.entries(events).map(([name, file]) => [name, resolve(file)]));
};
