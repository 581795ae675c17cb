/** A peer in a process of its own that waits for a line, does a round of work and answers with one line of JSON. */
import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';

/**
 * @param {NodeJS.ProcessEnv} environment added to ours
 * @returns what it said when ready; `round(line)` asks for work
 */
export const startLinePeer = async (command, args, environment = {}) => {
  const child = spawn(command, args, { stdio: ['pipe', 'pipe', 'inherit'], env: { ...process.env, ...environment } });
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const next = async () => {
    const { value, done } = await lines.next();
    if (done) throw new Error(`${command} ${args.join(' ')} ended before it answered`);
    return JSON.parse(value);
  };
  return {
    ready: await next(),
    round: async (line) => {
      child.stdin.write(`${line}\n`);
      return next();
    },
    stop: () => child.stdin.end(),
  };
};
