import type { TrainProgress } from '../train/progress.js';
import { compactNumber, duration, type Output, type ProgressLine } from './output.js';

/** `0.126` → `13%`. */
export const percent = (share: number): string => `${Math.round(100 * share)}%`;

const describeProgress = ({ epoch, epochs, rowsPerSecond, etaSeconds, engineBusy, surfaceLosses }: TrainProgress): string => {
  const losses = Object.entries(surfaceLosses).map(([surface, loss]) => `${surface} ${loss.toFixed(4)}`);
  return `epoch ${epoch + 1}/${epochs}, ${compactNumber(rowsPerSecond)} rows/s, engine ${percent(engineBusy)} busy, ${duration(etaSeconds)} left, loss ${losses.join(', ')}`;
};

/** Progress lines of training runs that follow each other. */
export interface TrainingProgress {
  /** @param label of the run's line: another one than before closes that and opens its own */
  report(label: string, progress: TrainProgress): void;
  close(): void;
}

/** One progress line per run, opened when the run first reports. */
export const trainingProgress = (output: Output): TrainingProgress => {
  let current: { readonly label: string; readonly line: ProgressLine; last: string } | undefined;
  const close = (): void => {
    current?.line.done(current.last);
    current = undefined;
  };
  return {
    report: (label, progress) => {
      if (current?.label !== label) {
        close();
        current = { label, line: output.progress(label), last: '' };
      }
      current.last = describeProgress(progress);
      current.line.update(progress.candidates / progress.totalCandidates, current.last);
    },
    close,
  };
};
