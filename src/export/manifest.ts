import { createHash } from 'node:crypto';
import type { Calibration } from '../calibrate/calibration.js';
import type { FileEntry } from '../data/prepared.js';
import type { SliceEvaluation } from '../evaluate/evaluation.js';
import type { RawSchema } from './raw-schema.js';

/** One input of the exported graph. */
export interface ExportInput {
  readonly name: string;
  readonly dtype: 'int64' | 'float32';
  /** `requests` and `candidates` are the two batch dims; `length:NAME` is a padded list's. */
  readonly shape: readonly (number | string)[];
}

/** How much the exported files' predictions differ from the trained model's on held-out rows. */
export interface ParityReport {
  /** Held-out candidates replayed from their prepared (encoded) form. */
  readonly encodedRows: number;
  /** Held-out candidates replayed from raw values, through the export's own encoders. */
  readonly rawRows: number;
  readonly maxDifference: number;
  readonly tolerance: number;
  /** Largest difference to the trained model's own prediction that rounding makes: of tables and of dense layers; 0 where all is fp32. */
  readonly precisionDifference: number;
  /** Largest difference to the trained model's own logit. */
  readonly maxLogitDifference: number;
  /** AUC of the trained model less the export's on the replayed rows, per task; tasks whose labels are all alike are left out. */
  readonly aucLoss: Readonly<Record<string, number>>;
}

/** What decided about the dense layers. */
export interface MeasuredDense {
  /** Median milliseconds of a held-out request. */
  readonly fp32: number;
  readonly int8: number;
  /** With int8, as in {@link ParityReport}; null where they were no faster. */
  readonly aucLoss: Readonly<Record<string, number>> | null;
}

/** `manifest.json` of an export: everything about it that is not in its other files. */
export interface ExportManifest {
  readonly version: 2;
  readonly project: string;
  readonly model: string;
  readonly surface: string;
  /** How the embedding tables are stored. */
  readonly precision: 'fp32' | 'fp16' | 'int8';
  /** What the dense layers compute in. */
  readonly dense: 'fp32' | 'int8';
  /** Which rows of vocabulary tables there are: those that the surface has looked up, or all. */
  readonly rows: 'used' | 'all';
  /** The calibration that is part of the graph, of this surface alone; null: logits are as the model gives them. */
  readonly calibration: Calibration | null;
  /** Tasks of the surface: the graph's outputs, one probability per candidate each. */
  readonly tasks: readonly string[];
  readonly inputs: readonly ExportInput[];
  /** How the surface's own logs name things: what `onefold predict` reads raw rows with. */
  readonly source: RawSchema;
  readonly lineage: {
    /** Key of the prepared dataset. */
    readonly data: string;
    /** Hash of the config and data the model was trained with. */
    readonly config: string;
    /** SHA-256 of the checkpoint's dense and table files. */
    readonly checkpoint: Readonly<Record<string, string>>;
    readonly trainedSteps: number;
    /** Where only the calibration was fitted anew: digest of the export it was fitted for, and the labelled candidates. */
    readonly recalibrated?: { readonly from: string; readonly rows: number };
  };
  /** Held-out metrics of the surface per task, where it has been evaluated. */
  readonly metrics: Readonly<Record<string, Pick<SliceEvaluation, 'rows' | 'positives' | 'metrics'>>>;
  readonly parity: ParityReport;
  /** Where int8 dense layers were asked for and tried. */
  readonly measured?: { readonly dense: MeasuredDense };
  readonly files: readonly FileEntry[];
}

/** Hash of the manifest itself, stored in it as `digest`: no other file can vouch for it. */
export const digestOf = (manifest: ExportManifest): string => createHash('sha256').update(JSON.stringify(manifest)).digest('hex');

export const EXPORT_FILES = {
  manifest: 'manifest.json',
  graph: 'model.onnx',
  tables: 'tables.bin',
  encoders: 'encoders.json',
  golden: 'golden.parquet',
  /**
   * What a server runs in place of `graph`: once per request, and once per candidate. Not there with int8 dense layers, whose
   * rounding depends on everything that is computed together; the former also where no candidate reads its request.
   */
  requestGraph: 'request.onnx',
  candidateGraph: 'candidate.onnx',
  fused: 'fused.json',
} as const;
