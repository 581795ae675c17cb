/** A server of Redis's protocol of a test's own: nothing on disk, gone with the test. */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { createServer, type AddressInfo } from 'node:net';

export interface RedisProcess {
  readonly url: string;
  /** Starts it again after {@link kill}, on the same port and empty. */
  restart(): Promise<void>;
  kill(): Promise<void>;
  /** It keeps its connections and answers nothing, until {@link resume}. */
  suspend(): void;
  resume(): void;
}

const freePort = async (): Promise<number> => {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
};

/** Redis, and what came of it under its old licence. */
export const REDIS_PROGRAMS = ['redis-server', 'valkey-server'] as const;

export type RedisProgram = (typeof REDIS_PROGRAMS)[number];

const start = (program: RedisProgram, port: number): Promise<ChildProcess> =>
  new Promise((resolve, reject) => {
    const child = spawn(program, ['--bind', '127.0.0.1', '--port', String(port), '--save', '', '--appendonly', 'no'], { stdio: ['ignore', 'pipe', 'ignore'] });
    child.once('error', reject);
    child.once('exit', (exit) => {
      reject(new Error(`${program} ended with ${String(exit)}`));
    });
    child.stdout.on('data', (part: Buffer) => {
      if (part.includes('Ready to accept connections')) resolve(child);
    });
  });

/** Starts a server; undefined, and a loud word, where its program is not installed. */
export const startRedisProcess = async (program: RedisProgram, untested: string): Promise<RedisProcess | undefined> => {
  const port = await freePort();
  let child: ChildProcess;
  try {
    child = await start(program, port);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    console.warn(`NOT TESTED: ${untested}: ${program} is not installed`);
    return undefined;
  }
  return {
    url: `redis://127.0.0.1:${port}`,
    restart: async () => {
      child = await start(program, port);
    },
    kill: async () => {
      if (child.exitCode !== null || child.signalCode !== null) return;
      child.kill('SIGKILL');
      await once(child, 'exit');
    },
    suspend: () => {
      child.kill('SIGSTOP');
    },
    resume: () => {
      child.kill('SIGCONT');
    },
  };
};
