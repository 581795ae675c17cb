/** Moto's S3, which speaks the protocol of Amazon's: a process of its own, from the Python that ONEFOLD_PYTHON names. */
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';

const PYTHON = process.env['ONEFOLD_PYTHON'] ?? 'python3';

/** Whether this Python has Moto; says so where it has not. */
export const hasMoto = (): boolean => {
  if (spawnSync(PYTHON, ['-c', 'import moto.server']).status === 0) return true;
  console.warn('NOT TESTED: a registry in S3, because python3 lacks the packages of test/python/requirements.txt; ONEFOLD_PYTHON names one that has them');
  return false;
};

export interface MotoServer {
  readonly endpoint: string;
  stop(): Promise<void>;
}

/** Starts it with an empty store, on this port or a free one. */
export const startMoto = async (port = 0): Promise<MotoServer> => {
  const child = spawn(PYTHON, ['-m', 'moto.server', '-H', '127.0.0.1', '-p', String(port)], { stdio: ['ignore', 'ignore', 'pipe'] });
  const exited = once(child, 'exit');
  const endpoint = await new Promise<string>((resolve, reject) => {
    let said = '';
    child.stderr.setEncoding('utf8').on('data', (part: string) => {
      said += part;
      const found = /Running on (http:\/\/[\d.]+:\d+)/.exec(said);
      if (found !== null) resolve(found[1]!);
    });
    child.once('exit', () => {
      reject(new Error(`Moto did not start: ${said}`));
    });
  });
  return {
    endpoint,
    stop: async () => {
      child.kill('SIGKILL');
      await exited;
    },
  };
};
