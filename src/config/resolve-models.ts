/** Models and their training with the defaults filled in. */
import { availableParallelism } from 'node:os';
import type { FeatureConfig, Model, ModelConfig, ProjectConfig, Training, TrainingConfig, Transformer, TransformerConfig } from './project.js';

const DEFAULT_TRAINING: Omit<Training, 'threads' | 'earlyStopping'> = {
  seed: 1,
  batchSize: 2048,
  batchRequests: Infinity,
  batchTokens: undefined,
  expand: false,
  epochs: 1,
  learningRate: 1e-3,
  embeddingLearningRate: 0.05,
  embeddingOptimizer: 'adagrad',
  optimizer: 'adamw',
  warmupSteps: 100,
  decay: 'cosine',
  finalLearningRate: 0.1,
  weightDecay: 0,
  embeddingWeightDecay: 0,
  clipNorm: 10,
  evaluationsPerEpoch: 1,
  checkpointMinutes: 10,
};

/** The options that are set: one set to `undefined` does not hide the one under it. */
const present = <T extends object>(options: T | undefined): Partial<{ [K in keyof T]: Exclude<T[K], undefined> }> =>
  Object.fromEntries(Object.entries(options ?? {}).filter(([, value]) => value !== undefined)) as Partial<{ [K in keyof T]: Exclude<T[K], undefined> }>;

const resolveTraining = (project: TrainingConfig | undefined, model: TrainingConfig | undefined, firstTask: string): Training => {
  const { earlyStopping, ...declared } = { ...present<TrainingConfig>(project), ...present<TrainingConfig>(model) };
  return {
    ...DEFAULT_TRAINING,
    threads: Math.min(8, availableParallelism()),
    ...declared,
    earlyStopping:
      earlyStopping === undefined || earlyStopping === false
        ? undefined
        : {
            metric: earlyStopping.metric ?? 'logLoss',
            task: earlyStopping.task ?? firstTask,
            patience: earlyStopping.patience ?? 2,
          },
  };
};

const resolveTransformer = (transformer: TransformerConfig, dropout: number): Transformer => {
  const width = transformer.width ?? 64;
  return {
    layers: 2,
    heads: 2,
    attention: 'causal',
    positions: 'learned',
    read: 'both',
    pooled: true,
    dropout,
    ...present(transformer),
    width,
    feedForward: transformer.feedForward ?? 2 * width,
    sequences: transformer.sequences,
  };
};

/** One model; its training is the project's with its own options over it. */
export const resolveModel = (name: string, model: ModelConfig, project: TrainingConfig | undefined, firstTask: string): Model => ({
  name,
  preset: model.preset,
  features: model.features,
  embeddingWidth: model.embedding?.width ?? 16,
  cross: { layers: model.cross?.layers ?? 2, rank: model.cross?.rank },
  mlp: model.mlp ?? [128, 64],
  tower: model.tower ?? [32],
  dropout: model.dropout ?? 0,
  transformer: model.transformer === undefined ? undefined : resolveTransformer(model.transformer, model.dropout ?? 0),
  projection:
    model.projection === undefined
      ? undefined
      : { width: 32, layers: 1, experts: 1, ...present(model.projection), rank: model.projection.rank },
  experts: model.experts === undefined ? undefined : { count: 4, kind: 'mlp', hidden: [64], rank: 16, ...present(model.experts) },
  lateFusion: model.lateFusion ?? false,
  taskWeighting: model.taskWeighting ?? 'fixed',
  training: resolveTraining(project, model.training, firstTask),
});

/** One of each preset, and the unified model with every module. */
const defaultModels = (config: ProjectConfig): Readonly<Record<string, ModelConfig>> => {
  const hasSequence = Object.values<FeatureConfig>(config.features).some(({ kind }) => kind === 'sequence');
  return {
    separate: { preset: 'separate' },
    unified: { preset: 'unified' },
    full: { preset: 'unified', experts: {}, lateFusion: true, ...(hasSequence ? { transformer: {}, projection: {} } : {}) },
    linear: { preset: 'linear' },
  };
};

/** Every model, or the default ones where none is declared. A model's training is the project's with its own options over it. */
export function resolveModels(config: ProjectConfig, firstTask: string): Record<string, Model> {
  const models: Readonly<Record<string, ModelConfig>> = config.models ?? defaultModels(config);
  return Object.fromEntries(
    Object.entries(models).map(([name, model]) => [name, resolveModel(name, model, config.training, firstTask)]),
  );
}
