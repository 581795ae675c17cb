/** What this machine's Gemm gives through ONNX Runtime, and how many FLOPs a step's products take. */
import { InferenceSession, Tensor } from 'onnxruntime-node';
import { nodeFlops } from '../../dist/graph/cost.js';
import { gradients } from '../../dist/graph/gradients.js';
import { input } from '../../dist/graph/inputs.js';
import { toOnnx } from '../../dist/graph/onnx/emit.js';
import { matmul } from '../../dist/graph/ops/matmul.js';
import { reduceMax } from '../../dist/graph/ops/reduce-max.js';
import { topologicalOrder } from '../../dist/graph/traverse.js';
import { modelLoss } from '../../dist/model/module-costs.js';

const SIZE = 2048;
const RUNS = 12;

/** The best GFLOP/s of a square product of 2048 × 2048 matrices. */
export const gemmPeak = async (threads) => {
  const shape = [SIZE, SIZE];
  // One number comes out: copying a whole matrix to JavaScript would count as product.
  const product = reduceMax(matmul(input('a', 'float32', shape), input('b', 'float32', shape)), [0, 1]);
  const session = await InferenceSession.create(toOnnx({ name: 'peak', outputs: { product }, allowContrib: true }), { intraOpNumThreads: threads, interOpNumThreads: 1 });
  const matrix = () => new Tensor('float32', Float32Array.from({ length: SIZE * SIZE }, (_, index) => ((index % 89) - 44) / 44), shape);
  const feeds = { a: matrix(), b: matrix() };
  let best = Infinity;
  for (let run = 0; run < RUNS; run += 1) {
    const started = performance.now();
    await session.run(feeds);
    best = Math.min(best, performance.now() - started);
  }
  await session.release();
  return (2 * SIZE ** 3) / best / 1e6;
};

/** FLOPs of the matrix products of one train step, forward and backward; histories are of full length. */
export const stepFlops = ({ graph, length }, { requests, candidates }) => {
  const sizes = { requests, candidates: requests * candidates, segment_width: candidates, 'tokens:history': requests * length };
  // Histories of one length are in one of the groups; the others are empty.
  for (let group = 0; group < 64; group += 1) {
    const first = group === 0 ? 1 : 0;
    Object.assign(sizes, { [`history.${group}.requests`]: first * requests, [`history.${group}.length`]: first * length, [`history.${group}.candidates`]: first * candidates });
  }
  const loss = modelLoss(graph);
  const order = topologicalOrder([loss, ...gradients(loss, [...graph.parameters.map(({ tensor }) => tensor), ...graph.blocks])]);
  return order.filter(({ kind }) => kind === 'matmul' || kind === 'attention').reduce((sum, node) => sum + nodeFlops(node, sizes), 0);
};
