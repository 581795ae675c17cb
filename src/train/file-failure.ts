import { IoError } from '../config/errors.js';

const FIXES: Readonly<Record<string, string>> = {
  EACCES: 'Give the user write permission there, or choose another folder.',
  EPERM: 'Give the user write permission there, or choose another folder.',
  EROFS: 'Choose a folder on a file system that can be written.',
  ENOSPC: 'Free space on that disk, or choose a folder on another one; nothing half-written stays.',
  EDQUOT: 'Free space within the quota, or choose a folder on another disk; nothing half-written stays.',
  ENOENT: 'Check that the folder exists.',
  EMFILE: 'Raise the limit of open files (ulimit -n).',
};

/** The {@link IoError} of a failed file operation; `action` completes "could not …". */
export const fileFailure = (cause: unknown, path: string, action: string): IoError => {
  const code = (cause as NodeJS.ErrnoException | undefined)?.code;
  const reason = cause instanceof Error ? cause.message : String(cause);
  return new IoError(`could not ${action} ${path}: ${reason}`, {
    where: path,
    fix: (code === undefined ? undefined : FIXES[code]) ?? 'Check the folder and the disk, then run again.',
    cause,
  });
};
