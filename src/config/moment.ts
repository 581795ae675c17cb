/** Moments of a split: ISO dates and date-times, or epoch milliseconds. */

const ISO = /^(\d{4}-\d{2}-\d{2})(?:[T ](\d{2}:\d{2}(?::\d{2}(?:\.\d+)?)?)(Z|[+-]\d{2}:?\d{2})?)?$/;

/**
 * Epoch milliseconds of a moment, or `undefined` when it is not one. A date is its midnight in UTC, and a date-time
 * without an offset is UTC too: a split must not depend on the time zone of the machine that runs it.
 */
export function parseMoment(moment: string | number): number | undefined {
  if (typeof moment === 'number') return Number.isSafeInteger(moment) ? moment : undefined;
  const match = ISO.exec(moment.trim());
  if (match === null) return undefined;
  const [, date, time = '00:00', zone = 'Z'] = match;
  const value = Date.parse(`${date}T${time}${zone.length === 5 ? `${zone.slice(0, 3)}:${zone.slice(3)}` : zone}`);
  if (Number.isNaN(value)) return undefined;
  // Date.parse rolls 2025-02-30 over to March; such a date is a mistake.
  return new Date(Date.parse(`${date}T00:00Z`)).toISOString().startsWith(date!) ? value : undefined;
}
