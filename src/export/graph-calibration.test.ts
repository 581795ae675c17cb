import fc from 'fast-check';
import { InferenceSession, Tensor as OrtTensor } from 'onnxruntime-node';
import { describe, expect, it } from 'vitest';
import { applyLayer } from '../calibrate/apply-layer.js';
import { IDENTITY_LAYER, type Calibration, type CalibrationLayer, type TaskCalibration } from '../calibrate/calibration.js';
import { input } from '../graph/inputs.js';
import { toOnnx } from '../graph/onnx/emit.js';
import { calibrate, calibrationInitializers, surfaceCalibration } from './graph-calibration.js';
import { replaceInitializers } from './replace-initializers.js';

const VIEW_TYPES = ['', 'feed/grid', 'feed/list', 'search/results', 'feed/never'];
const FEED = { surface: 'feed', viewTypes: VIEW_TYPES };

const taskOf = (layers: Pick<TaskCalibration, 'viewTypes' | 'surfaces'>): TaskCalibration => ({
  task: 'click', method: 'beta', global: IDENTITY_LAYER, globalMethod: 'identity', scores: [], rows: {}, ...layers,
});
const calibrationOf = (layers: Pick<TaskCalibration, 'viewTypes' | 'surfaces'>): Calibration => ({ version: 1, tasks: [taskOf(layers)] });

const emit = (calibration: Calibration | null): Uint8Array => {
  const initializers = calibrationInitializers(calibration, ['click'], FEED);
  return toOnnx({ name: 'calibrate', outputs: { calibrated: calibrate(input('logit', 'float32', ['candidates', 1]), ['click'], initializers) }, initializers });
};

/** What a graph makes of logits, each a candidate of a request of its own. */
const run = async (model: Uint8Array, logits: readonly number[], viewTypes: readonly number[]): Promise<Float32Array> => {
  const session = await InferenceSession.create(model);
  const rows = logits.length;
  const { calibrated } = await session.run({
    logit: new OrtTensor('float32', Float32Array.from(logits), [rows, 1]),
    view_type: new OrtTensor('int64', BigInt64Array.from(viewTypes, BigInt), [rows]),
    row_to_request: new OrtTensor('int64', BigInt64Array.from(logits.keys(), BigInt), [rows]),
  });
  await session.release();
  return calibrated!.data as Float32Array;
};

const sigmoid = (logit: number): number => 1 / (1 + Math.exp(-logit));
const between = (min: number, max: number): fc.Arbitrary<number> => fc.double({ min, max, noNaN: true });

/** Layers as fits give them: slopes that stay positive, up to a handful of knots. */
const layers: fc.Arbitrary<CalibrationLayer> = fc
  .record({
    offset: between(-3, 3),
    below: between(0, 3),
    above: between(0, 3),
    points: fc.array(fc.tuple(between(-8, 4), between(0, 2)), { maxLength: 6 }),
  })
  .map(({ points, ...line }) => {
    const sorted = points.toSorted(([a], [b]) => a - b);
    return { ...line, knots: sorted.map(([knot]) => knot), rises: sorted.map(([, rise]) => rise) };
  });

describe('the calibration in a graph', () => {
  it('gives what the layers give, for any of them', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(layers, { minLength: 3, maxLength: 3 }), fc.array(between(-15, 15), { minLength: 1, maxLength: 20 }), async ([grid, list, surface], logits) => {
        const model = emit(calibrationOf({ viewTypes: { 'feed/grid': grid!, 'feed/list': list! }, surfaces: { feed: surface! } }));
        const viewTypes = logits.map((_, row) => row % 3);
        const calibrated = await run(model, logits, viewTypes);
        logits.forEach((logit, row) => {
          const layer = [surface, grid, list][viewTypes[row]!]!;
          expect(Math.abs(sigmoid(calibrated[row]!) - sigmoid(applyLayer(layer, Math.fround(logit))))).toBeLessThan(1e-6);
        });
      }),
      { seed: 7, numRuns: 40 },
    );
  });

  it('leaves every logit as it is where there is none', async () => {
    const logits = [-40, -15.123, -1e-7, 0, 1e-7, 0.3, 5.5, 33];
    expect([...(await run(emit(null), logits, logits.map((_, row) => row % VIEW_TYPES.length)))]).toEqual(logits.map(Math.fround));
  });

  it("gives a view type never seen, or one without rows, its surface's layer, and takes no other surface's", async () => {
    const surface: CalibrationLayer = { ...IDENTITY_LAYER, offset: 0.5 };
    const others = { 'feed/grid': IDENTITY_LAYER, 'search/results': { ...IDENTITY_LAYER, offset: 9 } };
    const calibration = calibrationOf({ viewTypes: others, surfaces: { feed: surface, search: { ...IDENTITY_LAYER, offset: 7 } } });
    expect([...(await run(emit(calibration), [0, 0, 0, 0], [0, 1, 4, 3]))]).toEqual([0.5, 0, 0.5, 0.5]);
    const moved = calibrationOf({ viewTypes: { ...others, 'search/results': IDENTITY_LAYER }, surfaces: { feed: surface } });
    expect(surfaceCalibration(calibration, 'feed', ['click'])).toEqual(surfaceCalibration(moved, 'feed', ['click']));
    expect(Buffer.from(emit(calibration)).equals(Buffer.from(emit(moved)))).toBe(true);
    expect(surfaceCalibration(calibration, 'feed', ['save']).tasks).toEqual([]);
  });

  it('is other initializers and nothing else, however many knots there are', async () => {
    const curve: CalibrationLayer = { offset: -1, below: 1, above: 1, knots: [-2, -1, 0.5], rises: [0.5, -1, 2] };
    const calibration = calibrationOf({ viewTypes: {}, surfaces: { feed: curve } });
    const replaced = replaceInitializers(emit(null), calibrationInitializers(calibration, ['click'], FEED), 'model.onnx');
    const logits = [-3, -1.5, 0, 2];
    const calibrated = await run(replaced, logits, [0, 1, 2, 3]);
    logits.forEach((logit, row) => expect(calibrated[row]).toBeCloseTo(applyLayer(curve, logit), 5));
    expect(() => replaceInitializers(emit(null), new Map([['calibration.hide.offsets', { dtype: 'float32', shape: [1], data: new Float32Array(1) }]]), 'old/model.onnx')).toThrow(
      /old\/model\.onnx has no initializer "calibration\.hide\.offsets"/,
    );
  });
});
