/** What the file system says, as an error a user can act on. */
import { IoError, OnefoldError } from '../config/errors.js';

const ANSWERS: Readonly<Record<string, readonly [problem: string, fix: string]>> = {
  EACCES: ['permission denied', 'grant this user access to it, or use another folder'],
  EPERM: ['operation not permitted', 'grant this user access to it, or use another folder'],
  EROFS: ['the file system is read-only', 'use a folder on a writable file system'],
  ENOSPC: ['no space left on the disk', 'free space on that disk, or point the workspace at another one'],
  EDQUOT: ['the disk quota is used up', 'free space, or point the workspace at another disk'],
  EFBIG: ['the file is larger than this process may write', 'raise the file size limit (ulimit -f)'],
  ENOTDIR: ['a part of the path is a file, not a folder', 'use a path whose parents are folders'],
  EISDIR: ['a folder of that name is in the way', 'name a file, or move the folder away'],
  EEXIST: ['something that is not a folder is in the way', 'move it away, or use another folder'],
  ENOENT: ['there is no such file or folder', 'check the path'],
  EMFILE: ['too many open files', 'raise the limit of open files (ulimit -n)'],
};

/** Errors of ours pass through; the file system's become an `IoError` that names `path`; anything else stays as it is. */
export const explainIoFailure = (error: unknown, path: string): unknown => {
  if (error instanceof OnefoldError || !(error instanceof Error)) return error;
  const code = (error as NodeJS.ErrnoException).code;
  const answer = code === undefined ? undefined : ANSWERS[code];
  if (answer === undefined) return error;
  return new IoError(`${path}: ${answer[0]}`, { where: path, expected: 'a file system that allows it', fix: answer[1], cause: error });
};
