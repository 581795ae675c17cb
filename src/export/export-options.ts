import type { Calibration } from '../calibrate/calibration.js';
import type { Model, Project } from '../config/project.js';
import type { Dataset } from '../data/dataset.js';
import type { PreparedManifest } from '../data/prepared.js';
import type { ScoredGroup } from '../evaluate/score.js';
import type { Engine } from '../train/engine.js';
import type { ExportManifest } from './manifest.js';

/** What to export, how, and what to hold it against. */
export interface ExportSurfaceOptions {
  readonly project: Project;
  readonly model: Model;
  readonly manifest: PreparedManifest;
  /** Folder of the prepared dataset. */
  readonly preparedDirectory: string;
  readonly surface: string;
  /** The run that has the surface, its model loaded. */
  readonly group: ScoredGroup & { readonly scorer: Engine };
  readonly checkpoint: string;
  /** Held-out rows for the replay, with the labels of all tasks. */
  readonly dataset: Dataset;
  /** Precision of the embedding tables. */
  readonly precision: ExportManifest['precision'];
  /** `int8`: dense layers are quantized where that makes scoring faster within the parity budget. Default `fp32`. */
  readonly dense?: ExportManifest['dense'];
  /** `used` leaves out rows of vocabulary tables that the surface has never looked up. Default `used`. */
  readonly rows?: ExportManifest['rows'];
  /** Becomes part of the graph. */
  readonly calibration?: Calibration;
  /** Folder to write. */
  readonly directory: string;
  readonly metrics: ExportManifest['metrics'];
  /** Held-out candidates replayed, at least. Default 100 000. */
  readonly replayCandidates?: number;
  /** Stops between two steps, leaving the export that was there. */
  readonly signal?: AbortSignal;
}
