import { OnefoldError } from '../config/errors.js';
import type { Feature, Model, Project, Side, Task } from '../config/project.js';
import type { ColumnState, EncoderSet } from '../data/encoder-state.js';
import type { DenseBlock, DenseSlot, FusedTableLayout, LookupBlock, LookupSlot, ModelLayout } from './layout.js';

/** Column names of the request's own surface and view-type index, looked up like any feature. */
export const SURFACE_COLUMN = '@surface';
export const VIEW_TYPE_COLUMN = '@view_type';

/** One lookup before widths are grouped and offsets known. */
interface Lookup {
  readonly column: string;
  readonly table: string;
  readonly side: Side;
  readonly width: number;
  readonly pooling: LookupSlot['pooling'];
}

const declaredWidth = (features: ReadonlyMap<string, Feature>, column: ColumnState): number | undefined => {
  const feature = features.get(column.feature);
  if (feature === undefined) {
    throw new OnefoldError('artifact', `the prepared dataset has a feature "${column.feature}" that the config lacks`, {
      where: `features.${column.feature}`,
      fix: 'run `onefold prepare` again with this config',
    });
  }
  if (feature.kind === 'vector') return undefined;
  if (feature.kind === 'sequence') return feature.fields.find((field) => `${feature.name}.${field.name}` === column.name)?.width;
  return feature.width;
};

/** Tasks that any of the surfaces has. */
const tasksOf = (project: Project, surfaces: readonly string[]): readonly Task[] =>
  project.tasks.filter((task) => task.surfaces.some((surface) => surfaces.includes(surface)));

/** Every embedding lookup of the model, in column order; its own surface and view type come first. */
const planLookups = (project: Project, encoders: EncoderSet, model: Model, surfaces: readonly string[], columns: readonly ColumnState[]): Lookup[] => {
  const features = new Map(project.features.map((feature) => [feature.name, feature]));
  // A logistic regression has one weight per id and task: rows as wide as its surfaces have tasks.
  const linearWidth = model.preset === 'linear' ? tasksOf(project, surfaces).length : undefined;
  const width = linearWidth ?? model.embeddingWidth;
  const lookups: Lookup[] = [];
  if (surfaces.length > 1) lookups.push({ column: SURFACE_COLUMN, table: SURFACE_COLUMN, side: 'request', width, pooling: 'single' });
  const ownViewTypes = encoders.viewTypes.filter((viewType) => surfaces.some((surface) => viewType.startsWith(`${surface}/`)));
  if (ownViewTypes.length > surfaces.length) lookups.push({ column: VIEW_TYPE_COLUMN, table: VIEW_TYPE_COLUMN, side: 'request', width, pooling: 'single' });
  for (const column of columns) {
    if (column.kind !== 'id' && column.kind !== 'ids') continue;
    lookups.push({
      column: column.name,
      table: column.table,
      side: column.side,
      width: linearWidth ?? declaredWidth(features, column) ?? model.embeddingWidth,
      pooling: column.kind === 'id' ? 'single' : column.pooling,
    });
  }
  return lookups;
};

const tableRows = (encoders: EncoderSet, table: string): number => {
  if (table === SURFACE_COLUMN) return encoders.surfaces.length;
  if (table === VIEW_TYPE_COLUMN) return encoders.viewTypes.length;
  const state = encoders.tables.find((one) => one.name === table);
  if (state === undefined) throw new OnefoldError('artifact', `the encoders lack table "${table}"`, { fix: 'run `onefold prepare` again' });
  return state.rows;
};

const fuseTables = (encoders: EncoderSet, lookups: readonly Lookup[]): FusedTableLayout[] => {
  const widths = [...new Set(lookups.map((lookup) => lookup.width))].sort((a, b) => a - b);
  return widths.map((width) => {
    let rows = 0;
    const tables = [...new Set(lookups.filter((lookup) => lookup.width === width).map((lookup) => lookup.table))].map((name) => {
      const slice = { name, base: rows, rows: tableRows(encoders, name) };
      rows += slice.rows;
      return slice;
    });
    return { width, rows, tables };
  });
};

const SIDES: readonly Side[] = ['request', 'candidate'];

const planBlocks = (lookups: readonly Lookup[], fusedTables: readonly FusedTableLayout[]): LookupBlock[] =>
  SIDES.flatMap((side) =>
    fusedTables.flatMap((fused): LookupBlock[] => {
      const slots = lookups
        .filter((lookup) => lookup.side === side && lookup.width === fused.width)
        .map((lookup, index): LookupSlot => {
          const table = fused.tables.find((slice) => slice.name === lookup.table)!;
          return { column: lookup.column, base: table.base, rows: table.rows, pooling: lookup.pooling, offset: index * fused.width };
        });
      return slots.length === 0
        ? []
        : [{ name: `embedding.${side}.${fused.width}`, side, width: fused.width, slots, blockWidth: slots.length * fused.width }];
    }),
  );

const planDense = (columns: readonly ColumnState[]): DenseBlock[] =>
  SIDES.flatMap((side): DenseBlock[] => {
    let offset = 0;
    const slots = columns.flatMap((column): DenseSlot[] => {
      if (column.side !== side || (column.kind !== 'number' && column.kind !== 'vector')) return [];
      const size = (column.kind === 'number' ? 1 : column.size) + 1;
      const slot: DenseSlot = { column: column.name, kind: column.kind, offset, size };
      offset += size;
      return [slot];
    });
    return slots.length === 0 ? [] : [{ name: `dense.${side}`, side, slots, blockWidth: offset }];
  });

/** What the config declares for these surfaces must be in the prepared dataset: a feature left out silently would be a worse model. */
const checkPrepared = (project: Project, encoders: EncoderSet, surfaces: readonly string[], columns: readonly ColumnState[]): void => {
  const lacks = (what: string, where: string): OnefoldError =>
    new OnefoldError('artifact', `the prepared dataset lacks ${what}, which the config declares`, { where, fix: 'run `onefold prepare` again with this config' });
  const surface = surfaces.find((name) => !encoders.surfaces.includes(name));
  if (surface !== undefined) throw lacks(`surface "${surface}"`, `surfaces.${surface}`);
  const feature = project.features.find(({ name, surfaces: own }) => own.some((one) => surfaces.includes(one)) && columns.every((column) => column.feature !== name));
  if (feature !== undefined) throw lacks(`feature "${feature.name}"`, `features.${feature.name}`);
};

/**
 * Lays out a model's inputs for a set of surfaces: the features any of them has, tables grouped by width, one lookup
 * block per side and width, one dense block per side.
 *
 * @param surfaces names of the surfaces the model serves; one for a separate model
 * @throws OnefoldError `artifact` when the prepared dataset and the config do not fit together
 */
export const planLayout = (project: Project, encoders: EncoderSet, model: Model, surfaces: readonly string[]): ModelLayout => {
  const columns = encoders.columns.filter((column) => column.surfaces.some((surface) => surfaces.includes(surface)));
  checkPrepared(project, encoders, surfaces, columns);
  const lookups = planLookups(project, encoders, model, surfaces, columns);
  const fusedTables = fuseTables(encoders, lookups);
  return {
    surfaces,
    surfaceIndices: surfaces.map((surface) => encoders.surfaces.indexOf(surface)),
    tasks: tasksOf(project, surfaces).map((task) => ({
      name: task.name,
      weight: task.weight,
      surfaces: task.surfaces.filter((surface) => surfaces.includes(surface)),
    })),
    fusedTables,
    blocks: planBlocks(lookups, fusedTables),
    dense: planDense(columns),
    dropout: [],
  };
};
