import { html, NOTHING, trusted, type Html, type Part } from '../html.js';
import type { Look, Shape } from './palette.js';

export interface LegendEntry {
  readonly name: string;
  readonly look: Look;
  /** Show its line with the symbol. */
  readonly line?: boolean;
}

const SHAPES: Readonly<Record<Shape, string>> = {
  circle: '<circle cx="12" cy="6" r="4"/>',
  ring: '<circle cx="12" cy="6" r="3.5" class="hollow"/>',
  diamond: '<path d="M12 1l5 5l-5 5l-5-5z"/>',
  triangle: '<path d="M12 1.5l5 8.5h-10z"/>',
  square: '<path d="M8 2h8v8h-8z"/>',
};
const DASHES = { solid: 'none', dashed: '5 3', dotted: '2 2' } as const;

/** A series' sign, as the chart draws it. */
const sign = ({ look: { color, shape, dash = 'solid' }, line = false }: LegendEntry): Html =>
  trusted(
    `<svg class="sign" viewBox="0 0 24 12" aria-hidden="true" fill="${color}" stroke="${color}">${line ? `<path d="M0 6h24" fill="none" stroke-width="2" stroke-dasharray="${DASHES[dash]}"/>` : ''}${SHAPES[shape]}</svg>`,
  );

export interface FigureText {
  readonly title: Part;
  /** What the axes are, and which way is better. */
  readonly note?: Part;
  readonly legend?: readonly LegendEntry[];
  /** Numbers below the chart. */
  readonly foot?: Part;
}

/** Signs and names of series. */
export const legend = (entries: readonly LegendEntry[]): Html => (entries.length === 0 ? NOTHING : html`<span class="legend">${entries.map((entry) => html`<span>${sign(entry)} ${entry.name}</span>`)}</span>`);

/** A chart with its words. Its numbers stand in a table too, so what cannot be seen is not lost. */
export const figure = ({ title, note, legend: entries = [], foot }: FigureText, chart: Html, size: 'normal' | 'small' = 'normal'): Html =>
  html`<figure class="chart ${size}"><figcaption><strong>${title}</strong>${note === undefined ? null : html`<span class="note">${note}</span>`}${legend(entries)}</figcaption>
${chart}
${foot === undefined ? null : html`<p class="foot">${foot}</p>`}</figure>\n`;

/** Charts side by side where there is room. */
export const gallery = (charts: readonly Html[], size: 'normal' | 'small' = 'normal'): Html => html`<div class="gallery ${size}">${charts}</div>\n`;
