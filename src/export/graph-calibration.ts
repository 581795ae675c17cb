/** View-type calibration as part of an exported graph: rows of numbers that the request's view type chooses. */
import { IDENTITY_LAYER, layerOf, type Calibration, type CalibrationLayer, type TaskCalibration } from '../calibrate/calibration.js';
import { input, parameter } from '../graph/inputs.js';
import type { InlineInitializer } from '../graph/onnx/initializer.js';
import { add } from '../graph/ops/add.js';
import { concat } from '../graph/ops/concat.js';
import { gather } from '../graph/ops/gather.js';
import { mul } from '../graph/ops/mul.js';
import { reduceSum } from '../graph/ops/reduce-sum.js';
import { relu } from '../graph/ops/relu.js';
import { reshape } from '../graph/ops/reshape.js';
import { softplus } from '../graph/ops/softplus.js';
import { sub } from '../graph/ops/sub.js';
import type { Tensor } from '../graph/tensor.js';
import { INPUT } from '../model/layout.js';

/** Name of the graph input with each request's view-type index (int64 [requests]). */
export const VIEW_TYPE_INPUT = 'view_type';

/**
 * The initializers of a task, a row for each view-type index. No node depends on how many knots there are, so that another
 * calibration is other initializers and nothing else.
 */
const namesOf = (task: string): { readonly offsets: string; readonly knots: string; readonly weights: string } => ({
  offsets: `calibration.${task}.offsets`,
  knots: `calibration.${task}.knots`,
  weights: `calibration.${task}.weights`,
});

/** A task's calibration as far as it is one surface's. */
const ofSurface = (task: TaskCalibration, surface: string): TaskCalibration => {
  const own = <T>(layers: Readonly<Record<string, T>>): Readonly<Record<string, T>> =>
    Object.fromEntries(Object.entries(layers).filter(([viewType]) => viewType.startsWith(`${surface}/`)));
  const layer = task.surfaces[surface];
  return { ...task, viewTypes: own(task.viewTypes), surfaces: layer === undefined ? {} : { [surface]: layer }, rows: own(task.rows) };
};

/** What a surface's export has of a calibration: nothing in it changes when only another surface's layers do. */
export const surfaceCalibration = (calibration: Calibration, surface: string, tasks: readonly string[]): Calibration => ({
  version: calibration.version,
  tasks: calibration.tasks.filter(({ task }) => tasks.includes(task)).map((task) => ofSurface(task, surface)),
});

/** Whose layers are wanted. */
export interface CalibratedSurface {
  readonly surface: string;
  /** As the encoders number them; 0 is the view type never seen, which gets its surface's layer. */
  readonly viewTypes: readonly string[];
}

/** Layer of each view-type index, for the rows of one surface. */
export const layersByViewType = (calibration: Calibration | null, task: string, { surface, viewTypes }: CalibratedSurface): readonly CalibrationLayer[] => {
  const found = calibration?.tasks.find((one) => one.task === task);
  return viewTypes.map((viewType) => (found === undefined ? IDENTITY_LAYER : layerOf(found, surface, viewType.startsWith(`${surface}/`) ? viewType : '')));
};

/**
 * Values of the initializers of some tasks, a row for each view-type index: `calibration.<task>.offsets` `[view types, 1, 1]`;
 * `.knots` `[view types, 1, knots]`; `.weights` `[view types, 1, 2 + knots]`, slope `below`, bend `above − below` and the rises. Knots
 * are padded with zeros that weigh nothing, to the most that a layer has, at least one.
 */
export const calibrationInitializers = (calibration: Calibration | null, tasks: readonly string[], surface: CalibratedSurface): ReadonlyMap<string, InlineInitializer> => {
  const layers = tasks.map((task) => layersByViewType(calibration, task, surface));
  const knots = Math.max(1, ...layers.flat().map((layer) => layer.knots.length));
  const rows = (own: readonly CalibrationLayer[], width: number, of: (layer: CalibrationLayer) => readonly number[]): InlineInitializer => {
    const data = new Float32Array(own.length * width);
    own.forEach((layer, row) => {
      data.set(of(layer), row * width);
    });
    return { dtype: 'float32', shape: [own.length, 1, width], data };
  };
  return new Map(
    tasks.flatMap((task, index) => {
      const names = namesOf(task);
      const own = layers[index]!;
      return [
        [names.offsets, rows(own, 1, ({ offset }) => [offset])],
        [names.knots, rows(own, knots, (layer) => layer.knots)],
        [names.weights, rows(own, 2 + knots, ({ below, above, rises }) => [below, above - below, ...rises])],
      ] as const;
    }),
  );
};

/**
 * Logits `[candidates, tasks]`, calibrated: `offset + below·z + (above − below)·softplus(z) + Σ rises·relu(z − knots)`, which is what
 * a layer is, as `z − softplus(z) = −softplus(−z)`. Where nothing is to be done this form gives the very same logit. All tasks
 * go through the same few nodes: what each node costs by itself is what there is to save here.
 */
export const calibrate = (logits: Tensor, tasks: readonly string[], values: ReadonlyMap<string, InlineInitializer>): Tensor => {
  const rowToRequest = input(INPUT.rowToRequest, 'int64', ['candidates']);
  const viewTypes = gather(input(VIEW_TYPE_INPUT, 'int64', ['requests']), rowToRequest);
  /** `[candidates, tasks, width]`; runtimes join the tasks' constants once, when they load. */
  const rowsOf = (part: keyof ReturnType<typeof namesOf>): Tensor => {
    const own = tasks.map((task) => parameter(namesOf(task)[part], values.get(namesOf(task)[part])!.shape));
    return gather(own.length === 1 ? own[0]! : concat(own, 1), viewTypes);
  };
  const z = reshape(logits, ['candidates', tasks.length, 1]);
  const terms = concat([z, softplus(z), relu(sub(z, rowsOf('knots')))], 2);
  return reshape(add(reduceSum(mul(rowsOf('weights'), terms), [2], { keepDims: true }), rowsOf('offsets')), ['candidates', tasks.length]);
};
