/**
 * Entry of `onefold/config`: what a project's `onefold.config.ts` imports.
 *
 * @module
 * @example
 * ```ts
 * import { defineConfig } from 'onefold/config';
 *
 * export default defineConfig(({ data }) => ({
 *   name: 'shop',
 *   surfaces: { feed: { source: { files: `${data}/feed/*.parquet` } } },
 *   features: { ad_id: { kind: 'categorical', side: 'candidate' } },
 *   tasks: { click: { label: 'clicked' } },
 * }));
 * ```
 */
import type { ProjectConfig } from './project.js';

export type {
  CategoricalEncoding,
  CategoricalFeature,
  FeatureConfig,
  FileSource,
  KeysConfig,
  ModelConfig,
  ModelOptions,
  MultiFeature,
  NumberEncoding,
  NumberFeature,
  OnSurfaceConfig,
  Pooling,
  ProjectConfig,
  SequenceFeature,
  SequenceFieldConfig,
  Side,
  Source,
  SplitConfig,
  SqlSource,
  SurfaceConfig,
  TaskConfig,
  TrainingConfig,
  VectorFeature,
} from './project.js';
export type { CalibrationMethod, GateConfig, ModelStage, StageName, SweepConfig, UnifyConfig } from './unify-plan.js';

/** What the function form of a config is called with. */
export interface ConfigEnvironment {
  /** Absolute folder given by `--data`; reading it without that option is an error that says so. */
  readonly data: string;
  /** Absolute folder of the config file; relative file names in the config start here. */
  readonly directory: string;
}

/** The function form of a config. */
export type ConfigFunction<S extends string = string, F extends string = string, T extends string = string> = (
  environment: ConfigEnvironment,
) => ProjectConfig<S, F, T>;

/** What `onefold.config.ts` exports: a config, or a function that makes one. */
export type ConfigInput<S extends string = string, F extends string = string, T extends string = string> =
  | ProjectConfig<S, F, T>
  | ConfigFunction<S, F, T>;

/**
 * Declares a project: a config, or a function of the {@link ConfigEnvironment} that returns one. Returns its argument;
 * it is there for the types, which complete and check surface and task names wherever something refers to one.
 */
export function defineConfig<const S extends string, const F extends string, const T extends string>(
  config: ConfigInput<S, F, T>,
): ConfigInput<S, F, T> {
  return config;
}
