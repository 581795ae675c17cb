import type { Transformer } from '../config/project.js';
import type { Tensor } from '../graph/tensor.js';
import { add } from '../graph/ops/add.js';
import { attention } from '../graph/ops/attention.js';
import { layerNorm } from '../graph/ops/layer-norm.js';
import { relu } from '../graph/ops/relu.js';
import { dense } from './dense.js';
import type { RowSpace } from './layout.js';
import { featureWidth, type Module, type Scope } from './scope.js';
import type { SequenceFrame } from './sequence-frame.js';

/** Layer normalization with its own scale and bias. */
export const normalize: Module = (scope, x) => {
  const width = featureWidth(x);
  const ones = new Array<number>(width).fill(1);
  return layerNorm(x, scope.parameter('scale', [width], { type: 'values', values: ones }, { decay: false }), scope.parameter('bias', [width], { type: 'zeros' }, { decay: false }));
};

/** 1/√(head width) (Vaswani et al. 2017). */
const scaleOf = (head: Tensor): number => 1 / Math.sqrt(featureWidth(head));

const selfAttention = (scope: Scope, x: Tensor, frame: SequenceFrame): Tensor => {
  const [queries, keys, values] = frame.split(dense(3 * featureWidth(x))(scope.child('qkv'), x), 3) as [readonly Tensor[], readonly Tensor[], readonly Tensor[]];
  const read = queries.map((query, group) => attention(query, keys[group]!, values[group]!, { biases: frame.tokenBiases(group), scale: scaleOf(query) }));
  return dense(featureWidth(x))(scope.child('out'), frame.join(read));
};

/**
 * Encodes a sequence's events at request level: a pre-norm Transformer (Vaswani et al. 2017; Xiong et al. 2020) over the
 * concatenated embeddings of each event's fields. Dense layers see the flat tokens; only attention sees rectangles.
 *
 * @param tokens `[tokens, sum of the fields' widths]`
 * @param rows row space of the tokens, for dropout masks
 * @returns `[tokens, options.width]`, normalized
 */
export const transformerEncoder = (scope: Scope, tokens: Tensor, frame: SequenceFrame, options: Transformer, rows: RowSpace): Tensor => {
  let x = dense(options.width)(scope.child('embed'), tokens);
  for (let layer = 0; layer < options.layers; layer += 1) {
    const own = scope.child(`layer${layer}`);
    const read = selfAttention(own.child('attention'), normalize(own.child('norm0'), x), frame);
    x = add(x, own.dropout(read, options.dropout, rows));
    const hidden = relu(dense(options.feedForward)(own.child('dense0'), normalize(own.child('norm1'), x)));
    x = add(x, own.dropout(dense(options.width)(own.child('dense1'), hidden), options.dropout, rows));
  }
  return normalize(scope.child('norm'), x);
};

/**
 * Candidate-aware reading: each candidate attends to its request's encoded history. Keys and values are computed once per
 * request and shared by its candidates; only the query is per candidate (target attention, as in DIN and its
 * successors, at the cost of one small product a candidate).
 *
 * @param candidate candidate-side features `[candidates, d]`
 * @returns `[candidates, options.width]`, zero where there is no history
 */
export const readByCandidates = (scope: Scope, encoded: Tensor, candidate: Tensor, frame: SequenceFrame, options: Transformer): Tensor => {
  const [keys, values] = frame.split(dense(2 * options.width)(scope.child('kv'), encoded), 2) as [readonly Tensor[], readonly Tensor[]];
  const queries = frame.splitCandidates(dense(options.width)(scope.child('query'), candidate));
  const read = queries.map((query, group) => attention(query, frame.forCandidates(keys[group]!), frame.forCandidates(values[group]!), { biases: frame.candidateBiases(group), scale: scaleOf(query) }));
  return frame.joinCandidates(read);
};
