/** What one export reads and gives that another does not, or differently. */
import type { EncoderSet } from '../data/encoder-state.js';
import type { ExportManifest } from './manifest.js';

/** One property that differs; undefined where the side does not have it. */
export interface PropertyChange {
  readonly property: string;
  readonly a: unknown;
  readonly b: unknown;
}

/** Named things of two lists. */
export interface ListDiff {
  readonly added: readonly string[];
  readonly removed: readonly string[];
  readonly changed: readonly { readonly name: string; readonly changes: readonly PropertyChange[] }[];
  /** Those that both have alike. */
  readonly same: number;
}

export interface SchemaDiff {
  /** Features as the surface's logs hold them. */
  readonly features: ListDiff;
  /** Encoded columns: fitted scales, boundaries, tables. */
  readonly columns: ListDiff;
  /** Inputs of the graph. */
  readonly inputs: ListDiff;
  readonly tasks: ListDiff;
  readonly viewTypes: ListDiff;
}

interface Named {
  readonly name: string;
}

/** As text that does not depend on the order of keys. */
const canonical = (value: unknown): string =>
  JSON.stringify(value, (_, entry: unknown) =>
    typeof entry === 'object' && entry !== null && !Array.isArray(entry) ? Object.fromEntries(Object.entries(entry).sort(([x], [y]) => (x < y ? -1 : 1))) : entry,
  );

/** Which other surfaces have a feature is nothing of this surface's. */
const ELSEWHERE = 'surfaces';

const changesOf = (a: Named, b: Named): readonly PropertyChange[] => {
  const [before, after] = [a, b].map((side) => new Map<string, unknown>(Object.entries(side)));
  const properties = [...new Set([...before!.keys(), ...after!.keys()])].filter((property) => property !== 'name' && property !== ELSEWHERE);
  return properties.flatMap((property) => {
    const change = { property, a: before!.get(property), b: after!.get(property) };
    return canonical(change.a) === canonical(change.b) ? [] : [change];
  });
};

/** Compares two lists by the names of their entries. */
export const diffLists = (a: readonly Named[], b: readonly Named[]): ListDiff => {
  const before = new Map(a.map((entry) => [entry.name, entry]));
  const after = new Map(b.map((entry) => [entry.name, entry]));
  const both = b.flatMap((entry) => (before.has(entry.name) ? [{ name: entry.name, changes: changesOf(before.get(entry.name)!, entry) }] : []));
  const changed = both.filter(({ changes }) => changes.length > 0);
  return {
    added: b.flatMap(({ name }) => (before.has(name) ? [] : [name])),
    removed: a.flatMap(({ name }) => (after.has(name) ? [] : [name])),
    changed,
    same: both.length - changed.length,
  };
};

const named = (names: readonly string[]): readonly Named[] => names.map((name) => ({ name }));

/** View types of one surface, without its name. */
export const viewTypesOf = ({ viewTypes }: EncoderSet, surface: string): readonly string[] =>
  viewTypes.flatMap((name) => (name.startsWith(`${surface}/`) ? [name.slice(surface.length + 1)] : []));

/** An export's manifest and encoders. */
export interface Described {
  readonly manifest: ExportManifest;
  readonly encoders: EncoderSet;
}

export const diffSchemas = (a: Described, b: Described): SchemaDiff => ({
  features: diffLists(a.manifest.source.features, b.manifest.source.features),
  columns: diffLists(a.encoders.columns, b.encoders.columns),
  inputs: diffLists(a.manifest.inputs, b.manifest.inputs),
  tasks: diffLists(named(a.manifest.tasks), named(b.manifest.tasks)),
  viewTypes: diffLists(named(viewTypesOf(a.encoders, a.manifest.surface)), named(viewTypesOf(b.encoders, b.manifest.surface))),
});
