import { html, NOTHING, type Html, type Part } from './html.js';
import { UNKNOWN } from './numbers.js';

export interface Column {
  readonly title: Part;
  /** Numbers stand to the right, of equal width. Default `text`. */
  readonly kind?: 'text' | 'number';
}

/** One line; its first cell names it. `null` is a dash. */
export type Row = readonly (Part | null)[];

/** Rows under one name, which stands once beside them. */
export interface RowGroup {
  readonly name: Part;
  readonly rows: readonly Row[];
}

const heads = (columns: readonly Column[]): Html => html`<thead><tr>${columns.map(({ title, kind }) => html`<th scope="col"${kind === 'number' ? html` class="number"` : null}>${title}</th>`)}</tr></thead>`;

const cell = (value: Part | null, { kind }: Column): Html => html`<td${kind === 'number' ? html` class="number"` : null}>${value ?? UNKNOWN}</td>`;

/** A table in a box of its own, which scrolls where the page is narrow. */
const boxed = (label: string, columns: readonly Column[], bodies: Part): Html =>
  html`<div class="scroll" role="region" aria-label="${label}" tabindex="0"><table>${heads(columns)}${bodies}</table></div>\n`;

/**
 * @param label what it is, for those who do not see it
 */
export const table = (label: string, columns: readonly Column[], rows: readonly Row[]): Html => {
  if (rows.length === 0) return NOTHING;
  const [, ...others] = columns;
  return boxed(label, columns, html`<tbody>${rows.map(([name, ...cells]) => html`<tr><th scope="row">${name}</th>${cells.map((value, index) => cell(value, others[index]!))}</tr>\n`)}</tbody>`);
};

/** A table whose first column names groups of rows. */
export const groupedTable = (label: string, columns: readonly Column[], groups: readonly RowGroup[]): Html => {
  const filled = groups.filter(({ rows }) => rows.length > 0);
  if (filled.length === 0) return NOTHING;
  const [, ...others] = columns;
  const body = ({ name, rows }: RowGroup): Html =>
    html`<tbody>${rows.map((row, line) => html`<tr>${line === 0 ? html`<th scope="rowgroup" rowspan="${rows.length}">${name}</th>` : null}${row.map((value, index) => cell(value, others[index]!))}</tr>\n`)}</tbody>`;
  return boxed(label, columns, filled.map(body));
};
