import type { Predictions } from './predictions.js';

export type Scope = 'overall' | 'surface' | 'viewType';

/** Rows of one task that are judged together. */
export interface Slice {
  readonly scope: Scope;
  /** `overall`, or the name of the surface or view type. */
  readonly name: string;
  /** The surface a surface or view-type slice belongs to; null overall. */
  readonly surface: string | null;
  /** Ascending. Slices that hold the same rows share one array. */
  readonly rows: Int32Array;
}

const splitBy = (rows: Int32Array, groups: Int32Array, groupCount: number): readonly Int32Array[] => {
  const sizes = new Int32Array(groupCount);
  for (const row of rows) sizes[groups[row]!]!++;
  const parts = Array.from(sizes, (size) => new Int32Array(size));
  sizes.fill(0);
  for (const row of rows) {
    const group = groups[row]!;
    parts[group]![sizes[group]!++] = row;
  }
  return parts;
};

/** The overall slice, then each surface and each view type that has rows, in index order. */
export const slicesOf = (predictions: Predictions, rows: Int32Array): readonly Slice[] => {
  const { surfaces, viewTypes, surfaceNames, viewTypeNames } = predictions;
  const bySurface = splitBy(rows, surfaces, surfaceNames.length).map((part) => (part.length === rows.length ? rows : part));
  const slices: Slice[] = [{ scope: 'overall', name: 'overall', surface: null, rows }];
  bySurface.forEach((part, surface) => {
    const name = surfaceNames[surface]!;
    if (part.length > 0) slices.push({ scope: 'surface', name, surface: name, rows: part });
  });
  splitBy(rows, viewTypes, viewTypeNames.length).forEach((part, viewType) => {
    if (part.length === 0) return;
    const surface = surfaces[part[0]!]!;
    const whole = bySurface[surface]!;
    slices.push({
      scope: 'viewType',
      name: viewTypeNames[viewType]!,
      surface: surfaceNames[surface]!,
      rows: part.length === whole.length ? whole : part,
    });
  });
  return slices;
};

/** Results of one task, one per slice. */
export interface BySlice<T> {
  readonly task: string;
  readonly overall: T;
  readonly surfaces: readonly T[];
  readonly viewTypes: readonly T[];
}

/** Sorts the results of a task's slices by scope. */
export const bySlice = <T extends { readonly scope: Scope }>(task: string, results: readonly T[]): BySlice<T> => ({
  task,
  overall: results.find(({ scope }) => scope === 'overall')!,
  surfaces: results.filter(({ scope }) => scope === 'surface'),
  viewTypes: results.filter(({ scope }) => scope === 'viewType'),
});
