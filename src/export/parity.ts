/** Whether what was written predicts what was trained: exactly but for rounding, and within a budget with it. */
import type { Calibration } from '../calibrate/calibration.js';
import { ParityError } from '../config/errors.js';
import { openDatabase } from '../data/duckdb.js';
import { createEncoder } from '../data/encode.js';
import type { EncoderSet } from '../data/encoder-state.js';
import type { CheckpointManifest } from '../train/checkpoint-manifest.js';
import { encodeRaw } from './encode-raw.js';
import type { ExportSurfaceOptions } from './export-options.js';
import type { ParityReport } from './manifest.js';
import type { OpenExport } from './open-export.js';
import { readRawRows } from './raw-rows.js';
import type { RawSchema } from './raw-schema.js';
import { renumbering } from './renumber.js';
import { replay, type ReplayResult, type RequestScores } from './replay.js';
import { withRoundedTables } from './rounded-checkpoint.js';

/** Largest difference of a prediction between the exported files and the trained model, rounded as they are. */
export const PARITY_TOLERANCE = 1e-5;

/** What rounding may cost: AUC of the trained model less the export's, per task. */
export const AUC_BUDGET = 1e-4;

const REPLAYED_CANDIDATES = 100_000;

/** Everything a replay needs but the files' session. */
export interface ParityCheck {
  readonly options: ExportSurfaceOptions;
  readonly checkpoint: CheckpointManifest;
  readonly schema: RawSchema;
  /** The export's own. */
  readonly encoders: EncoderSet;
  readonly calibration: Calibration | null;
  /** Raw held-out rows of the surface. */
  readonly rawFile: string;
  readonly stopIfAsked: () => void;
}

type Scored = Pick<OpenExport, 'score'>;

/** What the export makes of the raw held-out rows, per request. */
const scoreRaw = async ({ schema, encoders, rawFile, stopIfAsked }: ParityCheck, exported: Scored): Promise<Map<string, RequestScores>> => {
  const encoder = createEncoder(encoders);
  const scores = new Map<string, Record<string, number[]>>();
  const database = await openDatabase({ threads: 1 });
  try {
    for await (const rows of readRawRows(database, schema, rawFile, { directory: '/', serving: false })) {
      stopIfAsked();
      const probabilities = await exported.score(encodeRaw(rows, encoder, schema.surface.name, false));
      rows.requestIds.forEach((id, row) => {
        let request = scores.get(id);
        if (request === undefined) scores.set(id, (request = Object.fromEntries(Object.keys(probabilities).map((task) => [task, []]))));
        for (const [task, values] of Object.entries(probabilities)) request[task]!.push(values[row]!);
      });
    }
  } finally {
    database.close();
  }
  return scores;
};

const replayWith = async (check: ParityCheck, exported: Scored, tolerance: number): Promise<ReplayResult> => {
  const { options, encoders, calibration, stopIfAsked } = check;
  const { dataset, manifest, group, surface } = options;
  return replay({
    dataset,
    manifest,
    group,
    exported,
    calibration,
    renumber: renumbering(manifest.encoders, encoders),
    surface,
    tolerance,
    fromRaw: await scoreRaw(check, exported),
    candidates: options.replayCandidates ?? REPLAYED_CANDIDATES,
    stopIfAsked,
  });
};

/**
 * Replays the files against the model with its tables rounded as the files' are.
 *
 * @throws ParityError where a prediction differs
 */
export const checkExact = (check: ParityCheck, exported: Scored): Promise<ReplayResult> => {
  const { options, checkpoint } = check;
  const rounding = { scorer: options.group.scorer, checkpoint: options.checkpoint, manifest: checkpoint, precision: options.precision };
  return withRoundedTables(rounding, () => replayWith(check, exported, PARITY_TOLERANCE));
};

/** The files against the model as it is: what rounding costs. */
export const measureRounding = (check: ParityCheck, exported: Scored): Promise<ReplayResult> => replayWith(check, exported, 1);

/** The task that loses more than the budget, if one does. */
export const overBudget = ({ aucLoss }: ReplayResult): readonly [string, number] | undefined => Object.entries(aucLoss).find(([, loss]) => loss > AUC_BUDGET);

/** @throws ParityError where rounding costs a task more than the budget */
export const checkBudget = (surface: string, what: string, measured: ReplayResult): void => {
  const over = overBudget(measured);
  if (over === undefined) return;
  const [task, loss] = over;
  throw new ParityError(`${surface}: ${what} cost task "${task}" ${loss.toExponential(1)} of AUC; logits differ by up to ${measured.maxLogitDifference.toExponential(1)}`, {
    where: `${surface}, task "${task}"`,
    expected: `an AUC loss of at most ${AUC_BUDGET}`,
    fix: 'nothing was exported; export this surface with more precise tables (--tables fp16 or fp32)',
  });
};

/** @param exact of the files' tables; @param rounded the files as they are */
export const parityReport = (exact: ReplayResult, rounded: ReplayResult | undefined): ParityReport => {
  const { encodedRows, rawRows, maxDifference } = exact;
  const { maxLogitDifference, aucLoss } = rounded ?? exact;
  return { encodedRows, rawRows, maxDifference, tolerance: PARITY_TOLERANCE, precisionDifference: rounded?.maxDifference ?? 0, maxLogitDifference, aucLoss };
};
