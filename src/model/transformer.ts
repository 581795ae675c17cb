import type { Transformer } from '../config/project.js';
import type { Tensor } from '../graph/tensor.js';
import { constant } from '../graph/inputs.js';
import { add } from '../graph/ops/add.js';
import { attention } from '../graph/ops/attention.js';
import { layerNorm } from '../graph/ops/layer-norm.js';
import { relu } from '../graph/ops/relu.js';
import { linear } from './dense.js';
import type { RowSpace } from './layout.js';
import { featureWidth, type Scope } from './scope.js';
import type { SequenceFrame } from './sequence-frame.js';

/**
 * Layer normalization without parameters (Ba et al. 2016; as in OLMo, Groeneveld et al. 2024): the dense layers that
 * follow hold any scale, and its gradient then needs no sum over the tokens.
 */
const normalize = (x: Tensor): Tensor => {
  const width = featureWidth(x);
  return layerNorm(x, constant(new Float32Array(width).fill(1), 'float32', [width]), constant(new Float32Array(width), 'float32', [width]));
};

/** 1/√(head width) (Vaswani et al. 2017). */
const scaleOf = (head: Tensor): number => 1 / Math.sqrt(featureWidth(head));

const selfAttention = (scope: Scope, x: Tensor, frame: SequenceFrame): Tensor => {
  const [queries, keys, values] = frame.split(linear(3 * featureWidth(x))(scope.child('qkv'), x), 3) as [readonly Tensor[], readonly Tensor[], readonly Tensor[]];
  const read = queries.map((query, group) => attention(query, keys[group]!, values[group]!, { biases: frame.tokenBiases(group), scale: scaleOf(query) }));
  return linear(featureWidth(x))(scope.child('out'), frame.join(read));
};

/**
 * Encodes a sequence's events at request level: a pre-norm Transformer (Vaswani et al. 2017; Xiong et al. 2020) without
 * biases (as in PaLM, Chowdhery et al. 2022) over the concatenated embeddings of each event's fields. Dense layers see the
 * flat tokens; only attention sees rectangles.
 *
 * @param tokens `[tokens, sum of the fields' widths]`
 * @param rows row space of the tokens, for dropout masks
 * @returns `[tokens, options.width]`, normalized
 */
export const transformerEncoder = (scope: Scope, tokens: Tensor, frame: SequenceFrame, options: Transformer, rows: RowSpace): Tensor => {
  let x = linear(options.width)(scope.child('embed'), tokens);
  for (let layer = 0; layer < options.layers; layer += 1) {
    const own = scope.child(`layer${layer}`);
    const read = selfAttention(own.child('attention'), normalize(x), frame);
    x = add(x, own.dropout(read, options.dropout, rows));
    const hidden = relu(linear(options.feedForward)(own.child('dense0'), normalize(x)));
    x = add(x, own.dropout(linear(options.width)(own.child('dense1'), hidden), options.dropout, rows));
  }
  return normalize(x);
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
  const [keys, values] = frame.split(linear(2 * options.width)(scope.child('kv'), encoded), 2) as [readonly Tensor[], readonly Tensor[]];
  const queries = frame.splitCandidates(linear(options.width)(scope.child('query'), candidate));
  const read = queries.map((query, group) => attention(query, frame.forCandidates(keys[group]!), frame.forCandidates(values[group]!), { biases: frame.candidateBiases(group), scale: scaleOf(query) }));
  return frame.joinCandidates(read);
};
