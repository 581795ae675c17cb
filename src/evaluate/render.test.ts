import { stripVTControlCharacters } from 'node:util';
import { describe, expect, it } from 'vitest';
import { simulatedPredictions } from '../../test/fixtures/simulated-predictions.js';
import { comparePredictions } from './compare.js';
import { evaluatePredictions } from './evaluate.js';
import { renderComparison, renderEvaluation } from './render.js';
import { createAccumulator } from './streaming.js';
import { compactCount, intervalText, signedText } from './table-cells.js';

const model = simulatedPredictions({ noise: 2 });
const bootstrap = { replicates: 40 };
const lines = (text: string): string[] => stripVTControlCharacters(text).split('\n');
const widest = (text: string): number => Math.max(...lines(text).map((line) => line.length));

describe('renderEvaluation', () => {
  const text = renderEvaluation(evaluatePredictions(model, { bootstrap }));

  it('fits 100 columns and shows every slice, indented', () => {
    expect(widest(text)).toBeLessThanOrEqual(100);
    const shown = lines(text);
    expect(shown[0]).toBe('click');
    expect(shown[1]).toMatch(/^ +rows +rate +AUC +GAUC +log loss +NE +calib +ECE +MRR +nDCG@10$/u);
    expect(shown[2]).toMatch(/^overall +\d+ +\d+\.\d\d% +0\.\d{4} /u);
    expect(shown.slice(2, 12).map((line) => /^ *\S+/u.exec(line)![0])).toEqual([
      'overall', 'home_feed', '  grid', '  closeup', 'search', '  grid', '  carousel', 'related_pins', '  grid', '  closeup',
    ]);
  });

  it('can leave view types out', () => {
    const short = lines(renderEvaluation(evaluatePredictions(model), { viewTypes: false }));
    expect(short.some((line) => line.startsWith('  grid'))).toBe(false);
    expect(short.some((line) => line.includes('interval'))).toBe(false);
  });

  it('says how far a streamed AUC can be off', () => {
    const accumulator = createAccumulator({ exactRows: 0 });
    accumulator.add(model);
    expect(renderEvaluation(accumulator.evaluate())).toMatch(/AUC of click is within \d\.\de-\d of the exact value/u);
  });
});

describe('renderComparison', () => {
  it('shows both models, the signed difference with its interval, and the verdict', () => {
    const text = renderComparison(comparePredictions(model, simulatedPredictions({ noise: 0.2 }), { bootstrap, names: ['separate', 'unified'] }));
    expect(widest(text)).toBeLessThanOrEqual(100);
    const shown = lines(text);
    expect(shown[1]).toMatch(/^ +rows +metric +separate +unified +difference +95% interval +unified is$/u);
    expect(shown[2]).toMatch(/^overall +\d+ +AUC +0\.\d{4} +0\.\d{4} +\+0\.\d{4} +\[\+0\.\d{4}, \+0\.\d{4}\] +better$/u);
    expect(shown[4]).toMatch(/^ +NE +\d\.\d{4} +0\.\d{4} +−0\.\d{4} +\[−0\.\d{4}, −0\.\d{4}\] +better$/u);
  });
});

describe('cells', () => {
  it('are short', () => {
    expect([950, 9999, 12_345, 999_499, 999_500, 1_234_567, 9_999_999, 23_456_789].map(compactCount)).toEqual(['950', '9999', '12.3k', '999k', '1.00M', '1.23M', '10.0M', '23.5M']);
    expect(signedText('auc', 0.00001)).toBe('0.0000');
    expect(signedText('auc', -0.0123)).toBe('−0.0123');
    expect(signedText('excess', 0.0123)).toBe('+1.23%');
    expect(stripVTControlCharacters(intervalText(null, String))).toBe('–');
  });
});
