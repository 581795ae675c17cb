/**
 * `npm run bench:kernels [-- ROUNDS]`: the native kernel beside a plain C++ loop, PyTorch and FBGEMM. A step looks 163,840
 * random rows of 32 floats of a 512 MB table up and updates them with row-wise Adagrad, on 2 threads. Ours and the peers
 * take turns, so that a busy machine slows all alike; a ratio is the median over the rounds of that round's ratio.
 */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { initializeRows } from '../dist/kernels/initialize-rows.js';
import { createNativeKernel } from '../dist/kernels/native-kernel.js';
import { typescriptKernel } from '../dist/kernels/typescript-kernel.js';
import { startLinePeer } from './line-peer.mjs';
import { ROOT } from './onefold.mjs';
import { median, openReport } from './report.mjs';
import { torchPython } from './python-env.mjs';

const ROUNDS = Number(process.argv[2] ?? 9);
const STEPS = 6;
const [THREADS, ROWS, WIDTH, FEATURES, BATCH] = [2, 4_194_304, 32, 40, 4096];
const ENTRIES = FEATURES * BATCH;
const DENSE = 5_000_000;
const ADAGRAD = { type: 'adagrad', learningRate: 0.05, epsilon: 1e-8, weightDecay: 0, decayMode: 'l2' };

const note = (text) => process.stdout.write(`${text}\n`);
const kernel = createNativeKernel({ threads: THREADS, level: process.env.ONEFOLD_SIMD });
const folder = mkdtempSync(join(tmpdir(), 'onefold-kernels-'));

/** Mean seconds of a lookup and of an update. */
const embeddingSteps = (maker, features) => {
  const table = maker.createTable(WIDTH, ROWS, { optimizer: 'adagrad' });
  initializeRows(table, { name: 'bench', base: 0, rows: ROWS }, 1);
  const rowCount = ENTRIES / features;
  const slots = Array.from({ length: features }, (_, index) => ({
    column: `f${index}`, base: 0, rows: ROWS, pooling: 'single', offset: index * WIDTH, values: new Int32Array(rowCount),
  }));
  const stride = features * WIDTH;
  const out = new Float32Array(rowCount * stride);
  const gradient = new Float32Array(rowCount * stride).fill(1e-3);
  let state = 12345;
  return (steps) => {
    const seconds = { lookup: 0, update: 0 };
    for (let step = 0; step < steps; step += 1) {
      for (const { values } of slots) {
        for (let i = 0; i < rowCount; i += 1) {
          state ^= state << 13;
          state ^= state >>> 17;
          state ^= state << 5;
          values[i] = (state >>> 0) % ROWS;
        }
      }
      const start = performance.now();
      table.lookup(slots, rowCount, out, stride);
      const middle = performance.now();
      table.update([{ slots, rowCount, stride, gradient }], ADAGRAD);
      seconds.lookup += (middle - start) / 1000 / steps;
      seconds.update += (performance.now() - middle) / 1000 / steps;
    }
    return seconds;
  };
};

const denseSteps = () => {
  const arrays = [0, 1, 2, 3].map(() => new Float32Array(DENSE).fill(1e-3));
  const step = {
    learningRate: 1e-3, beta1: 0.9, beta2: 0.999, epsilon: 1e-8, weightDecay: 0.01, decoupled: true, gradientScale: 1,
    firstCorrection: 0.1, secondCorrection: 0.001,
  };
  return (steps) => {
    const start = performance.now();
    for (let i = 0; i < steps; i += 1) kernel.denseAdam(...arrays, step);
    return { lookup: 0, update: (performance.now() - start) / 1000 / steps };
  };
};

/** Seconds of each in every round, taking turns. */
const race = async (contestants) => {
  const seconds = Object.fromEntries(Object.keys(contestants).map((name) => [name, []]));
  for (let round = -1; round < ROUNDS; round += 1) {
    for (const [name, run] of Object.entries(contestants)) {
      const taken = await run(STEPS);
      // The first round touches pages and warms up.
      if (round >= 0) seconds[name].push({ ...taken, both: taken.lookup + taken.update });
    }
  }
  return seconds;
};

const compilePlainLoop = () => {
  const program = join(folder, 'plain-loop');
  const compiler = process.env.CXX ?? 'c++';
  const { status } = spawnSync(compiler, ['-std=c++17', '-O3', '-march=native', '-ffast-math', '-fopenmp', join(ROOT, 'bench', 'peers', 'plain-loop.cpp'), '-o', program], { stdio: 'inherit' });
  if (status !== 0) throw new Error(`${compiler} could not compile the plain loop`);
  return program;
};

const python = torchPython();
const PEER = join(ROOT, 'bench', 'peers', 'embedding.py');
const startPython = (kind, rows = ROWS, width = WIDTH, entries = ENTRIES) =>
  startLinePeer(python, ['-W', 'ignore', PEER, kind, rows, width, entries, THREADS].map(String), { OMP_NUM_THREADS: String(THREADS) });

/** FBGEMM's CPU build, if PyPI has one that works with this PyTorch. */
const startFbgemm = async () => {
  const has = () => spawnSync(python, ['-c', 'import torch, fbgemm_gpu'], { stdio: 'ignore' }).status === 0;
  if (!has() && process.env.TORCH_PYTHON === undefined) spawnSync(python, ['-m', 'pip', 'install', '--quiet', '--no-deps', 'fbgemm-gpu-cpu', 'numpy'], { stdio: 'ignore' });
  if (!has()) return 'fbgemm-gpu-cpu does not install or load with this PyTorch';
  try {
    return await startPython('fbgemm');
  } catch (error) {
    return `FBGEMM's CPU embeddings do not run here: ${error.message}`;
  }
};

const plain = await startLinePeer(compilePlainLoop(), [ROWS, WIDTH, ENTRIES, THREADS].map(String));
const bags = {};
for (const kind of ['adagrad', 'sparse-adam', 'sgd']) bags[kind] = await startPython(kind);
const fbgemm = await startFbgemm();

const seconds = await race({
  fused: embeddingSteps(kernel, FEATURES),
  flat: embeddingSteps(kernel, 1),
  plain: plain.round,
  ...Object.fromEntries(Object.entries(bags).map(([kind, peer]) => [kind, peer.round])),
  ...(typeof fbgemm === 'string' ? {} : { fbgemm: fbgemm.round }),
});
for (const peer of [plain, ...Object.values(bags), ...(typeof fbgemm === 'string' ? [] : [fbgemm])]) peer.stop();

const report = openReport();
const compare = (name, ours, peer, part, { target, inverse = false } = {}) => {
  const of = (who) => seconds[who].map((round) => round[part]);
  const ratios = of(ours).map((value, round) => (inverse ? value / of(peer)[round] : of(peer)[round] / value));
  report.record(name, { ours: 1000 * median(of(ours)), peer: 1000 * median(of(peer)), unit: 'ms', ratio: median(ratios), ...(target === undefined ? {} : { target }) });
};
const within = { target: { atMost: 1.3 }, inverse: true };
compare('lookup and update, 40 features in one block, time / plain C++ loop', 'fused', 'plain', 'both', within);
compare('lookup and update, one feature, time / plain C++ loop', 'flat', 'plain', 'both', within);
compare('  lookup alone, 40 features, time / plain C++ loop', 'fused', 'plain', 'lookup', { inverse: true });
compare('  update alone, 40 features, time / plain C++ loop', 'fused', 'plain', 'update', { inverse: true });
const bestOfSum = (kinds) => kinds.reduce((best, kind) => (median(seconds[kind].map((round) => round.both)) < median(seconds[best].map((round) => round.both)) ? kind : best));
const adaptive = bestOfSum(['adagrad', 'sparse-adam']);
compare(`lookup and update, PyTorch EmbeddingBag + ${adaptive} (best adaptive)`, 'fused', adaptive, 'both', { target: { atLeast: 3 } });
compare('lookup and update, PyTorch EmbeddingBag + plain sgd', 'fused', 'sgd', 'both');
if (typeof fbgemm === 'string') note(`FBGEMM: ${fbgemm}`);
else compare('lookup and update, FBGEMM CPU table-batched, row-wise Adagrad', 'fused', 'fbgemm', 'both');

const adamw = await startPython('adamw', DENSE, 1, 1);
const dense = await race({ ours: denseSteps(), adamw: adamw.round });
adamw.stop();
Object.assign(seconds, { dense: dense.ours, adamw: dense.adamw });
compare('AdamW on 5 million parameters, PyTorch fused', 'dense', 'adamw', 'update');

const slow = embeddingSteps(typescriptKernel, FEATURES)(2);
seconds.typescript = [{ ...slow, both: slow.lookup + slow.update }];
seconds.once = [{ both: median(seconds.fused.map((round) => round.both)) }];
compare('lookup and update, our TypeScript kernel', 'once', 'typescript', 'both');

report.write('kernels');
rmSync(folder, { recursive: true });
