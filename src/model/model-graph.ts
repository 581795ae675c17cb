import type { Tensor } from '../graph/tensor.js';
import type { ModelLayout, ParameterSpec } from './layout.js';

/** A model as a symbolic forward graph, before the loss. */
export interface ModelGraph {
  readonly layout: ModelLayout;
  readonly parameters: readonly { readonly spec: ParameterSpec; readonly tensor: Tensor }[];
  /** Graph inputs of `layout.blocks`, same order: gradients of gathered rows flow here. */
  readonly blocks: readonly Tensor[];
  /** `[candidates, tasks]`; a task that a surface lacks has logit 0 there. */
  readonly logits: Tensor;
  /** `[surfaces, tasks · experts]`: sums of gate weights over the rows of each surface, where the model has experts. */
  readonly expertLoad?: Tensor;
  /** Parameter `[tasks]`: log variance of each task, where task weights are learned (Kendall et al. 2018). */
  readonly uncertainty?: Tensor;
}
