/** Parts of the reports in `unify-report.ts`. */
import type { GateCheck, Latency, RunSummary } from '../../src/unify/report.js';

export const LATENCY: Readonly<Record<string, Latency>> = { home_feed: { p50: 1.12, p99: 2.87 }, search: { p50: 0.98, p99: 2.31 }, related_pins: { p50: 0.61, p99: 1.55 } };

export interface FixtureFeature {
  readonly feature: string;
  readonly side: 'request' | 'candidate';
  readonly kind: string;
  /** Share of rows with a value on each surface; null where it lacks the feature. */
  readonly shares: readonly (number | null)[];
  readonly weight: number;
}

const feature = (name: string, side: FixtureFeature['side'], kind: string, shares: readonly (number | null)[], weight: number): FixtureFeature => ({ feature: name, side, kind, shares, weight });

export const FEATURES: readonly FixtureFeature[] = [
  feature('user_id', 'request', 'categorical', [1, 1, 1], 0.0312),
  feature('clicked_items_history', 'request', 'sequence', [0.94, 0.91, 0.97], 0.0271),
  feature('query', 'request', 'categorical', [null, 1, null], 0.0402),
  feature('country', 'request', 'categorical', [0.98, 0.97, 0.98], 0.0042),
  feature('device', 'request', 'categorical', [1, 1, 0.4], 0.0011),
  feature('hour_of_day', 'request', 'dense', [1, 1, 1], -0.0003),
  feature('source_pin_id', 'request', 'categorical', [null, null, 1], 0.0198),
  feature('item_id', 'candidate', 'categorical', [1, 1, 1], 0.0517),
  feature('item_category', 'candidate', 'categorical', [0.99, 0.99, 0.99], 0.0123),
  feature('price', 'candidate', 'dense', [0.72, 0.81, 0.7], 0.0068),
  feature('advertiser', 'candidate', 'categorical', [1, 1, 1], 0.0089),
  feature('query_item_overlap_score', 'candidate', 'dense', [null, 0.93, null], 0.0222),
  feature('image_embedding', 'candidate', 'vector', [0.88, 0.004, 0.86], 0.0035),
];

/** A trained model whose validation loss falls, then rises a little: the step before is kept. */
export const runSummary = (name: string, surfaces: readonly string[], tasks: readonly string[], scale: number): RunSummary => {
  const steps = [200, 400, 600, 800, 1000, 1200];
  const loss = (step: number, task: number): number => (task === 0 ? 0.34 : 0.14) - 0.02 * scale * (1 - Math.exp(-step / 350)) + 0.00001 * Math.max(0, step - 1000);
  return {
    name,
    surfaces,
    parameters: Math.round(2_412_000 * scale),
    tableBytes: Math.round(9_412_000 * scale),
    steps: 1200,
    candidates: 1_228_800,
    trainingFlops: 1.9e13 * scale,
    keptStep: 1000,
    curves: steps.map((step) => ({ step, scalars: Object.fromEntries(tasks.map((task, index) => [`${task}/overall/logLoss`, loss(step, index)])) })),
    measured: { trainingSeconds: 61.2 * scale },
  };
};

/** Checks that passed, by the limits a stage has. */
export const gateChecks = (surfaces: readonly string[], task: string): Readonly<Record<'chance' | 'quality' | 'calibration' | 'costs', readonly GateCheck[]>> => {
  const check = (limit: GateCheck['limit'], text: string, more: Partial<GateCheck> = {}): GateCheck => ({ limit, passed: true, text, clocked: false, ...more });
  return {
    chance: surfaces.map((surface) => check('chance', `${surface}, ${task}: AUC 0.7412 [0.7301, 0.7523] is above chance`, { surface, task })),
    quality: [check('quality', `${surfaces[1]!}, ${task}: AUC 0.7412 → 0.7431, +0.0019 [+0.0002, +0.0037]: no loss of more than 0.002 is shown`, { surface: surfaces[1]!, task })],
    calibration: [check('calibration', `${surfaces[0]!}/video, ${task}: predictions are 1.021 [0.954, 1.093] of the labels; 1 ± 0.1 is reached`, { surface: surfaces[0]!, task })],
    costs: [
      check('training cost', "training FLOPs are 0.73 of the separate models', at most 1"),
      ...surfaces.map((surface) => check('latency', `${surface}: the median request takes 1.30 of the separate models', at most 3`, { surface, clocked: true })),
      check('size', "the exports have 0.65 of the separate models' bytes, at most 1"),
    ],
  };
};
