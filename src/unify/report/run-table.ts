import type { RunSummary } from '../report.js';
import type { Html } from './html.js';
import { bytes, count, flops, seconds, UNKNOWN } from './numbers.js';
import { table } from './table.js';
import { listed } from './words.js';

/** Trained models: their size, and what training took. */
export const runTable = (label: string, runs: readonly RunSummary[]): Html =>
  table(
    label,
    [
      { title: 'model' },
      { title: 'surfaces' },
      { title: 'parameters', kind: 'number' },
      { title: 'tables', kind: 'number' },
      { title: 'steps', kind: 'number' },
      { title: 'kept step', kind: 'number' },
      { title: 'candidates', kind: 'number' },
      { title: 'training', kind: 'number' },
      { title: 'time, measured', kind: 'number' },
    ],
    runs.map((run) => [
      run.name,
      listed(run.surfaces),
      count(run.parameters),
      bytes(run.tableBytes),
      String(run.steps),
      run.keptStep === null ? UNKNOWN : String(run.keptStep),
      count(run.candidates),
      flops(run.trainingFlops),
      seconds(run.measured.trainingSeconds),
    ]),
  );
