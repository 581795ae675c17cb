/** Names that may be folders and parts of addresses. */
import { UsageError } from '../../config/errors.js';

/** @throws UsageError */
export const checkName = (name: string, what: string): void => {
  if (/^[A-Za-z0-9][\w.-]{0,99}$/.test(name)) return;
  throw new UsageError(`"${name}" cannot be the name of a ${what}`, { where: name, expected: 'letters, digits, ".", "_" and "-", first a letter or digit, at most 100', fix: 'choose another name' });
};

/** `20250131-120000-1a2b3c4d`: when it was published, and of which manifest. */
export const defaultVersionName = (digest: string, now: Date): string => {
  const [date, time] = now.toISOString().slice(0, 19).replaceAll(/[-:]/g, '').split('T');
  return `${date!}-${time!}-${digest.slice(0, 8)}`;
};
