/** `onefold train` on simulated data of some size: how busy its engine was, and how much memory it took. */
import { spawn } from 'node:child_process';
import { existsSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { deriveConfig, onefold, ROOT } from '../onefold.mjs';

const MAIN = join(ROOT, 'dist', 'cli', 'main.js');
const MODEL = 'full';

/** Runs a command with `--json`; gives its result and the most memory that was resident. */
const measured = (...args) =>
  new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [MAIN, ...args, '--json'], { stdio: ['ignore', 'pipe', 'inherit'] });
    let text = '';
    let peakBytes = 0;
    // The kernel keeps the highest value itself: reading it now and then loses nothing but the last moment.
    const timer = setInterval(() => {
      const status = `/proc/${child.pid}/status`;
      const kilobytes = existsSync(status) ? /VmHWM:\s+(\d+) kB/.exec(readFileSync(status, 'utf8'))?.[1] : undefined;
      peakBytes = Math.max(peakBytes, 1024 * Number(kilobytes ?? 0));
    }, 100);
    child.stdout.on('data', (data) => (text += data));
    child.on('exit', (code) => {
      clearInterval(timer);
      if (code === 0) resolve({ result: JSON.parse(text), peakBytes });
      else reject(new Error(`onefold ${args.join(' ')} ended with ${code}`));
    });
  });

/** Simulates, prepares and trains one epoch; `note` gets a line a stage. */
export const trainFromDisk = async (candidates, note) => {
  const workspace = join(ROOT, 'examples', 'quickstart', '.onefold', `train-${candidates}`);
  const data = join(workspace, 'marketplace');
  const config = deriveConfig('quickstart', `train-${candidates}`, { workspace, training: { batchSize: 2048, epochs: 1, threads: 2, earlyStopping: false } });
  const project = ['--config', config, '--data', data];
  note(`simulate and prepare ${candidates} candidates`);
  onefold('simulate', data, '--candidates', String(candidates), '--force');
  onefold('prepare', ...project);
  const { result, peakBytes } = await measured('train', MODEL, ...project);
  const [run] = result.runs;
  const bytes = ['dense.safetensors', 'tables.safetensors', 'optimizer.safetensors'].map((file) => statSync(join(run.checkpoint, file)).size);
  return { candidates, engineBusy: run.engineBusy, peakBytes, stateBytes: bytes.reduce((sum, one) => sum + one, 0) };
};
