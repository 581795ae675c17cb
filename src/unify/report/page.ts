import { html, trusted, type Html, type Part } from './html.js';
import type { Section } from './section.js';
import { STYLE } from './style.js';

/** The whole file: nothing in it is loaded from elsewhere, and no script runs. */
export const page = (title: string, header: Html, sections: readonly Section[], foot: Part): Html => html`<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${title}</title>
<style>${trusted(STYLE)}</style>
</head>
<body>
<div class="page contents">
<header id="summary">
${header}</header>
<nav aria-label="Contents"><ol><li><a href="#summary">Summary</a></li>${sections.map(({ id, title: heading }) => html`<li><a href="#${id}">${heading}</a></li>`)}</ol></nav>
<main>
${sections.map(({ id, title: heading, body }) => html`<section id="${id}" aria-labelledby="${id}-title">\n<h2 id="${id}-title">${heading}</h2>\n${body}</section>\n`)}<footer>${foot}</footer>
</main>
</div>
</body>
</html>
`;
