/** Why a server cannot listen, as an error an operator can act on. */
import { IoError } from '../../config/errors.js';

const PROBLEMS: Readonly<Record<string, readonly [problem: string, fix: string]>> = {
  EADDRINUSE: ['something listens there already', 'choose another port, or end what listens there'],
  EADDRNOTAVAIL: ['this machine has no such address', 'name an address of this machine, e.g. 0.0.0.0 for all'],
  EACCES: ['permission denied', 'choose a port above 1023'],
  ENOTFOUND: ['there is no host of that name', 'name an address of this machine, e.g. 0.0.0.0 for all'],
  EAI_AGAIN: ['the name of the host cannot be looked up', 'name an address of this machine, e.g. 0.0.0.0 for all'],
};

/** Errors of listening become an `IoError` that names the address; anything else stays as it is. */
export const explainListen = (error: unknown, host: string, port: number): unknown => {
  const found = PROBLEMS[(error as NodeJS.ErrnoException).code ?? ''];
  if (found === undefined) return error;
  const address = `${host}:${port}`;
  return new IoError(`${address}: ${found[0]}`, { where: address, expected: 'an address of this machine with a free port', fix: found[1], cause: error });
};
