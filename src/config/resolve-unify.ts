/** The `unify` section with its defaults filled in. */
import type { FeatureConfig, Model, ModelConfig, ModelOptions, ProjectConfig } from './project.js';
import { resolveModel } from './resolve-models.js';
import { CALIBRATION_METHODS, STAGES, type Gate, type GateConfig, type ModelStage, type StageName, type UnifyConfig, type UnifyPlan } from './unify-plan.js';

const MARGIN = 0.002;
const WITHIN = 0.1;
const SIMILARITY = 0.7;
const IMPORTANCE_ROWS = 20_000;

const isObject = (value: unknown): value is Readonly<Record<string, unknown>> => typeof value === 'object' && value !== null && !Array.isArray(value);

/** Options over options: objects merge one level deep, everything else replaces; one that is `undefined` hides nothing. */
export const layerOptions = (under: ModelOptions, over: ModelOptions | undefined): ModelOptions => {
  const merged: Record<string, unknown> = { ...under };
  for (const [key, value] of Object.entries(over ?? {})) {
    if (value === undefined) continue;
    const below = merged[key];
    merged[key] = isObject(value) && isObject(below) ? { ...below, ...value } : value;
  }
  return merged;
};

/** The parts of a config that its stages' models are made of. */
export type StageSource = Pick<ProjectConfig, 'features' | 'models' | 'unify'>;

/** The options of a declared model but for some; none where it is not declared. */
const optionsOf = ({ models }: StageSource, name: string, without: readonly (keyof ModelConfig)[]): ModelOptions =>
  Object.fromEntries(Object.entries(models?.[name] ?? {}).filter(([option]) => !without.some((one) => one === option)));

/** What shared learning adds, and surface-aware learning, is not the baseline's. */
const ADDED_LATER = ['transformer', 'projection', 'experts', 'lateFusion', 'tower'] as const;

/** Each model stage's options, over those of the stage before. */
export const stageOptions = (config: StageSource): Readonly<Record<ModelStage, ModelOptions>> => {
  const unify: UnifyConfig = config.unify ?? {};
  const baseline = layerOptions({ ...optionsOf(config, 'unified', ['preset', ...ADDED_LATER]), tower: [] }, unify.baseline);
  const hasSequence = Object.entries<FeatureConfig>(config.features).some(([name, { kind }]) => kind === 'sequence' && baseline.features?.includes(name) !== false);
  const shared = layerOptions(baseline, unify.sharedLearning ?? { experts: {}, ...(hasSequence ? { transformer: {} } : {}) });
  const efficiency = layerOptions(shared, unify.efficiency ?? (shared.transformer === undefined ? {} : { projection: {} }));
  const surfaceAware = layerOptions(efficiency, unify.surfaceAware ?? { tower: [32] });
  return { baseline, 'shared-learning': shared, efficiency, 'surface-aware': surfaceAware };
};

/** Options of a surface's own model; without a surface, those that all have. */
export const separateOptions = (config: StageSource, surface?: string): ModelOptions => {
  const { on, ...common } = config.unify?.separate ?? {};
  return layerOptions(layerOptions(optionsOf(config, 'separate', ['preset']), common), surface === undefined ? undefined : on?.[surface]);
};

const isAtLeast = (stage: StageName, first: StageName): boolean => STAGES.indexOf(stage) >= STAGES.indexOf(first);

const resolveGate = (stage: StageName, gates: UnifyConfig['gates'], tasks: readonly string[]): Gate => {
  const { stages, ...all } = gates ?? {};
  const { quality, gain, calibration, trainingCost, latency, size }: GateConfig = { ...all, ...stages?.[stage] };
  const limit = (declared: number | false | undefined, standard: number): number | undefined => {
    if (declared !== undefined) return declared === false ? undefined : declared;
    return isAtLeast(stage, 'efficiency') ? standard : undefined;
  };
  const isCalibrated = calibration !== undefined || isAtLeast(stage, 'calibration');
  return {
    quality: quality === false ? undefined : { metric: quality?.metric ?? 'auc', margin: quality?.margin ?? MARGIN, tasks: quality?.tasks ?? tasks },
    gain: gain ?? false,
    calibration: calibration === false || !isCalibrated ? undefined : { within: calibration?.within ?? WITHIN },
    trainingCost: limit(trainingCost, 1),
    latency: limit(latency, 3),
    size: limit(size, 1),
  };
};

/** Around what is declared. */
const defaultSettings = ({ dropout, training }: Model): UnifyPlan['sweep']['settings'] => {
  const around = (value: number): readonly number[] => [value / 2, value, 2 * value];
  return {
    'training.learningRate': around(training.learningRate),
    'training.embeddingLearningRate': around(training.embeddingLearningRate),
    dropout: [...new Set([dropout, 0, 0.1, 0.2])],
    'training.weightDecay': [...new Set([training.weightDecay, 0, 0.01])],
    'training.embeddingWeightDecay': [...new Set([training.embeddingWeightDecay, 0, 1e-5])],
  };
};

/**
 * The plan of `onefold unify`.
 *
 * @param config valid
 * @param surfaces names in their order
 * @param tasks names in their order
 */
export const resolveUnify = (config: ProjectConfig, surfaces: readonly string[], tasks: readonly string[]): UnifyPlan => {
  const unify: UnifyConfig = config.unify ?? {};
  const resolve = (name: string, preset: Model['preset'], options: ModelOptions): Model => resolveModel(name, { ...options, preset }, config.training, tasks[0]!);
  const options = stageOptions(config);
  const models = Object.fromEntries(Object.entries(options).map(([stage, own]) => [stage, resolve(stage, 'unified', own)])) as Record<ModelStage, Model>;
  const { sweep = {}, calibration = {}, report = {} } = unify;
  return {
    separate: Object.fromEntries(surfaces.map((surface) => [surface, resolve('separate', 'separate', separateOptions(config, surface))])),
    models,
    order: unify.order,
    similarity: unify.similarity ?? SIMILARITY,
    gates: Object.fromEntries(STAGES.map((stage) => [stage, resolveGate(stage, unify.gates, tasks)])) as Record<StageName, Gate>,
    sweep: {
      trials: sweep.trials ?? 1,
      method: sweep.method ?? 'random',
      seed: sweep.seed ?? 1,
      stages: sweep.stages ?? ['baseline'],
      settings: sweep.settings ?? defaultSettings(models.baseline),
    },
    calibration: { methods: calibration.methods ?? CALIBRATION_METHODS, folds: calibration.folds ?? 5 },
    export: { tables: unify.export?.tables ?? 'fp32', dense: unify.export?.dense ?? 'fp32' },
    report: { leaveOneOut: report.leaveOneOut ?? true, importanceRows: report.importanceRows ?? IMPORTANCE_ROWS },
  };
};
