/** The `unify` section of a config: the staged path from separate models to one, and its gates. */
import type { Model, ModelOptions } from './project.js';

/** Stages in their order. `expand` comes once for each surface group after the first. */
export const STAGES = ['separate', 'profile', 'baseline', 'shared-learning', 'efficiency', 'surface-aware', 'calibration', 'expand', 'export'] as const;
export type StageName = (typeof STAGES)[number];

/** Stages that train a model of their own. */
export const MODEL_STAGES = ['baseline', 'shared-learning', 'efficiency', 'surface-aware'] as const;
export type ModelStage = (typeof MODEL_STAGES)[number];

/** Limits that a stage must keep; one that is left out is the stage's default (docs/unify.md). */
export interface GateConfig {
  /** Per surface and task: how much worse than the champion a metric may be. `false`: not looked at. */
  readonly quality?:
    | false
    | {
        /** Default `auc`. */
        readonly metric?: 'auc' | 'ne';
        /** The gate fails where the interval of the difference shows a loss of more than this. Default 0.002. */
        readonly margin?: number;
        /** Tasks looked at. Default: all. */
        readonly tasks?: readonly string[];
      };
  /** The first task must be shown better than the champion's over all surfaces of the stage. Default false. */
  readonly gain?: boolean;
  /**
   * Per view type and task: the interval of the calibration ratio must reach into `1 ± within`. Default: 0.1 from the stage
   * `calibration` on, not looked at before.
   */
  readonly calibration?: false | { readonly within?: number };
  /** FLOPs of training, at most this times the sum of the separate models'. Default: 1 from `efficiency` on; before, no limit. */
  readonly trainingCost?: number | false;
  /** Median latency of scoring a request, per surface, at most this times the separate model's. Default 3 from `efficiency` on. */
  readonly latency?: number | false;
  /** Bytes of the surfaces' exports together, at most this times the separate models'. Default: 1 from `efficiency` on. */
  readonly size?: number | false;
}

/** A few settings tried at a stage, as many for the separate models as for the unified one. */
export interface SweepConfig {
  /** Settings tried at each stage, the declared one included. Default 1: no sweep. */
  readonly trials?: number;
  /** `random` draws, each trained to its end; `halving` trains all for a part of the steps and goes on with the better half. */
  readonly method?: 'random' | 'halving';
  /** Default 1. */
  readonly seed?: number;
  /** Stages that sweep, beside `separate`, which always does. Default `['baseline']`; what they find holds for later stages. */
  readonly stages?: readonly ModelStage[];
  /**
   * Values by the option's path in a model, e.g. `'training.learningRate': [5e-4, 1e-3]`: a trial draws one of each.
   * Default: learning rates, dropout and weight decays around the declared ones.
   */
  readonly settings?: Readonly<Record<string, readonly unknown[]>>;
}

export const CALIBRATION_METHODS = ['identity', 'shift', 'temperature', 'affine', 'beta', 'isotonic'] as const;
/** How logits are calibrated; docs/calibration.md. */
export type CalibrationMethod = (typeof CALIBRATION_METHODS)[number];

export interface UnifyConfig<S extends string = string, F extends string = string, T extends string = string> {
  /** The surfaces' own models as they are today: options of all, and `on` the differences of one. Default: the model `separate`. */
  readonly separate?: ModelOptions<T, F> & { readonly on?: Readonly<Partial<Record<S, ModelOptions<T, F>>>> };
  /** Merged features and the strongest modules of the separate models. Default: the model `unified`, without towers. */
  readonly baseline?: ModelOptions<T, F>;
  /** Added to the baseline: long sequences and experts, which pay together. Default: `{ transformer: {}, experts: {} }`. */
  readonly sharedLearning?: ModelOptions<T, F>;
  /** Added to that: what makes it cheap. Default: `{ projection: {} }`. */
  readonly efficiency?: ModelOptions<T, F>;
  /** Added to that: surface towers. Default: `{ tower: [32] }`. */
  readonly surfaceAware?: ModelOptions<T, F>;
  /** Groups of surfaces in the order they unify. Default: by similar cost. */
  readonly order?: readonly (readonly S[])[];
  /** Surfaces whose costs per candidate are at least this similar (smaller over larger) form a group. Default 0.7. */
  readonly similarity?: number;
  readonly gates?: GateConfig & { readonly stages?: Readonly<Partial<Record<StageName, GateConfig>>> };
  readonly sweep?: SweepConfig;
  readonly calibration?: {
    /** Methods to choose from, by held-out log loss. Default: all. */
    readonly methods?: readonly CalibrationMethod[];
    /** Parts of the validation users that the choice is cross-validated over. Default 5. */
    readonly folds?: number;
  };
  readonly export?: {
    /** Default `fp32`. */
    readonly tables?: 'fp32' | 'fp16' | 'int8';
    /** `int8` is used on surfaces where it makes scoring faster. Default `fp32`. */
    readonly dense?: 'fp32' | 'int8';
  };
  readonly report?: {
    /** Train once more without each surface, to see what would be lost. Default true. */
    readonly leaveOneOut?: boolean;
    /** Held-out candidates per surface that permutation importance is measured on; 0 leaves it out. Default 20 000. */
    readonly importanceRows?: number;
  };
}

/** A stage's limits with the defaults filled in; undefined: not looked at. */
export interface Gate {
  readonly quality: { readonly metric: 'auc' | 'ne'; readonly margin: number; readonly tasks: readonly string[] } | undefined;
  readonly gain: boolean;
  readonly calibration: { readonly within: number } | undefined;
  readonly trainingCost: number | undefined;
  readonly latency: number | undefined;
  readonly size: number | undefined;
}

/** The `unify` section with its defaults filled in. */
export interface UnifyPlan {
  /** Each surface's own model, preset `separate`. */
  readonly separate: Readonly<Record<string, Model>>;
  /** Preset `unified`. */
  readonly models: Readonly<Record<ModelStage, Model>>;
  readonly order: readonly (readonly string[])[] | undefined;
  readonly similarity: number;
  readonly gates: Readonly<Record<StageName, Gate>>;
  readonly sweep: {
    readonly trials: number;
    readonly method: 'random' | 'halving';
    readonly seed: number;
    readonly stages: readonly ModelStage[];
    /** By the option's path in a config. */
    readonly settings: Readonly<Record<string, readonly unknown[]>>;
  };
  readonly calibration: { readonly methods: readonly CalibrationMethod[]; readonly folds: number };
  readonly export: { readonly tables: 'fp32' | 'fp16' | 'int8'; readonly dense: 'fp32' | 'int8' };
  readonly report: { readonly leaveOneOut: boolean; readonly importanceRows: number };
}
