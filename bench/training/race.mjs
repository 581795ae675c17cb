/** Equal losses first, then time: ours and the peer take turns in one run. */
import { join } from 'node:path';
import { batchTensors, makeBatch } from './case.mjs';
import { RATES, runSteps, startEngine, startingTensors } from './ours.mjs';
import { writeTensors } from './tensor-file.mjs';

/** Losses may differ by this share of them at any of the first steps. */
export const LOSS_TOLERANCE = 1e-4;

const CHECKED_STEPS = 20;
const BATCHES = 6;

export const median = (values) => [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)];

const batchesOf = (built, shape, count) => Array.from({ length: count }, (_, index) => makeBatch(built, { ...shape, seed: 1000 + index }));

/** Writes the batches for the peer; gives their paths. */
const writeBatches = (folder, built, batches) =>
  batches.map((batch, index) => {
    const path = join(folder, `batch${index}.safetensors`);
    writeTensors(path, batchTensors(built.graph.layout, batch, built.length));
    return path;
  });

/** What the peer must know to build the same model. */
const peerConfig = (built, model) => {
  const slots = (rows) => built.graph.layout.blocks.filter((block) => block.rows === rows).reduce((sum, block) => sum + block.slots.length, 0);
  const { transformer = {} } = model;
  return {
    embedding: 32,
    length: built.length,
    fields: { request: slots('request'), candidate: slots('candidate'), tokens: slots('tokens:history') },
    cross: model.cross.layers,
    rank: model.cross.rank ?? 0,
    mlp: model.mlp,
    tower: model.tower,
    tasks: built.taskNames.length,
    width: transformer.width,
    heads: transformer.heads,
    layers: transformer.layers,
    feed_forward: transformer.feedForward,
  };
};

/**
 * Trains both from the same parameters on the same batches.
 *
 * @param built a case with small tables: every value crosses to the peer
 * @throws Error at the first step whose losses differ by more than {@link LOSS_TOLERANCE}
 * @returns the largest relative difference
 */
export const compareLosses = async (peer, folder, { built, model, shape, forOurs = (batch) => batch, broadcast }) => {
  const batches = batchesOf(built, shape, CHECKED_STEPS);
  const parameters = join(folder, 'parameters.safetensors');
  writeTensors(parameters, startingTensors(built));
  const engine = await startEngine(built);
  const ours = (await runSteps(engine, batches.map(forOurs), CHECKED_STEPS)).map(({ loss }) => loss);
  await engine.close();
  const { losses } = await peer.ask({ do: 'check', parameters, batches: writeBatches(folder, built, batches), config: peerConfig(built, model), rates: RATES, broadcast });
  const differences = ours.map((loss, step) => Math.abs(loss - losses[step]) / Math.abs(losses[step]));
  differences.forEach((difference, step) => {
    if (!(difference <= LOSS_TOLERANCE)) throw new Error(`step ${step + 1}: loss ${ours[step]} here, ${losses[step]} in PyTorch: not the same model`);
  });
  return Math.max(...differences);
};

/**
 * Seconds a step of each side, medians over rounds in which they take turns.
 *
 * @param peer undefined: ours alone
 * @param options.steps steps a round, of each side
 */
export const race = async (peer, folder, { built, model, shape, forOurs = (batch) => batch, broadcast, rounds, steps, compile }) => {
  const batches = batchesOf(built, shape, BATCHES);
  const [{ rows }] = built.graph.layout.fusedTables;
  const { best, seconds } =
    peer === undefined ? {} : await peer.ask({ do: 'build', batches: writeBatches(folder, built, batches), config: peerConfig(built, model), rows, broadcast, compile });
  const mine = batches.map(forOurs);
  const engine = await startEngine(built);
  await runSteps(engine, mine, 2);
  const times = { ours: [], peer: [], run: [], lookup: [], update: [] };
  for (let round = 0; round < rounds; round += 1) {
    if (peer !== undefined) times.peer.push((await peer.ask({ do: 'run', steps })).seconds);
    const started = performance.now();
    const results = await runSteps(engine, mine, steps);
    times.ours.push((performance.now() - started) / steps / 1000);
    for (const part of ['run', 'lookup', 'update']) times[part].push(median(results.map(({ milliseconds }) => milliseconds[part])) / 1000);
  }
  await engine.close();
  return { ...Object.fromEntries(Object.entries(times).map(([name, values]) => [name, median(values)])), best, variants: seconds };
};
