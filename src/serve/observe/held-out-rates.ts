/** What a version's export knows of how often things happen: what live predictions are held against. */
import type { ExportManifest } from '../../export/manifest.js';

export interface HeldOutRate {
  readonly task: string;
  /** Positives per row. */
  readonly rate: number;
  /** Mean prediction on the same rows, where the model was evaluated on them. */
  readonly prediction?: number;
}

/** From the held-out evaluation; where there was none, from the rows that calibration was fitted to. */
export const heldOutRates = ({ surface, tasks, metrics, calibration }: Pick<ExportManifest, 'surface' | 'tasks' | 'metrics' | 'calibration'>): readonly HeldOutRate[] =>
  tasks.flatMap((task): readonly HeldOutRate[] => {
    const evaluated = metrics[task];
    if (evaluated !== undefined && evaluated.rows > 0) {
      const rate = evaluated.positives / evaluated.rows;
      const ratio = evaluated.metrics.calibrationRatio;
      return [{ task, rate, ...(ratio === null ? {} : { prediction: rate * ratio }) }];
    }
    const fitted = Object.entries(calibration?.tasks.find((one) => one.task === task)?.rows ?? {})
      .filter(([viewType]) => viewType === surface || viewType.startsWith(`${surface}/`))
      .map(([, counts]) => counts);
    const rows = fitted.reduce((sum, counts) => sum + counts.rows, 0);
    return rows === 0 ? [] : [{ task, rate: fitted.reduce((sum, counts) => sum + counts.positives, 0) / rows }];
  });
