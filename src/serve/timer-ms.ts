/** What a timer can be set to: Node lets longer ones fire at once. */
const LONGEST_TIMER_MS = 2 ** 31 - 1;

/** Milliseconds for a timer: 24 days at most, which is as good as any longer time. */
export const timerMs = (milliseconds: number): number => Math.min(LONGEST_TIMER_MS, Math.max(0, milliseconds));
