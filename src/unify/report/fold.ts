import { html, type Html, type Part } from './html.js';

/** What few readers look for: folded on a screen, open on paper. */
export const fold = (title: Part, body: Part): Html => html`<details><summary>${title}</summary>\n${body}</details>\n`;

/** What would fill pages: folded on a screen, left out on paper. */
export const screenFold = (title: Part, body: Part): Html => html`<details class="screen"><summary>${title}</summary>\n${body}</details>\n`;

/** Many of a kind: the first few open, the rest folded. */
export const foldIf = (folded: boolean, title: Part, body: Html): Html => (folded ? fold(title, body) : body);
