import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { readHtml } from '../../../test/support/html-check.js';
import { escapeHtml, html, trusted } from './html.js';

const documentOf = (markup: string): string => `<!DOCTYPE html>${markup}`;

describe('html', () => {
  it('keeps any text as text, between tags and in attributes', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 30 }), (name) => {
        const { text, tags } = readHtml(documentOf(html`<p title="${name}">${name}</p>`.markup));
        expect(tags).toEqual(['p']);
        expect(text.trim()).toBe(name.replaceAll(/[\u0000-\u0008\u000B\u000C\u000E-\u001F\u007F-\u009F]/gu, '\uFFFD').replaceAll(/\s+/gu, ' ').trim());
      }),
    );
  });

  it('joins parts, and leaves nothing for null and false', () => {
    expect(html`<b>${['<', html`<i>${1}</i>`, [null, undefined, false]]}</b>${trusted('<br>')}`.markup).toBe('<b>&lt;<i>1</i></b><br>');
  });

  it('escapes what could end an attribute', () => {
    expect(escapeHtml(`"'<>&`)).toBe('&quot;&#39;&lt;&gt;&amp;');
  });
});

describe('the reader of tests', () => {
  it.each(['<p><b></p></b>', '<p>', '</p>', '<p>a & b</p>', '<p title=a></p>', '<p>1 < 2</p>'])('refuses %s', (markup) => {
    expect(() => readHtml(documentOf(markup))).toThrow();
  });
});
