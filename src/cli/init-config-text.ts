/** Writes guesses as a commented `onefold.config.ts`. */
import type { KeysConfig } from '../config/project.js';
import type { SurfaceGuess } from './init-guess-surface.js';
import type { MergedFeature, MergedGuesses, MergedTask } from './init-merge-guesses.js';

const literal = (value: unknown): string => {
  if (typeof value === 'string') return /['\\\p{Cc}]/u.test(value) ? JSON.stringify(value) : `'${value}'`;
  if (Array.isArray(value)) return `[${value.map(literal).join(', ')}]`;
  if (typeof value === 'object' && value !== null) {
    const entries = Object.entries(value).filter(([, entry]) => entry !== undefined);
    return entries.length === 0 ? '{}' : `{ ${entries.map(([key, entry]) => `${propertyKey(key)}: ${literal(entry)}`).join(', ')} }`;
  }
  return String(value);
};

const propertyKey = (name: string): string => (/^[A-Za-z_$][\w$]*$/.test(name) ? name : literal(name));

/** A column's name could end the comment it stands in. */
const comment = (text: string): string => `// ${text.replaceAll(/[\p{Cc}\u2028\u2029]+/gu, ' ')}`;

const line = (indent: number, text: string, note?: string): string => `${' '.repeat(indent)}${text}${note === undefined ? '' : ` ${comment(note)}`}`;

const sameKeys = (a: KeysConfig, b: KeysConfig): boolean => literal(a) === literal(b);

const surfaceLines = (surface: SurfaceGuess, shared: KeysConfig | undefined): string[] => {
  const { name, source, keys, viewType } = surface;
  const own = shared === undefined || !sameKeys(keys.keys, shared) ? keys.keys : undefined;
  return [line(4, `${propertyKey(name)}: ${literal({ source, keys: own, viewType })},`)];
};

/** `column` when the surfaces agree on one, `on` for those that do not; nothing where it is the name itself. */
const perSurface = (
  columns: ReadonlyMap<string, string>,
  option: 'column' | 'label',
  name: string | undefined,
): { readonly common: string | undefined; readonly on: Record<string, Record<string, string>> | undefined } => {
  const common = [...columns.values()][0]!;
  const others = [...columns].filter(([, column]) => column !== common);
  return {
    common: common === name ? undefined : common,
    on: others.length === 0 ? undefined : Object.fromEntries(others.map(([surface, column]) => [surface, { [option]: column }])),
  };
};

const onSurfaces = (has: ReadonlyMap<string, string>, all: readonly SurfaceGuess[]): string[] | undefined =>
  all.every((surface) => has.has(surface.name)) ? undefined : [...has.keys()];

const featureLine = ({ name, side, feature, columns, note }: MergedFeature, all: readonly SurfaceGuess[]): string => {
  const { common, on } = perSurface(columns, 'column', name);
  const { kind, ...options } = feature;
  return line(4, `${propertyKey(name)}: ${literal({ kind, side, surfaces: onSurfaces(columns, all), column: common, on, ...options })},`, note);
};

const taskLine = ({ name, labels, note }: MergedTask, all: readonly SurfaceGuess[]): string => {
  const { common, on } = perSurface(labels, 'label', undefined);
  return line(4, `${propertyKey(name)}: ${literal({ label: common, on, surfaces: onSurfaces(labels, all) })},`, note);
};

const sideLines = (side: 'request' | 'candidate', merged: MergedGuesses, surfaces: readonly SurfaceGuess[]): string[] => {
  const features = merged.features.filter((feature) => feature.side === side);
  const title = side === 'request' ? 'Of the request: the same for all its candidates, stored once.' : 'Of each candidate.';
  return features.length === 0 ? [] : [line(4, comment(title)), ...features.map((feature) => featureLine(feature, surfaces))];
};

const keyLines = (shared: KeysConfig | undefined, surfaces: readonly SurfaceGuess[]): string[] => {
  const composed = surfaces.some((surface) => surface.keys.composed)
    ? [line(2, comment('No column identifies a request, so it is taken to be one user at one moment.'))]
    : [];
  if (shared === undefined) return composed;
  return [line(2, comment('What identifies a request and its user, and when it happened.')), ...composed, line(2, `keys: ${literal(shared)},`)];
};

const leftOutLines = (merged: MergedGuesses, surfaces: readonly SurfaceGuess[]): string[] => {
  if (merged.leftOut.length === 0) return [];
  const lines = merged.leftOut.map(({ columns, surfaces: on, reason }) => {
    const where = on.length === surfaces.length ? '' : ` (${on.join(', ')})`;
    return line(4, comment(`  ${columns.join(', ')}${where}: ${reason}`));
  });
  return [line(4, comment('Left out:')), ...lines];
};

/** The text of a config. It is JavaScript, too: it has no types of its own. */
export function configText(project: string, surfaces: readonly SurfaceGuess[], merged: MergedGuesses): string {
  const first = surfaces[0]!.keys.keys;
  const shared = surfaces.every((surface) => sameKeys(surface.keys.keys, first)) ? first : undefined;
  return [
    "import { defineConfig } from 'onefold/config';",
    '',
    '// Guessed by `onefold init` from the first rows of the files. Read it through before training on it: whether an id is',
    '// known when scoring, what a 0/1 column means and which units numbers have cannot be seen in the data alone.',
    '// Every option is described in docs/configuration.md.',
    'export default defineConfig({',
    line(2, `name: ${literal(project)},`),
    ...keyLines(shared, surfaces),
    line(2, comment('Files are relative to this file.')),
    line(2, 'surfaces: {'),
    ...surfaces.flatMap((surface) => surfaceLines(surface, shared)),
    line(2, '},'),
    line(2, comment('A feature is on every surface unless `surfaces` says otherwise. `column` may be any DuckDB expression.')),
    line(2, 'features: {'),
    ...sideLines('request', merged, surfaces),
    ...sideLines('candidate', merged, surfaces),
    ...leftOutLines(merged, surfaces),
    line(2, '},'),
    line(2, comment('What to predict: a column or expression that is 0, 1 or NULL (no label). `weight` is its share of the loss.')),
    line(2, 'tasks: {'),
    ...merged.tasks.map((task) => taskLine(task, surfaces)),
    line(2, '},'),
    line(2, comment("The last requests in time are held out; or give dates: { validationFrom: '2025-01-25', testFrom: '2025-01-28' }.")),
    line(2, 'split: { validation: 0.1, test: 0.1 },'),
    '});',
    '',
  ].join('\n');
}
