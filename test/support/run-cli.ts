/** The compiled command line as its users run it: a process of its own. */
import { spawn, type ChildProcess } from 'node:child_process';
import { fileURLToPath } from 'node:url';

const MAIN = fileURLToPath(new URL('../../dist/cli/main.js', import.meta.url));

export interface CliOptions {
  readonly cwd: string;
  /** Runs as this user and group. */
  readonly uid?: number;
  readonly env?: Readonly<Record<string, string>>;
  /** Gets the running process, for example to send it a signal. */
  readonly onStart?: (child: ChildProcess) => void;
}

export interface CliRun {
  /** Exit code; null when a signal ended the process. */
  readonly exit: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs `onefold` with these arguments to its end. */
export const runCli = (args: readonly string[], { cwd, uid, env = {}, onStart }: CliOptions): Promise<CliRun> =>
  new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [MAIN, ...args], {
      cwd,
      // Without the runner's NODE_OPTIONS and colours, as from a plain shell.
      env: { PATH: process.env['PATH'], TMPDIR: process.env['TMPDIR'], NO_COLOR: '1', ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
      ...(uid === undefined ? {} : { uid, gid: uid }),
    });
    const text = { stdout: '', stderr: '' };
    for (const stream of ['stdout', 'stderr'] as const) {
      child[stream].setEncoding('utf8').on('data', (part: string) => {
        text[stream] += part;
      });
    }
    child.on('error', reject);
    child.on('close', (exit) => {
      resolve({ exit, ...text });
    });
    onStart?.(child);
  });
