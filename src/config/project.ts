/**
 * What a user declares in `onefold.config.ts`. `defineConfig` gives these types their feature and surface names;
 * `loadProject` validates a config and resolves it into a {@link Project}, in which every default is filled in.
 */

import type { UnifyConfig, UnifyPlan } from './unify-plan.js';

/** Where a feature is stored, computed and broadcast. */
export type Side = 'request' | 'candidate';

/** Files (globs, gzip and zstd by extension) relative to the config file's folder. */
export interface FileSource {
  readonly files: string | readonly string[];
  /** Read from the extension when left out. */
  readonly format?: 'parquet' | 'csv' | 'jsonl';
  /** `candidate`: a row is one candidate (default). `request`: a row is one request, candidate columns are lists. */
  readonly layout?: 'candidate' | 'request';
}

/** A DuckDB query; relative file names in it are relative to the config file's folder. */
export interface SqlSource {
  readonly sql: string;
  readonly layout?: 'candidate' | 'request';
}

export type Source = FileSource | SqlSource;

/** Column names or DuckDB expressions over the source's columns. */
export interface KeysConfig {
  /** Identifies a request within its surface. Default `request_id`. */
  readonly request?: string;
  /** Identifies the user; confidence intervals are clustered by it. Default `user_id`. */
  readonly user?: string;
  /** When the request happened: a timestamp, a date, or a number in `timeUnit`. Default `time`. */
  readonly time?: string;
  /** Unit of a numeric time. Default `ms`. */
  readonly timeUnit?: 's' | 'ms' | 'us';
}

export interface SurfaceConfig<T extends string = string> {
  readonly source: Source;
  /** A DuckDB condition: only rows that meet it belong to this surface. */
  readonly where?: string;
  readonly keys?: KeysConfig;
  /** Expression that gives a row's view type; without it the surface is its only view type. */
  readonly viewType?: string;
  /** The view types that may occur; any other value is a bad row. Learned from the training range when left out. */
  readonly viewTypes?: readonly string[];
  /** Keep every positive of `task` and this fraction of its negatives, in the training split only. */
  readonly negativeSampling?: { readonly task: T; readonly rate: number };
}

/** Differences of one feature on one surface. */
export interface OnSurfaceConfig {
  /** Column or DuckDB expression on this surface. */
  readonly column?: string;
  /** Unit of the values on this surface; must equal the feature's on every other surface. */
  readonly unit?: string;
  /** Name of the id space on this surface; must equal the feature's on every other surface. */
  readonly vocabulary?: string;
}

export type CategoricalEncoding =
  | { readonly type: 'vocabulary'; readonly minCount?: number; readonly maxSize?: number }
  | { readonly type: 'hash'; readonly buckets: number };

export type NumberEncoding =
  /** The value as it is. */
  | { readonly type: 'none' }
  /** (x − mean) / standard deviation, fitted on the training range. */
  | { readonly type: 'standard' }
  /** sign(x)·log1p(|x|), then standard. */
  | { readonly type: 'log' }
  /** Rank in the training range, mapped to [−1, 1], interpolated between `quantiles` (default 100) points. */
  | { readonly type: 'quantile'; readonly quantiles?: number }
  /** An id per bucket, with an embedding: fixed `boundaries`, or `count` equal-mass buckets of the training range. */
  | { readonly type: 'bucket'; readonly boundaries?: readonly number[]; readonly count?: number };

interface FeatureBase<S extends string> {
  readonly side: Side;
  /** Surfaces that have the feature. Default: all. */
  readonly surfaces?: readonly S[];
  /** Column or DuckDB expression. Default: the feature's name. */
  readonly column?: string;
  readonly on?: Readonly<Partial<Record<S, OnSurfaceConfig>>>;
  readonly unit?: string;
  /** Known only in training (the position an ad was shown at): scored with this raw value instead. */
  readonly trainingOnly?: { readonly serveAs: string | number };
}

export interface CategoricalFeature<S extends string = string> extends FeatureBase<S> {
  readonly kind: 'categorical';
  /** Default: a vocabulary with `minCount` 2. */
  readonly encoding?: CategoricalEncoding;
  /** Embedding table; features that name the same table share its vocabulary and rows. Default: the feature's name. */
  readonly table?: string;
  /** Embedding width. Default: `model.embedding.width`. */
  readonly width?: number;
}

export interface MultiFeature<S extends string = string> extends FeatureBase<S> {
  readonly kind: 'multi';
  readonly encoding?: CategoricalEncoding;
  readonly table?: string;
  readonly width?: number;
  /** Default `mean`. */
  readonly pooling?: Pooling;
  /** Ids kept, from the start of the list. Default 50. */
  readonly maxLength?: number;
}

export interface NumberFeature<S extends string = string> extends FeatureBase<S> {
  readonly kind: 'number';
  /** Default `standard`. */
  readonly encoding?: NumberEncoding;
  /** Embedding width of bucket encoding. */
  readonly width?: number;
}

export interface VectorFeature<S extends string = string> extends FeatureBase<S> {
  readonly kind: 'vector';
  readonly size: number;
}

export type Pooling = 'sum' | 'mean' | 'max';

/** One field of a sequence's events. */
export type SequenceFieldConfig =
  | {
      /** An id of each event. */
      readonly kind?: 'id';
      /** Column or expression of the events' source; default the field's name. For in-row sequences: a list column. */
      readonly column?: string;
      readonly table?: string;
      readonly encoding?: CategoricalEncoding;
      readonly width?: number;
    }
  | {
      /** log2 bucket of the minutes between the event and the request; needs event times. */
      readonly kind: 'time_gap';
      readonly width?: number;
    };

export interface SequenceFeature<S extends string = string> {
  readonly kind: 'sequence';
  readonly side?: 'request';
  readonly surfaces?: readonly S[];
  /** The newest this many events before the request are kept. */
  readonly length: number;
  readonly fields: Readonly<Record<string, SequenceFieldConfig>>;
  /** Events joined point-in-time: only events strictly before the request. */
  readonly events?: {
    readonly source: Source;
    readonly where?: string;
    readonly user?: string;
    readonly time?: string;
    readonly timeUnit?: 's' | 'ms' | 'us';
  };
  /**
   * Without `events`, fields are list columns of the surface's own source, oldest first; `time` names the list of
   * event times beside them, each of which must be strictly before the request's time.
   */
  readonly time?: string;
  readonly timeUnit?: 's' | 'ms' | 'us';
  /** How an event's fields are pooled over the sequence. Default `mean`. */
  readonly pooling?: Pooling;
}

export type FeatureConfig<S extends string = string> =
  | CategoricalFeature<S>
  | MultiFeature<S>
  | NumberFeature<S>
  | VectorFeature<S>
  | SequenceFeature<S>;

export interface TaskConfig<S extends string = string> {
  /** DuckDB expression giving 0, 1, a boolean, or NULL (no label for this row). */
  readonly label: string;
  readonly on?: Readonly<Partial<Record<S, { readonly label: string }>>>;
  /** Surfaces that have the task. Default: all. */
  readonly surfaces?: readonly S[];
  /** Weight of the task's loss. Default 1. */
  readonly weight?: number;
}

/** Moments: an ISO date or date-time, or epoch milliseconds. `[train start, validation)`, `[validation, test)`, `[test, end)`. */
export type SplitConfig =
  | { readonly validationFrom: string | number; readonly testFrom: string | number; readonly from?: string | number; readonly until?: string | number }
  /** Fractions of the time-ordered requests, of all surfaces together. Default 0.1 and 0.1. */
  | { readonly validation: number; readonly test: number };

/** A model's own options, whatever its preset. */
export interface ModelOptions<T extends string = string, F extends string = string> {
  /** Features it reads, by name; the others are as if they were not there. Default: all of its surfaces'. */
  readonly features?: readonly F[];
  /** Default width 16. */
  readonly embedding?: { readonly width?: number };
  /** DCNv2 layers (0: none; default 2); `rank` makes each low-rank. */
  readonly cross?: { readonly layers?: number; readonly rank?: number };
  /** Hidden sizes of the shared MLP. Default [128, 64]. */
  readonly mlp?: readonly number[];
  /** Hidden sizes of each surface's own layers before its heads. Default [32]. */
  readonly tower?: readonly number[];
  /** Fraction of hidden units dropped in training. Default 0. */
  readonly dropout?: number;
  /** Reads event sequences with a Transformer, once per request. Without it they are only pooled. */
  readonly transformer?: TransformerConfig<F>;
  /** DCNv2 projection of what the Transformer gives to a small representation before crossing and towers. Default: none. */
  readonly projection?: ProjectionConfig;
  /** Mixture of experts between the crossing and the towers (MMoE). Without it the shared `mlp` stands there alone. */
  readonly experts?: ExpertsConfig;
  /** Features that one surface alone has skip the trunk and enter that surface's tower. Default false. */
  readonly lateFusion?: boolean;
  /** `fixed` weights of tasks, or learned from each task's uncertainty (Kendall et al. 2018). Default `fixed`. */
  readonly taskWeighting?: 'fixed' | 'uncertainty';
  readonly training?: TrainingConfig<T>;
}

export interface ModelConfig<T extends string = string, F extends string = string> extends ModelOptions<T, F> {
  /** `separate`: a model per surface on its own features. `unified`: one for all. `linear`: logistic regression per surface. */
  readonly preset: 'separate' | 'unified' | 'linear';
}

export interface TransformerConfig<F extends string = string> {
  /** Sequence features it reads. Default: all. */
  readonly sequences?: readonly F[];
  /** Default 2. */
  readonly layers?: number;
  /** Width of a token. Default 64. */
  readonly width?: number;
  /** Attention heads; they divide `width`. Default 2. */
  readonly heads?: number;
  /** Hidden units of each layer's feed-forward part. Default `2 · width`. */
  readonly feedForward?: number;
  /** Whether an event sees only earlier events, or all. Default `causal`. */
  readonly attention?: 'causal' | 'full';
  /**
   * How a token knows its place: `learned` by its distance from the newest event, `time` by the embedding of its time gap
   * alone (the sequence needs a `time_gap` field), or `none`. Default `learned`.
   */
  readonly positions?: 'learned' | 'time' | 'none';
  /**
   * What is read from the encoded history: `candidate` attends to it from each candidate, `newest` takes the newest event's
   * token once per request. Default `both`.
   */
  readonly read?: 'candidate' | 'newest' | 'both';
  /** Keep the pooled sequence beside it as a request-side feature. Default true. */
  readonly pooled?: boolean;
  /** Fraction dropped of each sub-layer's output in training. Default: the model's. */
  readonly dropout?: number;
}

export interface ProjectionConfig {
  /** Default 32. */
  readonly width?: number;
  /** DCNv2 layers before the projection. Default 1. */
  readonly layers?: number;
  /** Rank of each layer; full when left out. */
  readonly rank?: number;
  /** Above 1: a gated mixture of that many low-rank DCNv2 layers (needs `rank`). Default 1. */
  readonly experts?: number;
}

export interface ExpertsConfig {
  /** Default 4. */
  readonly count?: number;
  /** Dense layers, or one low-rank DCNv2 layer followed by them. Default `mlp`. */
  readonly kind?: 'mlp' | 'cross';
  /** Hidden sizes of an expert. Default [64]. */
  readonly hidden?: readonly number[];
  /** Rank of the DCNv2 layer of `cross` experts. Default 16. */
  readonly rank?: number;
}

export interface TrainingConfig<T extends string = string> {
  readonly seed?: number;
  /** Candidates per batch, at most. Default 2048. */
  readonly batchSize?: number;
  /** Requests per batch, at most. Default: no bound of its own. */
  readonly batchRequests?: number;
  /** Sequence tokens per batch, at most. Default: what keeps a step's activations within 512 MB. */
  readonly batchTokens?: number;
  /**
   * Expand every request-side input to its candidates before the step: what request-level broadcasting saves. The losses
   * are the same. Default false.
   */
  readonly expand?: boolean;
  /** Default 1. */
  readonly epochs?: number;
  /** Of dense parameters (AdamW). Default 1e-3. */
  readonly learningRate?: number;
  /** Of embedding rows. Default 0.05. */
  readonly embeddingLearningRate?: number;
  /** Of embedding rows: row-wise Adagrad (default), Adam, or SGD; FBGEMM's semantics. */
  readonly embeddingOptimizer?: 'adagrad' | 'adam' | 'sgd';
  readonly optimizer?: 'adam' | 'adamw';
  /** Steps over which the learning rate rises from 0. Default 100. */
  readonly warmupSteps?: number;
  /** How it falls afterwards, to `finalLearningRate` (a fraction, default 0.1). Default `cosine`. */
  readonly decay?: 'constant' | 'linear' | 'cosine';
  readonly finalLearningRate?: number;
  /** AdamW's decoupled decay, or Adam's L2, of dense weights (not biases). Default 0. */
  readonly weightDecay?: number;
  /** L2 of embedding rows (FBGEMM's L2 mode). Default 0. */
  readonly embeddingWeightDecay?: number;
  /** Global norm to which dense gradients are clipped; 0 turns it off. Default 10. */
  readonly clipNorm?: number;
  /** Stop after `patience` evaluations without a better `metric` on the validation split; the best step is kept. */
  readonly earlyStopping?: { readonly metric?: 'logLoss' | 'auc' | 'gauc'; readonly task?: T; readonly patience?: number } | false;
  /** Evaluations per epoch. Default 1. */
  readonly evaluationsPerEpoch?: number;
  /** Minutes between checkpoints that a killed run resumes from, beside those at every evaluation. Default 10. */
  readonly checkpointMinutes?: number;
  /** Threads of the engine. Default: the machine's, at most 8. */
  readonly threads?: number;
}

/** The config as a user writes it. `S`: surface names, `F`: feature names, `T`: task names. */
export interface ProjectConfig<S extends string = string, F extends string = string, T extends string = string> {
  readonly name: string;
  /** Where artefacts are written, relative to the config file. Default `.onefold`. */
  readonly workspace?: string;
  /** Keys of every surface that does not say otherwise. */
  readonly keys?: KeysConfig;
  readonly surfaces: Readonly<Record<S, SurfaceConfig<NoInfer<T>>>>;
  readonly features: Readonly<Record<F, FeatureConfig<NoInfer<S>>>>;
  readonly tasks: Readonly<Record<T, TaskConfig<NoInfer<S>>>>;
  readonly split?: SplitConfig;
  readonly data?: {
    /** `fail` (default) on the first bad rows, or write them with the reason into `prepared/quarantine.parquet`. */
    readonly badRows?: 'fail' | 'quarantine';
    /** Memory DuckDB may use, e.g. `4GB`. Default: half the machine's, at most 8 GB. */
    readonly memoryLimit?: string;
    /** Candidates per prepared shard. Default 500 000. */
    readonly shardCandidates?: number;
    /** Column with the true probability of `task` (simulated data only): kept for evaluation, never a feature. */
    readonly truth?: Readonly<Partial<Record<NoInfer<T>, string>>>;
    /**
     * Column with the probability of `task` that an existing outside model predicted: kept for comparison, never a feature.
     * With it `onefold unify` measures against that model instead of training separate ones.
     */
    readonly outside?: Readonly<Partial<Record<NoInfer<T>, string>>>;
  };
  /** Models that `onefold train NAME` knows. Default: `separate`, `unified` and `linear`, each with its preset, and `full`. */
  readonly models?: Readonly<Record<string, ModelConfig<NoInfer<T>, NoInfer<F>>>>;
  readonly training?: TrainingConfig<NoInfer<T>>;
  /** The path of `onefold unify` from separate models to one. Every part has a default. */
  readonly unify?: UnifyConfig<NoInfer<S>, NoInfer<F>, NoInfer<T>>;
}

/** A config with its defaults filled in and its names resolved: what every other room reads. */
export interface Project {
  readonly name: string;
  /** Absolute path of the config file. */
  readonly file: string;
  /** Absolute folder that relative file names start from. */
  readonly directory: string;
  /** Absolute folder of artefacts. */
  readonly workspace: string;
  /** In the order declared: a surface's index everywhere. */
  readonly surfaces: readonly Surface[];
  /** In the order declared. */
  readonly features: readonly Feature[];
  readonly tasks: readonly Task[];
  readonly split: SplitConfig;
  readonly data: {
    readonly badRows: 'fail' | 'quarantine';
    readonly memoryLimit: string;
    readonly shardCandidates: number;
    /** Expression of the true probability per task, where known. */
    readonly truth: Readonly<Record<string, string>>;
    /** Expression of an outside model's probability per task, where there is one. */
    readonly outside: Readonly<Record<string, string>>;
  };
  readonly models: Readonly<Record<string, Model>>;
  /** Undefined in a project that only reads rows for an export. */
  readonly unify: UnifyPlan | undefined;
}

export interface Surface {
  readonly name: string;
  readonly source: Source;
  readonly where: string | undefined;
  readonly keys: Required<KeysConfig>;
  readonly viewType: string | undefined;
  readonly viewTypes: readonly string[] | undefined;
  readonly negativeSampling: { readonly task: string; readonly rate: number } | undefined;
}

/** A feature's column on each surface that has it. */
export type ColumnsBySurface = Readonly<Record<string, string>>;

interface ResolvedBase {
  readonly name: string;
  readonly side: Side;
  /** Names of the surfaces that have it, in surface order. */
  readonly surfaces: readonly string[];
}

interface ResolvedColumnBase extends ResolvedBase {
  readonly columns: ColumnsBySurface;
  readonly units: Readonly<Record<string, string | undefined>>;
  readonly vocabularies: Readonly<Record<string, string | undefined>>;
  readonly trainingOnly: { readonly serveAs: string | number } | undefined;
}

export type Feature =
  | (ResolvedColumnBase & {
      readonly kind: 'categorical';
      readonly encoding: CategoricalEncoding;
      readonly table: string;
      readonly width: number | undefined;
    })
  | (ResolvedColumnBase & {
      readonly kind: 'multi';
      readonly encoding: CategoricalEncoding;
      readonly table: string;
      readonly width: number | undefined;
      readonly pooling: Pooling;
      readonly maxLength: number;
    })
  | (ResolvedColumnBase & {
      readonly kind: 'number';
      readonly encoding: NumberEncoding;
      /** Table of bucket encoding: the feature's name. */
      readonly table: string;
      readonly width: number | undefined;
    })
  | (ResolvedColumnBase & { readonly kind: 'vector'; readonly size: number })
  | (ResolvedBase & {
      readonly kind: 'sequence';
      readonly side: 'request';
      readonly length: number;
      readonly pooling: Pooling;
      readonly fields: readonly SequenceField[];
      readonly events:
        | { readonly source: Source; readonly where: string | undefined; readonly user: string; readonly time: string; readonly timeUnit: 's' | 'ms' | 'us' }
        | undefined;
      readonly time: string | undefined;
      readonly timeUnit: 's' | 'ms' | 'us';
    });

export type SequenceField =
  | { readonly kind: 'id'; readonly name: string; readonly column: string; readonly table: string; readonly encoding: CategoricalEncoding; readonly width: number | undefined }
  | { readonly kind: 'time_gap'; readonly name: string; readonly table: string; readonly width: number | undefined };

export interface Task {
  readonly name: string;
  readonly weight: number;
  readonly surfaces: readonly string[];
  /** Label expression per surface. */
  readonly labels: Readonly<Record<string, string>>;
}

export interface Model {
  readonly name: string;
  readonly preset: 'separate' | 'unified' | 'linear';
  /** Names of the features it reads; undefined: all of its surfaces'. */
  readonly features: readonly string[] | undefined;
  readonly embeddingWidth: number;
  readonly cross: { readonly layers: number; readonly rank: number | undefined };
  readonly mlp: readonly number[];
  readonly tower: readonly number[];
  readonly dropout: number;
  readonly transformer: Transformer | undefined;
  readonly projection: { readonly width: number; readonly layers: number; readonly rank: number | undefined; readonly experts: number } | undefined;
  readonly experts: { readonly count: number; readonly kind: 'mlp' | 'cross'; readonly hidden: readonly number[]; readonly rank: number } | undefined;
  readonly lateFusion: boolean;
  readonly taskWeighting: 'fixed' | 'uncertainty';
  readonly training: Training;
}

export interface Transformer {
  /** Names of sequence features; undefined: all. */
  readonly sequences: readonly string[] | undefined;
  readonly layers: number;
  readonly width: number;
  readonly heads: number;
  readonly feedForward: number;
  readonly attention: 'causal' | 'full';
  readonly positions: 'learned' | 'time' | 'none';
  readonly read: 'candidate' | 'newest' | 'both';
  readonly pooled: boolean;
  readonly dropout: number;
}

export interface Training {
  readonly seed: number;
  readonly batchSize: number;
  /** Infinity: no bound of its own. */
  readonly batchRequests: number;
  /** Undefined: from the model's bytes per token. */
  readonly batchTokens: number | undefined;
  readonly expand: boolean;
  readonly epochs: number;
  readonly learningRate: number;
  readonly embeddingLearningRate: number;
  readonly embeddingOptimizer: 'adagrad' | 'adam' | 'sgd';
  readonly optimizer: 'adam' | 'adamw';
  readonly warmupSteps: number;
  readonly decay: 'constant' | 'linear' | 'cosine';
  readonly finalLearningRate: number;
  readonly weightDecay: number;
  readonly embeddingWeightDecay: number;
  readonly clipNorm: number;
  readonly earlyStopping: { readonly metric: 'logLoss' | 'auc' | 'gauc'; readonly task: string; readonly patience: number } | undefined;
  readonly evaluationsPerEpoch: number;
  readonly checkpointMinutes: number;
  readonly threads: number;
}
