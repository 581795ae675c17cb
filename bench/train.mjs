/**
 * `npm run bench:train [-- PART…]`: a training step beside PyTorch's, on the same machine in the same run. Losses are
 * compared step by step before any time is taken: another model would be no peer. Parts: `dcn`, `transformer`, `peak`,
 * `disk` (default: all). Python with PyTorch comes from TORCH_PYTHON, or is installed into `bench/.venv`.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expandBatch } from '../dist/data/expand-batch.js';
import { writeResults } from './onefold.mjs';
import { torchPython } from './torch-env.mjs';
import { buildCase } from './training/case.mjs';
import { trainFromDisk } from './training/from-disk.mjs';
import { gemmPeak, stepFlops } from './training/gemm-peak.mjs';
import { startPeer } from './training/peer.mjs';
import { compareLosses, race } from './training/race.mjs';

const THREADS = 2;
const ROUNDS = 7;

const parts = process.argv.length > 2 ? process.argv.slice(2) : ['dcn', 'transformer', 'peak', 'disk'];
const note = (text) => process.stdout.write(`${text}\n`);
const milliseconds = (seconds) => `${(1000 * seconds).toFixed(1)} ms`;
const results = [];

/** Records a comparison; a ratio is `peer / ours`, times as fast as the peer. */
const record = (name, { ours, peer, unit = 'seconds', ratio = peer / ours, target, ...more }) => {
  results.push({ name, ours, peer, unit, ratio, target, met: ratio >= target, ...more });
  const amount = (value) => (unit === 'seconds' ? milliseconds(value) : `${value.toFixed(1)} ${unit}`);
  note(`${name.padEnd(86)} ${amount(ours).padStart(12)} ${amount(peer).padStart(12)}   ×${ratio.toFixed(2)} (target ×${target})`);
};

const lowRank = { cross: { layers: 2, rank: 64 }, mlp: [256, 128], tower: [32] };
const fullRank = { ...lowRank, cross: { layers: 2 } };
const transformer = {
  ...lowRank,
  transformer: { layers: 2, width: 64, heads: 2, feedForward: 128, attention: 'causal', positions: 'learned', read: 'both', pooled: false },
};

/** Rows of each table: 40 of them take 512 MB. Where losses are compared tables are small, since every value crosses to the peer. */
const ROWS = 100_000;
const CHECKED_ROWS = 500;

const dcnCase = (model, rows = ROWS) => ({ built: buildCase({ fields: 40, rows, length: 0, model }), model });
const historyCase = (rows = ROWS, length = 100) => ({ built: buildCase({ fields: 10, rows, length, model: transformer }), model: transformer });

const dcn = async (peer, folder) => {
  for (const [name, model] of [['DCNv2 of rank 64 + MLP', lowRank], ['DCNv2 of full rank + MLP', fullRank]]) {
    const difference = await compareLosses(peer, folder, { ...dcnCase(model, CHECKED_ROWS), shape: { requests: 512, candidates: 1 }, forOurs: expandBatch, broadcast: false });
    const timed = await race(peer, folder, { ...dcnCase(model), shape: { requests: 4096, candidates: 1 }, forOurs: expandBatch, broadcast: false, rounds: ROUNDS, steps: 8, compile: true });
    record(`train step, expanded, ${name}, 40 features of width 32, batch 4096`, { ...timed, target: 2, lossDifference: difference });
  }
};

const history = async (peer, folder) => {
  const checked = { ...historyCase(CHECKED_ROWS, 20), shape: { requests: 32, candidates: 4, shortest: 3 } };
  const difference = Math.max(await compareLosses(peer, folder, { ...checked, broadcast: true }), await compareLosses(peer, folder, { ...checked, broadcast: false }));
  const shape = { requests: 128, candidates: 16 };
  const timedCase = { ...historyCase(), rounds: ROUNDS, compile: true, lossDifference: difference };
  const model = 'Transformer of 2 layers and width 64, 16 candidates a request';
  const expanded = await race(peer, folder, { ...timedCase, shape, broadcast: false, steps: 2 });
  record(`train step, ${model}, 100 events: ours broadcast, peer expanded`, { ...expanded, target: 6, lossDifference: difference });
  const both = await race(peer, folder, { ...timedCase, shape, broadcast: true, steps: 6 });
  record(`train step, ${model}, 100 events: broadcast in both`, { ...both, target: 1.5, lossDifference: difference });
  const ragged = await race(peer, folder, { ...timedCase, shape: { ...shape, shortest: 1 }, broadcast: true, steps: 6 });
  record(`train step, ${model}, 1 to 100 events: broadcast in both`, { ...ragged, target: 1.5, lossDifference: difference });
  const own = await race(undefined, folder, { ...historyCase(), shape, forOurs: expandBatch, rounds: 3, steps: 2 });
  record(`train step, ${model}, 100 events: ours broadcast, ours expanded`, { ours: both.ours, peer: own.ours, target: 2.8 });
};

const peak = async () => {
  const shapes = [
    ['DCNv2 of full rank + MLP', dcnCase(fullRank), { requests: 4096, candidates: 1 }, 0.6],
    ['Transformer', historyCase(), { requests: 128, candidates: 16 }, 0.4],
  ];
  for (const [name, measured, shape, target] of shapes) {
    const before = await gemmPeak(THREADS);
    const { run } = await race(undefined, undefined, { ...measured, shape, rounds: 5, steps: 4 });
    const best = Math.max(before, await gemmPeak(THREADS));
    const ours = stepFlops(measured.built, shape) / run / 1e9;
    record(`dense part of a step against ONNX Runtime's Gemm peak, ${name}`, { ours, peer: best, ratio: ours / best, unit: 'GFLOP/s', target });
  }
};

const disk = async () => {
  const runs = [];
  for (const candidates of [300_000, 1_200_000]) runs.push(await trainFromDisk(candidates, note));
  const busy = Math.min(...runs.map((run) => run.engineBusy));
  record('engine busy while training from disk', { ours: 100 * busy, peer: 100, ratio: busy, unit: '%', target: 0.95 });
  for (const { candidates, peakBytes, stateBytes } of runs) {
    const beyond = (peakBytes - stateBytes) / 1e9;
    // Smaller is better: the ratio says how many times it fits into what is allowed.
    record(`memory of training beyond tables and optimizer state, ${candidates} candidates`, { ours: beyond, peer: 1.5, ratio: 1.5 / beyond, unit: 'GB', target: 1 });
  }
};

const folder = mkdtempSync(join(tmpdir(), 'onefold-train-'));
const needsPeer = parts.includes('dcn') || parts.includes('transformer');
const peer = needsPeer ? startPeer(torchPython(), THREADS) : undefined;
try {
  note(`${''.padEnd(86)} ${'ours'.padStart(12)} ${'peer'.padStart(12)}`);
  if (parts.includes('dcn')) await dcn(peer, folder);
  if (parts.includes('transformer')) await history(peer, folder);
  if (parts.includes('peak')) await peak();
  if (parts.includes('disk')) await disk();
  writeResults('train', results);
} finally {
  peer?.close();
  rmSync(folder, { recursive: true, force: true });
}
