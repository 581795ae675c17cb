/** Numbers as a reader wants them. A number that is not known is a dash. */
import type { Interval } from '../../evaluate/bootstrap.js';

export const UNKNOWN = '–';

type Maybe = number | null | undefined;

const orUnknown = (value: Maybe, text: (value: number) => string): string => (value === null || value === undefined || !Number.isFinite(value) ? UNKNOWN : text(value));

/** 4 decimals unless told, with a true minus sign and none before a zero. */
export const fixed = (value: Maybe, digits = 4): string =>
  orUnknown(value, (known) => {
    const text = Math.abs(known).toFixed(digits);
    return known < 0 && Number(text) !== 0 ? `−${text}` : text;
  });

/** With its sign, and without one where it rounds to zero. */
export const signed = (value: Maybe, digits = 4): string =>
  orUnknown(value, (known) => {
    const text = fixed(known, digits);
    return known > 0 && Number(text) !== 0 ? `+${text}` : text;
  });

/** `[low, high]`. */
export const between = (interval: Interval | null | undefined, text: (value: number) => string): string =>
  interval === null || interval === undefined ? UNKNOWN : `[${text(interval.low)}, ${text(interval.high)}]`;

const scaled = (value: number, units: readonly string[]): string => {
  const power = value < 1000 ? 0 : Math.min(units.length - 1, Math.floor(Math.log10(value) / 3));
  const shown = value / 1000 ** power;
  const text = power === 0 && Number.isInteger(shown) ? String(shown) : shown.toPrecision(3);
  // 999.96 k rounds to 1.00e+3 k: three digits, whatever the size.
  return `${text.includes('e') ? String(Math.round(shown)) : text}${units[power]!}`;
};

/** 950, 9500, 12.3 k, 1.23 M. */
export const count = (value: Maybe): string => orUnknown(value, (known) => Number.isInteger(known) && known < 10_000 ? String(known) : scaled(known, ['', ' k', ' M', ' G']));

/** Decimal units: 1 MB is a million bytes. */
export const bytes = (value: Maybe): string => orUnknown(value, (known) => scaled(known, [' B', ' kB', ' MB', ' GB', ' TB']));

/** Floating-point operations. */
export const flops = (value: Maybe): string => orUnknown(value, (known) => scaled(known, [' FLOPs', ' kFLOPs', ' MFLOPs', ' GFLOPs', ' TFLOPs', ' PFLOPs', ' EFLOPs']));

export const percent = (value: Maybe, digits = 0): string => orUnknown(value, (known) => `${fixed(100 * known, digits)} %`);

/** How often one is in the other: `0.62×`. */
export const times = (value: Maybe): string => orUnknown(value, (known) => `${known >= 10 ? known.toFixed(0) : known.toFixed(2)}×`);

export const ratioOf = (one: Maybe, other: Maybe): number | null => (typeof one !== 'number' || typeof other !== 'number' || other === 0 ? null : one / other);

/** `12.3 s`, `4 min 05 s`, `2 h 10 min`. */
export const seconds = (value: Maybe): string =>
  orUnknown(value, (known) => {
    if (known < 60) return `${known.toFixed(known < 10 ? 2 : 1)} s`;
    const minutes = Math.floor(known / 60);
    if (minutes < 60) return `${minutes} min ${String(Math.floor(known % 60)).padStart(2, '0')} s`;
    return `${Math.floor(minutes / 60)} h ${String(minutes % 60).padStart(2, '0')} min`;
  });

export const milliseconds = (value: Maybe): string => orUnknown(value, (known) => `${known < 999.5 ? known.toPrecision(known < 100 ? 3 : 4) : String(Math.round(known))} ms`);
