import fc from 'fast-check';
import { stripVTControlCharacters } from 'node:util';
import { describe, expect, it } from 'vitest';
import { bytesText, countText, millisecondsText, probabilityText, rateText, shareText } from './top-cells.js';

const UNITS: Readonly<Record<string, number>> = { '': 1, k: 1e3, M: 1e6 };

/** What a reader takes a cell for. */
const read = (text: string): number => {
  const [, digits, unit] = /^(\d+(?:\.\d+)?)([kM]?)$/u.exec(text) ?? [];
  if (digits === undefined) throw new Error(`${text} is not a number that can be read at a glance`);
  return Number(digits) * UNITS[unit!]!;
};

describe('cells of top', () => {
  it('are short, whole tens among them', () => {
    expect([0, 0.1, 0.333, 1, 9.96, 10, 10.4, 20, 99.4, 99.7, 100, 1234.5, 12_345, 999_700, 1_234_567].map(rateText)).toEqual(
      ['0', '0.1', '0.33', '1', '10', '10', '10', '20', '99', '100', '100', '1235', '12.3k', '1.00M', '1.23M'],
    );
    expect([0.0015, 0.0123, 0.09996, 0.9994, 0.99996, 12.3456].map(millisecondsText)).toEqual(['1.50', '12.3', '100', '999', '1000', '12346']);
    expect([countText(1.25), shareText(0.456), bytesText(65 * 2 ** 20), probabilityText(0.25)]).toEqual(['1.3', '46%', '65 MiB', '0.250']);
  });

  it('are dashes for what is not known', () => {
    for (const text of [millisecondsText, countText, shareText, bytesText, probabilityText]) expect(stripVTControlCharacters(text(null))).toBe('–');
  });

  it('of any rate are read as that rate, to the digits shown', () => {
    fc.assert(
      fc.property(fc.double({ min: 0.01, max: 1e9, noNaN: true }), (perSecond) => {
        expect(Math.abs(read(rateText(perSecond)) / perSecond - 1)).toBeLessThan(0.051);
      }),
    );
  });

  it('of any latency are read as that latency, to three digits', () => {
    fc.assert(
      fc.property(fc.double({ min: 1e-5, max: 1e4, noNaN: true }), (seconds) => {
        expect(Math.abs(read(millisecondsText(seconds)) / (seconds * 1000) - 1)).toBeLessThan(0.0051);
      }),
    );
  });
});
