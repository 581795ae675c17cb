/** `onefold serve` as a process of its own. */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';

const MAIN = fileURLToPath(new URL('../../dist/cli/main.js', import.meta.url));

export interface RunningServer {
  readonly http: string;
  readonly grpc: string;
  readonly admin: string;
  readonly pid: number;
  /** What it has logged so far. */
  log(): string;
  /** Exit code; null when a signal ended it. */
  stop(signal?: NodeJS.Signals): Promise<number | null>;
}

interface Started {
  readonly http: string;
  readonly grpc: string;
  readonly admin: string;
  readonly pid: number;
}

/** Settles with the first line of standard output, or fails with what was logged when there is none. */
const firstLine = (child: ChildProcess, log: () => string): Promise<string> =>
  new Promise((resolve, reject) => {
    let text = '';
    child.stdout!.setEncoding('utf8').on('data', (part: string) => {
      text += part;
      if (text.includes('\n')) resolve(text.split('\n')[0]!);
    });
    child.once('close', (exit) => {
      reject(new Error(`the server ended with ${String(exit)} before it served: ${text}${log()}`));
    });
  });

/** Nobody is refused or given up because others keep the machine busy; a test of a limit names its own. */
const PATIENCE = ['--max-wait-ms', '60000', '--timeout-ms', '60000', '--feature-timeout-ms', '5000'];

/** Starts a server with these arguments on free ports. */
export const startServerProcess = async (args: readonly string[], env: Readonly<Record<string, string>> = {}): Promise<RunningServer> => {
  const child = spawn(process.execPath, [MAIN, 'serve', ...PATIENCE, ...args, '--port', '0', '--grpc-port', '0', '--admin-port', '0', '--workers', '1', '--json'], {
    env: { PATH: process.env['PATH'], TMPDIR: process.env['TMPDIR'], HOME: process.env['HOME'], NO_COLOR: '1', ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let logged = '';
  child.stderr.setEncoding('utf8').on('data', (part: string) => {
    logged += part;
  });
  const exited = once(child, 'exit') as Promise<[number | null]>;
  const started = JSON.parse(await firstLine(child, () => logged)) as Started;
  return {
    ...started,
    log: () => logged,
    stop: async (signal = 'SIGTERM') => {
      child.kill(signal);
      return (await exited)[0];
    },
  };
};

/** Waits until a condition holds; fails after ten seconds. */
export const until = async (what: string, condition: () => boolean | Promise<boolean>, milliseconds = 10_000): Promise<void> => {
  const end = performance.now() + milliseconds;
  while (!(await condition())) {
    if (performance.now() > end) throw new Error(`not within ${milliseconds} ms: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
};
