/** This project's side: the engine that `onefold train` runs, fed as the training loop feeds it. */
import { typescriptKernel } from '../../dist/kernels/typescript-kernel.js';
import { initializeRows } from '../../dist/kernels/initialize-rows.js';
import { Engine } from '../../dist/train/engine.js';
import { initializeParameter } from '../../dist/train/initialize-parameter.js';

/** Steps given to the engine before the first is done, as the training loop has it. */
const IN_FLIGHT = 2;

export const RATES = { learningRate: 1e-3, embeddingLearningRate: 0.05 };

/** Starts an engine for a case. */
export const startEngine = ({ graph, training, taskNames }) => Engine.create({ graph, taskNames, threads: training.threads, training });

/** Trains on the batches in turn; gives what each step gave. */
export const runSteps = async (engine, batches, steps) => {
  const waiting = [];
  const results = [];
  for (let step = 0; step < steps; step += 1) {
    if (waiting.length >= IN_FLIGHT) results.push(await waiting.shift());
    waiting.push(engine.train(batches[step % batches.length], RATES));
  }
  for (const pending of waiting) results.push(await pending);
  return results;
};

/** What the engine starts from, for the peer to start from the same: dense parameters by name, and `table`. */
export const startingTensors = ({ graph, training }) => {
  const [{ width, rows, tables }] = graph.layout.fusedTables;
  const table = typescriptKernel.createTable(width, rows);
  for (const slice of tables) initializeRows(table, slice, training.seed);
  const data = new Float32Array(rows * width);
  table.readRows('weights', 0, data);
  const parameters = graph.parameters.map(({ spec }) => [spec.name, { shape: spec.shape, data: initializeParameter(spec, training.seed) }]);
  return { ...Object.fromEntries(parameters), table: { shape: [rows, width], data } };
};
