/** Markup that is built of escaped parts: a name from a log or a config can never become a tag. */

/** A piece of HTML; only {@link html} and {@link trusted} make one. */
export interface Html {
  readonly markup: string;
}

/** What may stand in a template: text is escaped, `null` and `false` leave nothing. */
export type Part = Html | string | number | null | undefined | false | readonly Part[];

const ESCAPES: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&#39;' };

/** Text as it may stand in an element or a quoted attribute. Control characters, which HTML does not allow, become U+FFFD. */
export const escapeHtml = (text: string): string =>
  text.replaceAll(/[&<>"']/gu, (character) => ESCAPES[character]!).replaceAll(/[\u0000-\u0008\u000B\u000C\u000E-\u001F\u007F-\u009F]/gu, '\uFFFD');

const isHtml = (part: Part): part is Html => typeof part === 'object' && part !== null && 'markup' in part;

const markupOf = (part: Part): string => {
  if (part === null || part === undefined || part === false) return '';
  if (typeof part === 'string') return escapeHtml(part);
  if (typeof part === 'number') return String(part);
  return isHtml(part) ? part.markup : part.map(markupOf).join('');
};

/** Tagged template: what is interpolated is escaped unless it is {@link Html}. */
export const html = (strings: TemplateStringsArray, ...parts: readonly Part[]): Html => ({
  markup: strings.reduce((text, string, index) => text + markupOf(parts[index - 1]) + string),
});

/** Markup that this program wrote itself: styles and charts. */
export const trusted = (markup: string): Html => ({ markup });

export const NOTHING: Html = trusted('');
