import type { TablePart } from '../kernels/embedding-kernel.js';
import type { ModelLayout, ParameterSpec } from '../model/layout.js';

/** Raised when older code could not read what newer code writes. */
export const CHECKPOINT_VERSION = 2;

/** The data files of every checkpoint, in the order they are written. */
export const CHECKPOINT_FILES = ['dense.safetensors', 'tables.safetensors', 'optimizer.safetensors'] as const;
export type CheckpointFile = (typeof CHECKPOINT_FILES)[number];

/** Which value each row of a table stands for; in the checkpoints of training runs. */
export const VOCABULARY_FILE = 'vocabulary.json';

/** Size and checksum of a file. */
export interface FileDigest {
  readonly bytes: number;
  readonly sha256: string;
}

/** What a checkpoint says about itself; `checkpoint.json`. No clock and no machine in it: the same run gives the same bytes. */
export interface CheckpointManifest {
  readonly version: typeof CHECKPOINT_VERSION;
  readonly model: string;
  /** Hash of the config and data the model was trained with. */
  readonly configHash: string;
  readonly seed: number;
  /** Optimizer steps of this run. */
  readonly step: number;
  /** Optimizer steps of the runs that it was started from: Adam's moments are as old as both together. */
  readonly stepsBefore: number;
  /** Epochs begun before this step, from 0. */
  readonly epoch: number;
  readonly layout: ModelLayout;
  readonly parameters: readonly ParameterSpec[];
  /** What the training loop needs to go on; opaque here. */
  readonly progress: unknown;
  readonly files: Readonly<Record<CheckpointFile, FileDigest>> & { readonly [VOCABULARY_FILE]?: FileDigest };
}

/** What the caller of a save knows; the rest comes from the engine and the files. */
export interface CheckpointIdentity extends Pick<CheckpointManifest, 'model' | 'configHash' | 'seed' | 'epoch' | 'progress'> {
  /** Path of the run's vocabulary file. */
  readonly vocabulary?: string;
}

/** Name of a part of a fused table in `tables.safetensors`: its weights `[rows, width]` or its rows' optimizer state. */
export const tablePartName = (width: number, part: TablePart['name']): string => `table.${width}.${part}`;

/** Name of a fused table's weights `[rows, width]`. */
export const tableWeightsName = (width: number): string => tablePartName(width, 'weights');

/** Name of a parameter's first or second Adam moment in `optimizer.safetensors`. */
export const momentName = (moment: 'first' | 'second', parameter: string): string => `${moment}.${parameter}`;
