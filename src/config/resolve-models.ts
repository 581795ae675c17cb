/** Models and their training with the defaults filled in. */
import { availableParallelism } from 'node:os';
import type { Model, ModelConfig, ProjectConfig, Training, TrainingConfig } from './project.js';

const DEFAULT_TRAINING: Omit<Training, 'threads' | 'earlyStopping'> = {
  seed: 1,
  batchSize: 2048,
  epochs: 1,
  learningRate: 1e-3,
  embeddingLearningRate: 0.05,
  optimizer: 'adamw',
  warmupSteps: 100,
  decay: 'cosine',
  finalLearningRate: 0.1,
  weightDecay: 0,
  embeddingWeightDecay: 0,
  clipNorm: 10,
  evaluationsPerEpoch: 1,
};

/** The options that are set: one set to `undefined` does not hide the one under it. */
const present = (training: TrainingConfig | undefined): TrainingConfig =>
  Object.fromEntries(Object.entries(training ?? {}).filter(([, value]) => value !== undefined));

const resolveTraining = (project: TrainingConfig | undefined, model: TrainingConfig | undefined, firstTask: string): Training => {
  const { earlyStopping, ...declared } = { ...present(project), ...present(model) };
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

const resolveModel = (name: string, model: ModelConfig, project: TrainingConfig | undefined, firstTask: string): Model => ({
  name,
  preset: model.preset,
  embeddingWidth: model.embedding?.width ?? 16,
  cross: { layers: model.cross?.layers ?? 2, rank: model.cross?.rank },
  mlp: model.mlp ?? [128, 64],
  tower: model.tower ?? [32],
  dropout: model.dropout ?? 0,
  training: resolveTraining(project, model.training, firstTask),
});

/** Every model; without any declared, one of each preset. A model's training is the project's with its own options over it. */
export function resolveModels(config: ProjectConfig, firstTask: string): Record<string, Model> {
  const models: Readonly<Record<string, ModelConfig>> = config.models ?? {
    separate: { preset: 'separate' },
    unified: { preset: 'unified' },
    linear: { preset: 'linear' },
  };
  return Object.fromEntries(
    Object.entries(models).map(([name, model]) => [name, resolveModel(name, model, config.training, firstTask)]),
  );
}
