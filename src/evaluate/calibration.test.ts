import { describe, expect, it } from 'vitest';
import { calibrationRatio, expectedCalibrationError, reliabilityCurve } from './calibration.js';

describe('reliabilityCurve', () => {
  it('makes bins of equal mass, ascending', () => {
    const probabilities = Float32Array.from({ length: 1000 }, (_, i) => ((i * 7919) % 1000) / 1000);
    const curve = reliabilityCurve(new Uint8Array(1000), probabilities, 4);
    expect(curve.map(({ rows }) => rows)).toEqual([250, 250, 250, 250]);
    expect(curve.map(({ predicted }) => predicted)).toEqual([...curve.map(({ predicted }) => predicted)].sort((a, b) => a - b));
  });

  it('keeps equal predictions in one bin', () => {
    expect(reliabilityCurve([0, 1, 1, 1], Float64Array.of(0.5, 0.5, 0.5, 0.5), 10)).toEqual([{ rows: 4, predicted: 0.5, observed: 0.75 }]);
  });

  it('has no bins without rows', () => {
    expect(reliabilityCurve([], new Float32Array())).toEqual([]);
    expect(expectedCalibrationError([], new Float32Array())).toBeNaN();
  });
});

describe('calibration', () => {
  it('is perfect for predictions that equal the observed rates', () => {
    const probabilities = Float64Array.from({ length: 40 }, (_, i) => (i < 20 ? 0.25 : 0.75));
    const labels = Uint8Array.from({ length: 40 }, (_, i) => (i < 20 ? i % 4 === 0 : i % 4 !== 0) ? 1 : 0);
    expect(calibrationRatio(labels, probabilities)).toBe(1);
    expect(expectedCalibrationError(labels, probabilities, 2)).toBe(0);
  });

  it('is undefined without positives', () => {
    expect(calibrationRatio([0, 0], [0.1, 0.1])).toBeNaN();
  });
});
