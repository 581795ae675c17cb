/** Numbers that stand for a text: ids, mostly. */

/** What to send instead of a number that is not exact. */
export const EXACT = `a text; numbers beyond ±${Number.MAX_SAFE_INTEGER} lose digits in JSON`;

/** Whether a number is the one that was written: of whole numbers beyond it, JSON's readers take several for one. */
export const isExact = (value: number): boolean => Number.isFinite(value) && Math.abs(value) <= Number.MAX_SAFE_INTEGER;
