/** Puts the guesses of all surfaces together: one feature or task per column they share. */
import { RESERVED_COLUMNS } from '../config/check-names.js';
import type { Side } from '../config/project.js';
import type { ScalarClass } from '../data/physical-type.js';
import { taskName } from './init-column-names.js';
import type { ColumnGuess, GuessedKind } from './init-guess-columns.js';
import type { SurfaceGuess } from './init-guess-surface.js';

export interface MergedFeature {
  readonly name: string;
  readonly side: Side;
  readonly feature: GuessedKind;
  /** Column per surface that has it. */
  readonly columns: ReadonlyMap<string, string>;
  readonly note: string | undefined;
}

export interface MergedTask {
  readonly name: string;
  /** Label column per surface that has it. */
  readonly labels: ReadonlyMap<string, string>;
  readonly note: string | undefined;
}

/** Columns that are left out of the same surfaces for the same reason. */
export interface LeftOut {
  readonly columns: readonly string[];
  readonly surfaces: readonly string[];
  readonly reason: string;
}

export interface MergedGuesses {
  readonly features: readonly MergedFeature[];
  readonly tasks: readonly MergedTask[];
  readonly leftOut: readonly LeftOut[];
}

type FeatureGuess = Extract<ColumnGuess, { role: 'feature' }>;

interface Draft {
  readonly scalar: ScalarClass;
  side: Side;
  feature: GuessedKind;
  readonly columns: Map<string, string>;
  note: string | undefined;
}

/** What two surfaces' guesses of one column come to; `undefined` when they cannot be one feature. */
const combine = (a: GuessedKind, b: GuessedKind): GuessedKind | undefined => {
  if (a.kind === 'vector' && b.kind === 'vector') return a.size === b.size ? a : undefined;
  if (a.kind === 'number' && b.kind === 'number') return a.encoding === undefined ? b : a;
  if (a.kind === b.kind) return a;
  // Few values on one surface look like codes, many on another show that they are amounts.
  if (a.kind === 'number' && b.kind === 'categorical') return a;
  if (b.kind === 'number' && a.kind === 'categorical') return b;
  return undefined;
};

const joins = (draft: Draft, guess: FeatureGuess): boolean => draft.scalar === guess.scalar && combine(draft.feature, guess.feature) !== undefined;

const mergeInto = (draft: Draft, guess: FeatureGuess, surface: string): void => {
  draft.feature = combine(draft.feature, guess.feature)!;
  // What varies within a request on one surface is stored per candidate on all.
  if (guess.side === 'candidate') draft.side = 'candidate';
  draft.note ??= guess.note;
  draft.columns.set(surface, guess.column);
};

/** A feature name for a column: no separators, no reserved word, no name that is taken. */
const featureName = (column: string, taken: Set<string>, suffix: string | undefined): string => {
  const words = column.replaceAll(/[^\p{L}\p{N}_]+/gu, '_').replaceAll(/^_+|_+$/g, '');
  const plain = /^\p{L}/u.test(words) ? words : `column_${words}`;
  const stem = suffix === undefined ? plain : `${plain}_${suffix}`;
  const base = RESERVED_COLUMNS.includes(stem.toLowerCase()) || stem in {} ? `${stem}_feature` : stem;
  let name = base;
  for (let next = 2; taken.has(name.toLowerCase()); next += 1) name = `${base}_${next}`;
  taken.add(name.toLowerCase());
  return name;
};

const mergeFeatures = (surfaces: readonly SurfaceGuess[], labels: ReadonlySet<string>): MergedFeature[] => {
  const taken = new Set<string>();
  const merged: MergedFeature[] = [];
  const users = surfaces.filter((surface) => surface.userIsColumn);
  if (users.length > 0) {
    merged.push({
      name: featureName('user', taken, undefined),
      side: 'request',
      feature: { kind: 'categorical' },
      columns: new Map(users.map((surface) => [surface.name, surface.keys.keys.user])),
      note: 'users seen twice or more get a row of their own',
    });
  }
  const drafts = new Map<string, Draft[]>();
  for (const surface of surfaces) {
    for (const guess of surface.columns) {
      if (guess.role !== 'feature' || labels.has(guess.column)) continue;
      const same = drafts.get(guess.column) ?? [];
      const draft = same.find((candidate) => joins(candidate, guess));
      if (draft !== undefined) mergeInto(draft, guess, surface.name);
      else {
        const { scalar, side, feature, note, column } = guess;
        drafts.set(column, [...same, { scalar, side, feature, note, columns: new Map([[surface.name, column]]) }]);
      }
    }
  }
  for (const [column, same] of drafts) {
    same.forEach(({ side, feature, columns, note }, index) => {
      const name = featureName(column, taken, index === 0 ? undefined : [...columns.keys()][0]);
      const differs = index === 0 ? note : `${column} has another type here, so it is a feature of its own`;
      merged.push({ name, side, feature, columns, note: differs });
    });
  }
  return merged;
};

const mergeTasks = (surfaces: readonly SurfaceGuess[], labels: ReadonlySet<string>): MergedTask[] => {
  const tasks = new Map<string, { labels: Map<string, string>; note: string | undefined }>();
  for (const surface of surfaces) {
    for (const guess of surface.columns) {
      if (guess.role === 'left out' || !labels.has(guess.column)) continue;
      // `click` and `is_click` of one surface are two labels: the second is numbered.
      const short = taskName(guess.column);
      let name = short;
      for (let next = 2; tasks.get(name)?.labels.has(surface.name) === true; next += 1) name = `${short}_${next}`;
      const task = tasks.get(name) ?? { labels: new Map<string, string>(), note: undefined };
      task.labels.set(surface.name, guess.column);
      task.note ??= guess.note;
      tasks.set(name, task);
    }
  }
  return [...tasks].map(([name, task]) => ({ name, ...task }));
};

const mergeLeftOut = (surfaces: readonly SurfaceGuess[]): LeftOut[] => {
  const byColumn = new Map<string, { column: string; surfaces: string[]; reason: string }>();
  for (const surface of surfaces) {
    for (const guess of surface.columns) {
      if (guess.role !== 'left out') continue;
      const key = JSON.stringify([guess.column, guess.note]);
      const entry = byColumn.get(key) ?? { column: guess.column, surfaces: [], reason: guess.note };
      entry.surfaces.push(surface.name);
      byColumn.set(key, entry);
    }
  }
  const alike = new Map<string, { columns: string[]; surfaces: readonly string[]; reason: string }>();
  for (const { column, surfaces: on, reason } of byColumn.values()) {
    const key = JSON.stringify([on, reason]);
    const entry = alike.get(key) ?? { columns: [], surfaces: on, reason };
    entry.columns.push(column);
    alike.set(key, entry);
  }
  return [...alike.values()];
};

/** Merges by column name; a column that is a label on one surface is a feature on none. */
export function mergeGuesses(surfaces: readonly SurfaceGuess[]): MergedGuesses {
  const labels = new Set(surfaces.flatMap((surface) => surface.columns.filter((guess) => guess.role === 'label').map((guess) => guess.column)));
  return { features: mergeFeatures(surfaces, labels), tasks: mergeTasks(surfaces, labels), leftOut: mergeLeftOut(surfaces) };
}
