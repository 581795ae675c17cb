/**
 * Colours of charts, as custom properties of the page: it gives each a light and a dark value (style.ts). The series colours are
 * those of Okabe and Ito ("Color Universal Design", 2008), which people with colour-vision deficiencies tell apart; a shape or a
 * dash goes with each all the same.
 */
export const INK = 'var(--ink)';
export const SOFT = 'var(--soft)';
export const LINE = 'var(--line)';
export const PAPER = 'var(--card)';

export const BLUE = 'var(--blue)';
export const ORANGE = 'var(--orange)';
export const GREEN = 'var(--green)';
export const RED = 'var(--red)';
export const PURPLE = 'var(--purple)';

/** Symbols that differ without colour. */
export type Shape = 'circle' | 'ring' | 'diamond' | 'triangle' | 'square';

export interface Look {
  readonly color: string;
  readonly shape: Shape;
  /** Of its line. Default solid. */
  readonly dash?: 'solid' | 'dashed' | 'dotted';
}

/** One series after the other. */
export const LOOKS: readonly Look[] = [
  { color: BLUE, shape: 'circle' },
  { color: ORANGE, shape: 'diamond', dash: 'dashed' },
  { color: GREEN, shape: 'triangle', dash: 'dotted' },
  { color: PURPLE, shape: 'square' },
  { color: RED, shape: 'ring', dash: 'dashed' },
];

export const lookOf = (index: number): Look => LOOKS[index % LOOKS.length]!;
