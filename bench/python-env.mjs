/** Pythons of the benchmarks' peers, from PyPI, in virtual environments of their own. */
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { ROOT } from './onefold.mjs';

const TORCH = '2.15.0';
const MLSERVER = '1.7.1';

/**
 * Path of the interpreter; installs what it is for the first time. A variable of the environment may name another one, which must
 * have what is wanted.
 */
const pythonWith = ({ folder: name, main, variable }, packages) => {
  if (process.env[variable] !== undefined) return process.env[variable];
  const run = (command, args) => {
    const { status, error } = spawnSync(command, args, { stdio: ['ignore', 'inherit', 'inherit'] });
    if (status !== 0) throw new Error(`${command} ${args.join(' ')} failed${error === undefined ? '' : `: ${error.message}`}; set ${variable} to a Python that has ${main}`);
  };
  const folder = join(ROOT, 'bench', name);
  const python = join(folder, 'bin', 'python');
  if (!existsSync(python)) {
    run('python3', ['-m', 'venv', folder]);
    run(python, ['-m', 'pip', 'install', '--quiet', main]);
  }
  if (packages.length > 0) run(python, ['-m', 'pip', 'install', '--quiet', ...packages]);
  return python;
};

/**
 * A Python with PyTorch; TORCH_PYTHON names another.
 *
 * @param {readonly string[]} packages wanted beside it
 */
export const torchPython = (packages = []) => pythonWith({ folder: '.venv', main: `torch==${TORCH}`, variable: 'TORCH_PYTHON' }, packages);

/**
 * A Python with MLServer, whose FastAPI and protobuf are older than the others'; MLSERVER_PYTHON names another.
 *
 * @param {readonly string[]} packages wanted beside it
 */
export const mlserverPython = (packages = []) => pythonWith({ folder: '.venv-mlserver', main: `mlserver==${MLSERVER}`, variable: 'MLSERVER_PYTHON' }, packages);
