/**
 * `npm run bench:train [-- PART…]`: a training step beside PyTorch's, on the same machine in the same run. Losses are
 * compared step by step before any time is taken: another model would be no peer. Parts: `dcn`, `transformer`, `peak`,
 * `disk` (default: all). Python with PyTorch comes from TORCH_PYTHON, or is installed into `bench/.venv`.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expandBatch } from '../dist/data/expand-batch.js';
import { openReport } from './report.mjs';
import { torchPython } from './python-env.mjs';
import { buildCase } from './training/case.mjs';
import { trainFromDisk } from './training/from-disk.mjs';
import { gemmPeak, stepFlops } from './training/gemm-peak.mjs';
import { startPeer } from './training/peer.mjs';
import { compareLosses, race } from './training/race.mjs';

const THREADS = 2;
const ROUNDS = 7;

const PARTS = ['dcn', 'transformer', 'peak', 'disk'];
const parts = process.argv.length > 2 ? process.argv.slice(2) : PARTS;
const note = (text) => process.stdout.write(`${text}\n`);
const report = openReport();

/** Records a race, whose times are in seconds; a ratio is `peer / ours`, times as fast as the peer. */
const record = (name, { ours, peer, target, ...more }) => {
  report.record(name, { ...more, ours: 1000 * ours, peer: 1000 * peer, unit: 'ms', target: { atLeast: target } });
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
  const model = 'Transformer, 16 candidates a request';
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
    report.record(`dense part of a step against ONNX Runtime's Gemm peak, ${name}`, { ours, peer: best, ratio: ours / best, unit: 'GFLOP/s', target: { atLeast: target } });
  }
};

const disk = async () => {
  const runs = [];
  for (const candidates of [300_000, 1_200_000]) runs.push(await trainFromDisk(candidates, note));
  const busy = Math.min(...runs.map((run) => run.engineBusy));
  report.record('engine busy while training from disk', { ours: 100 * busy, peer: 100, ratio: busy, unit: '%', target: { atLeast: 0.95 } });
  for (const { candidates, peakBytes, stateBytes } of runs) {
    const beyond = (peakBytes - stateBytes) / 1e9;
    report.record(`memory of training beyond tables and optimizer state, ${candidates} candidates`, { ours: beyond, peer: 1.5, ratio: beyond / 1.5, unit: 'GB', target: { atMost: 1 } });
  }
};

const folder = mkdtempSync(join(tmpdir(), 'onefold-train-'));
const needsPeer = parts.includes('dcn') || parts.includes('transformer');
const peer = needsPeer ? startPeer(torchPython(), THREADS) : undefined;
try {
  if (parts.includes('dcn')) await dcn(peer, folder);
  if (parts.includes('transformer')) await history(peer, folder);
  if (parts.includes('peak')) await peak();
  if (parts.includes('disk')) await disk();
  // A part of the rows is for looking at, not for keeping.
  if (parts.length === PARTS.length) report.write('train');
} finally {
  peer?.close();
  rmSync(folder, { recursive: true, force: true });
}
