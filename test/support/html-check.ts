/** A small strict reader of HTML as this program writes it: every tag closed in its order, every attribute quoted. */

const VOID = new Set(['meta', 'br', 'link', 'img', 'input', 'hr']);
const TAG = /<(\/?)([a-zA-Z][a-zA-Z0-9]*)((?:\s+[a-zA-Z_:][\w:.-]*(?:="[^"<>]*")?)*)\s*(\/?)>/uy;
const ENTITY = /&(?!(?:amp|lt|gt|quot|#39);)/u;
const UNESCAPED: Readonly<Record<string, string>> = { '&amp;': '&', '&lt;': '<', '&gt;': '>', '&quot;': '"', '&#39;': "'" };

const unescape = (text: string): string => text.replaceAll(/&(?:amp|lt|gt|quot|#39);/gu, (entity) => UNESCAPED[entity]!);

export interface ReadHtml {
  /** Text between tags, unescaped, with a space for each tag; styles left out. */
  readonly text: string;
  /** Names of the elements, in order. */
  readonly tags: readonly string[];
  /** All `id`s. */
  readonly ids: readonly string[];
}

/** @throws Error with the place where the markup is not well-formed */
export const readHtml = (markup: string): ReadHtml => {
  const open: string[] = [];
  const tags: string[] = [];
  const ids: string[] = [];
  const text: string[] = [];
  const fail = (why: string, at: number): never => {
    throw new Error(`${why} at ${at}: ${markup.slice(Math.max(0, at - 60), at + 60)}`);
  };
  let at = markup.startsWith('<!DOCTYPE html>') ? '<!DOCTYPE html>'.length : fail('no doctype', 0);
  while (at < markup.length) {
    if (markup[at] !== '<') {
      const end = markup.indexOf('<', at);
      const piece = markup.slice(at, end === -1 ? undefined : end);
      if (open.at(-1) !== 'style') {
        if (ENTITY.test(piece)) fail('a bare &', at);
        text.push(unescape(piece));
      }
      at += piece.length;
      continue;
    }
    TAG.lastIndex = at;
    const found = TAG.exec(markup) ?? fail('not a tag', at);
    const [whole, closing, name, attributes, selfClosing] = found as unknown as [string, string, string, string, string];
    if (ENTITY.test(attributes)) fail('a bare & in an attribute', at);
    if (closing === '/') {
      if (open.pop() !== name) fail(`</${name}> closes nothing`, at);
    } else {
      tags.push(name);
      ids.push(...[...attributes.matchAll(/\sid="([^"]*)"/gu)].map(([, id]) => id!));
      if (selfClosing !== '/' && !VOID.has(name)) open.push(name);
    }
    text.push(' ');
    at += whole.length;
  }
  if (open.length > 0) fail(`<${open.at(-1)!}> is left open`, markup.length);
  return { text: text.join('').replaceAll(/\s+/gu, ' '), tags, ids };
};
