/** Numbers of `onefold top` as short text. What is not known, or did not happen, is a dash. */
import pc from 'picocolors';
import { compactCount } from '../../evaluate/table-cells.js';

export const NONE = pc.dim('–');

/** Two digits under a hundred a second, and `12.3k` above ten thousand. */
export const rateText = (perSecond: number): string => (perSecond < 100 ? String(Number(perSecond.toPrecision(2))) : compactCount(Math.round(perSecond)));

/** Three digits under a second, all of them above. */
export const millisecondsText = (seconds: number | null): string => {
  if (seconds === null) return NONE;
  const milliseconds = seconds * 1000;
  return milliseconds < 999.5 ? milliseconds.toPrecision(3) : String(Math.round(milliseconds));
};

export const countText = (count: number | null): string => (count === null ? NONE : String(Math.round(count * 10) / 10));

export const shareText = (share: number | null): string => (share === null ? NONE : `${Math.round(share * 100)}%`);

export const bytesText = (bytes: number | null): string => (bytes === null ? NONE : `${compactCount(Math.round(bytes / 2 ** 20))} MiB`);

export const errorsText = (errors: number): string => (errors > 0 ? pc.red(rateText(errors)) : rateText(errors));

export const probabilityText = (value: number | null): string => (value === null ? NONE : value.toPrecision(3));
