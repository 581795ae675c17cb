import type { Tensor } from '../graph/tensor.js';
import { add } from '../graph/ops/add.js';
import { matmul } from '../graph/ops/matmul.js';
import { mul } from '../graph/ops/mul.js';
import { softmax } from '../graph/ops/softmax.js';
import { slice } from '../graph/ops/slice.js';
import { tanh } from '../graph/ops/tanh.js';
import { dense } from './dense.js';
import type { ParameterSpec } from './layout.js';
import { featureWidth, type Module, type Scope } from './scope.js';
import { joinSides, multiplySides, type SideFeatures } from './sides.js';

interface CrossOptions {
  readonly layers: number;
  /** W of a layer is the product of two thin matrices of this rank (U·V), as in the paper's low-rank form. */
  readonly rank?: number | undefined;
}

const glorot = (rows: number, columns: number): ParameterSpec['initializer'] => ({ type: 'glorot', fanIn: rows, fanOut: columns });

/** `x0 ⊙ (mixed + b) + x`. */
const crossWith = (scope: Scope, x0: Tensor, x: Tensor, mixed: Tensor): Tensor =>
  add(mul(x0, add(mixed, scope.parameter('bias', [featureWidth(x0)], { type: 'zeros' }, { decay: false }))), x);

/** Product of a layer's features with a weight of some name: `[candidates, columns]`. */
type Multiply = (name: string, columns: number) => Tensor;

const multiplyBy =
  (scope: Scope, x: Tensor): Multiply =>
  (name, columns) =>
    matmul(x, scope.parameter(name, [featureWidth(x), columns], glorot(featureWidth(x), columns), { decay: true }));

/** `W·x`, or `U·V·x`. */
const mix = (scope: Scope, multiply: Multiply, width: number, rank: number | undefined): Tensor =>
  rank === undefined ? multiply('weight', width) : matmul(multiply('down', rank), scope.parameter('up', [rank, width], glorot(rank, width), { decay: true }));

/** All layers; `first` multiplies the features as they come. */
const crossLayers = (scope: Scope, x0: Tensor, { layers, rank }: CrossOptions, first: (own: Scope) => Multiply): Tensor => {
  let x = x0;
  for (let layer = 0; layer < layers; layer += 1) {
    const own = scope.child(`layer${layer}`);
    x = crossWith(own, x0, x, mix(own, layer === 0 ? first(own) : multiplyBy(own, x), featureWidth(x0), rank));
  }
  return x;
};

/** DCNv2 crossing (Wang et al. 2021, "DCN V2"): `x' = x0 ⊙ (W·x + b) + x`, `layers` times. */
export const cross =
  (options: CrossOptions): Module =>
  (scope, x0) =>
    crossLayers(scope, x0, options, (own) => multiplyBy(own, x0));

/** {@link cross} of both sides' features, with the first layer's product split by side: `[candidates, width of both]`. */
export const crossSides = (scope: Scope, sides: SideFeatures, options: CrossOptions): Tensor =>
  crossLayers(scope, joinSides(sides), options, (own) => (name, columns) => multiplySides(own, name, sides, columns));

/**
 * Mixture of low-rank DCNv2 layers (Wang et al. 2021, section 4.2): `x' = Σ_i G_i(x)·(x0 ⊙ (U_i·g(C_i·g(V_iᵀ·x)) + b)) + x`
 * with a softmax gate G and g = tanh. The experts' thin products are one wide product each.
 */
export const crossMixture =
  (options: { readonly layers: number; readonly rank: number; readonly experts: number }): Module =>
  (scope, x0) => {
    const { rank, experts, layers } = options;
    const width = featureWidth(x0);
    let x = x0;
    for (let layer = 0; layer < layers; layer += 1) {
      const own = scope.child(`layer${layer}`);
      const down = tanh(matmul(x, own.parameter('down', [width, experts * rank], glorot(width, rank), { decay: true })));
      const gate = softmax(dense(experts)(own.child('gate'), x), 1);
      const mixed = Array.from({ length: experts }, (_, expert) => {
        const expertScope = own.child(`expert${expert}`);
        const inner = tanh(matmul(slice(down, 1, expert * rank, (expert + 1) * rank), expertScope.parameter('core', [rank, rank], glorot(rank, rank), { decay: true })));
        // A gate on the thin side costs `rank` products a row where the wide side would cost `width`.
        const gated = mul(inner, slice(gate, 1, expert, expert + 1));
        return matmul(gated, expertScope.parameter('up', [rank, width], glorot(rank, width), { decay: true }));
      }).reduce((sum, term) => add(sum, term));
      // The gates sum to 1, so that the shared bias needs none.
      x = crossWith(own, x0, x, mixed);
    }
    return x;
  };
