/** The peer's side: a process that waits for commands, so that both sides stay warm and take turns. */
import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

const SCRIPT = fileURLToPath(new URL('../peers/training_peer.py', import.meta.url));

/** Starts the peer with a Python that has PyTorch. */
export const startPeer = (python, threads) => {
  const child = spawn(python, ['-W', 'ignore', SCRIPT, String(threads)], {
    stdio: ['pipe', 'pipe', 'inherit'],
    // Threads that wait must not take time from the other side.
    env: { ...process.env, OMP_NUM_THREADS: String(threads), MKL_NUM_THREADS: String(threads), OMP_WAIT_POLICY: 'passive' },
  });
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  return {
    async ask(command) {
      child.stdin.write(`${JSON.stringify(command)}\n`);
      const { value, done } = await lines.next();
      if (done) throw new Error(`the peer stopped while it was asked to ${command.do}`);
      return JSON.parse(value);
    },
    close() {
      child.stdin.end();
    },
  };
};
