/** A Python with PyTorch: the benchmarks' peer, from PyPI, in a virtual environment of its own. */
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { ROOT } from './onefold.mjs';

const VERSION = '2.15.0';

const run = (command, args) => {
  const { status, error } = spawnSync(command, args, { stdio: ['ignore', 'inherit', 'inherit'] });
  if (status !== 0) throw new Error(`${command} ${args.join(' ')} failed${error === undefined ? '' : `: ${error.message}`}; set TORCH_PYTHON to a Python that has PyTorch`);
};

/** Path of the interpreter; installs PyTorch the first time. TORCH_PYTHON names another one. */
export const torchPython = () => {
  if (process.env.TORCH_PYTHON !== undefined) return process.env.TORCH_PYTHON;
  const folder = join(ROOT, 'bench', '.venv');
  const python = join(folder, 'bin', 'python');
  if (!existsSync(python)) {
    run('python3', ['-m', 'venv', folder]);
    run(python, ['-m', 'pip', 'install', '--quiet', `torch==${VERSION}`]);
  }
  return python;
};
