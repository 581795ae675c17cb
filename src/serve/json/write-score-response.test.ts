import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { scoresText } from './scores-text.js';
import { writeScoreResponse } from './write-score-response.js';

const read = (text: string): Float32Array => Float32Array.from(JSON.parse(text) as readonly number[]);

describe('scores as JSON', () => {
  it('read back to the same float32', () => {
    const scores = fc.oneof(fc.float({ min: 0, max: 1, noNaN: true }), fc.float({ noNaN: true, noDefaultInfinity: true }));
    fc.assert(
      fc.property(fc.array(scores), (values) => {
        expect(read(scoresText(Float32Array.from(values)))).toEqual(Float32Array.from(values, (value) => (value === 0 ? 0 : value)));
      }),
      { numRuns: 2000 },
    );
  });

  it('read back to the same float32 around every power of two, and where digits carry', () => {
    const powers = Array.from({ length: 30 }, (_, power) => 2 ** -power);
    const values = Float32Array.from(powers.flatMap((value) => [value, value * (1 - 2 ** -24), value * (1 + 2 ** -23)]));
    const carried = [0.1, 0.9, 0.99999, 0.999999, 0.99999994, 0.00001, 0.5, 0.000976562];
    for (const list of [values, Float32Array.from(carried)]) expect(read(scoresText(list))).toEqual(list);
  });

  it('are short where they can be, and null where they are no number', () => {
    expect(scoresText(Float32Array.of(0.5, 0.25, 1, 0, NaN, Infinity, -Infinity, 1e-7))).toBe('[0.5,0.25,1,0,null,null,null,1.0000000116860974e-7]');
    expect(scoresText(new Float32Array())).toBe('[]');
  });
});

describe('writeScoreResponse', () => {
  it('is JSON whatever tasks are called', () => {
    const text = writeScoreResponse({ surface: 's', version: 'v', scores: { 'a "task"': Float32Array.of(0.5), b: Float32Array.of(0.25) }, defaulted: [], ignored: ['x'], degraded: [] }, 'r');
    expect(JSON.parse(text)).toEqual({ surface: 's', version: 'v', requestId: 'r', scores: { 'a "task"': [0.5], b: [0.25] }, defaulted: [], ignored: ['x'], degraded: [] });
  });
});
