import type { Tensor } from '../graph/tensor.js';
import { constant, input } from '../graph/inputs.js';
import { add } from '../graph/ops/add.js';
import { concat, splitRows } from '../graph/ops/concat.js';
import { mul } from '../graph/ops/mul.js';
import { dense, mlp } from './dense.js';
import { expertLoad, mixForTask, type Mixture } from './experts.js';
import { INPUT, type ModelLayout, type ParameterSpec } from './layout.js';
import type { Scope } from './scope.js';

/** Rows `[candidates, d]`, sorted by surface, as one tensor per surface `[candidates:<surface>, d]`. */
const routeBySurface = (x: Tensor, surfaces: readonly string[]): readonly Tensor[] =>
  surfaces.length === 1
    ? [x]
    : splitRows(
        x,
        input(INPUT.surfaceCandidates, 'int64', [surfaces.length]),
        surfaces.map((surface) => `candidates:${surface}`),
      );

/** 1 for each task the surface has; null when it has them all. */
const taskMask = (layout: ModelLayout, surface: string): Tensor | null => {
  const has = layout.tasks.map((task) => (task.surfaces.includes(surface) ? 1 : 0));
  return has.every((one) => one === 1) ? null : constant(Float32Array.from(has), 'float32', [1, has.length]);
};

/** Positives per labelled row, surface → task → rate: where the output layers start. */
export type Priors = Readonly<Record<string, Readonly<Record<string, number>>>>;

/** Rates of 0 and 1 have no logit: what few rows never showed is rare, not impossible. */
const logit = (rate: number): number => {
  const possible = Math.min(Math.max(rate, 1e-4), 1 - 1e-4);
  return Math.log(possible / (1 - possible));
};

/** A bias that predicts the surface's base rates, so that the first steps are not spent on finding them. */
export const priorBias = (priors: Priors | undefined, surface: string, layout: ModelLayout): { readonly bias?: readonly number[] } => {
  const rates = priors?.[surface];
  return rates === undefined ? {} : { bias: layout.tasks.map((task) => (rates[task.name] === undefined ? 0 : logit(rates[task.name]!))) };
};

/** Scope of what a surface alone has: its tower and its heads. */
const towerScope = (surface: string): string => `tower.${surface}`;

/** Names of the dense parameters of a surface's own tower and heads. */
export const towerParameters = (parameters: readonly { readonly spec: ParameterSpec }[], surface: string): readonly string[] =>
  parameters.flatMap(({ spec }) => (spec.name.startsWith(`${towerScope(surface)}.`) ? [spec.name] : []));

export interface SurfaceHeadOptions {
  readonly layout: ModelLayout;
  /** The surfaces to build towers for: all of the layout's, or the one that is exported. */
  readonly surfaces: readonly string[];
  readonly tower: readonly number[];
  readonly dropout: number;
  readonly priors?: Priors;
  /** Experts, mixed per task within each surface's tower. */
  readonly mixture?: Mixture & { readonly experts: number };
  /** Features that a surface alone has `[candidates, d]`, by surface: they enter its tower beside the trunk's. */
  readonly late?: Readonly<Record<string, Tensor>>;
}

export interface SurfaceHeads {
  /** `[candidates, tasks]`; 0 for a task that the row's surface lacks. */
  readonly logits: Tensor;
  /** `[surfaces, tasks · experts]`: sums of gate weights. */
  readonly load?: Tensor;
}

/**
 * The tower tree: trunk → surface tower → task heads. Every surface's logits are those of one shared layer plus those of
 * its own tower. The shared layer carries what all surfaces agree on, so a surface with little traffic learns only how it
 * differs. A surface's own head reads what its tower makes of the features and, beside it, the features themselves: a
 * narrow tower alone would hide most of the trunk and of the experts' mixtures from the head, so that adding a tower took
 * more away than it gave. Rows are routed: a candidate is computed by its own surface's tower only, and experts are mixed
 * only for the tasks that its surface has.
 *
 * @param x trunk features `[candidates, d]`, rows in surface order
 */
export const surfaceHeads = (scope: Scope, x: Tensor, options: SurfaceHeadOptions): SurfaceHeads => {
  const { layout, surfaces, mixture, late = {} } = options;
  const tasks = layout.tasks.length;
  const route = (tensor: Tensor): readonly Tensor[] => routeBySurface(tensor, surfaces);
  const shared = layout.surfaces.length > 1 ? route(dense(tasks)(scope.child('shared_head'), x)) : null;
  const routed = route(x);
  const mixtures = mixture === undefined ? null : { outputs: route(mixture.outputs), gates: route(mixture.gates) };
  const logits = surfaces.map((surface, index) => {
    const own = scope.child(towerScope(surface));
    const mixed = layout.tasks.flatMap((task, t) =>
      mixtures === null || !task.surfaces.includes(surface) ? [] : [mixForTask({ outputs: mixtures.outputs[index]!, gates: mixtures.gates[index]! }, t, mixture!.experts)],
    );
    const ownFeatures = late[surface] === undefined ? [] : [route(late[surface])[index]!];
    const features = concat([routed[index]!, ...mixed, ...ownFeatures], 1);
    const hidden = mlp(options.tower, { dropout: options.dropout })(own, features);
    // A tower adds to what the head sees, it does not narrow it; without layers its output is the features already.
    const seen = options.tower.length === 0 ? features : concat([features, hidden], 1);
    const head = dense(tasks, priorBias(options.priors, surface, layout))(own.child('head'), seen);
    const sum = shared === null ? head : add(head, shared[index]!);
    const mask = taskMask(layout, surface);
    return mask === null ? sum : mul(sum, mask);
  });
  return {
    logits: logits.length === 1 ? logits[0]! : concat(logits, 0, { dim: 'candidates' }),
    ...(mixtures === null ? {} : { load: expertLoad(mixtures.gates) }),
  };
};
