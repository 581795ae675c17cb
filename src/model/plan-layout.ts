import { OnefoldError } from '../config/errors.js';
import type { Feature, Model, Project, Side, Task } from '../config/project.js';
import type { ColumnState, EncoderSet } from '../data/encoder-state.js';
import type { DenseBlock, DenseSlot, FusedTableLayout, LookupBlock, LookupSlot, ModelLayout, RowSpace, SequenceLayout } from './layout.js';

/** Column names of the request's own surface and view-type index, looked up like any feature. */
export const SURFACE_COLUMN = '@surface';
export const VIEW_TYPE_COLUMN = '@view_type';

/** Column of a token's distance from the newest event of its history. */
export const POSITION_COLUMN = '@position';

/** One lookup before widths are grouped and offsets known. */
interface Lookup {
  readonly column: string;
  readonly table: string;
  readonly rows: RowSpace;
  readonly late?: string | undefined;
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
const planLookups = (
  project: Project,
  encoders: EncoderSet,
  model: Model,
  surfaces: readonly string[],
  columns: readonly ColumnState[],
  sequences: readonly SequenceLayout[],
): Lookup[] => {
  const features = new Map(project.features.map((feature) => [feature.name, feature]));
  // A logistic regression has one weight per id and task: rows as wide as its surfaces have tasks.
  const linearWidth = model.preset === 'linear' ? tasksOf(project, surfaces).length : undefined;
  const width = linearWidth ?? model.embeddingWidth;
  const lookups: Lookup[] = [];
  if (surfaces.length > 1) lookups.push({ column: SURFACE_COLUMN, table: SURFACE_COLUMN, rows: 'request', width, pooling: 'single' });
  const ownViewTypes = encoders.viewTypes.filter((viewType) => surfaces.some((surface) => viewType.startsWith(`${surface}/`)));
  if (ownViewTypes.length > surfaces.length) lookups.push({ column: VIEW_TYPE_COLUMN, table: VIEW_TYPE_COLUMN, rows: 'request', width, pooling: 'single' });
  for (const column of columns) {
    if (column.kind !== 'id' && column.kind !== 'ids') continue;
    const lookup = { column: column.name, table: column.table, width: linearWidth ?? declaredWidth(features, column) ?? model.embeddingWidth };
    const isRead = sequences.some(({ name }) => name === column.feature);
    if (isRead) lookups.push({ ...lookup, rows: `tokens:${column.feature}`, pooling: 'single' });
    if (isRead && model.transformer?.pooled === false) continue;
    lookups.push({ ...lookup, rows: column.side, late: lateSurface(model, column, surfaces), pooling: column.kind === 'id' ? 'single' : column.pooling });
  }
  if (model.transformer?.positions === 'learned') {
    for (const { name } of sequences) lookups.push({ column: POSITION_COLUMN, table: positionTable(name), rows: `tokens:${name}`, width, pooling: 'single' });
  }
  return lookups;
};

const positionTable = (sequence: string): string => `${POSITION_COLUMN}.${sequence}`;

/** The surface whose tower alone reads a column: features only, not the sequences that every surface's trunk may read. */
const lateSurface = (model: Model, column: ColumnState, surfaces: readonly string[]): string | undefined => {
  const own = column.surfaces.filter((surface) => surfaces.includes(surface));
  return model.lateFusion && model.preset === 'unified' && surfaces.length > 1 && own.length === 1 ? own[0] : undefined;
};

/** Sequences that the model's Transformer reads. */
const planSequences = (project: Project, model: Model, columns: readonly ColumnState[]): SequenceLayout[] => {
  const { transformer } = model;
  if (transformer === undefined || model.preset === 'linear') return [];
  return project.features.flatMap((feature) => {
    if (feature.kind !== 'sequence' || transformer.sequences?.includes(feature.name) === false) return [];
    const column = columns.find((one) => one.feature === feature.name);
    if (column === undefined) return [];
    const { heads, attention, read } = transformer;
    return [{ name: feature.name, column: column.name, length: feature.length, heads, attention, readByCandidates: read !== 'newest' }];
  });
};

const tableRows = (project: Project, encoders: EncoderSet, table: string): number => {
  const sequence = project.features.find(({ name }) => table === positionTable(name));
  if (sequence?.kind === 'sequence') return sequence.length;
  if (table === SURFACE_COLUMN) return encoders.surfaces.length;
  if (table === VIEW_TYPE_COLUMN) return encoders.viewTypes.length;
  const state = encoders.tables.find((one) => one.name === table);
  if (state === undefined) throw new OnefoldError('artifact', `the encoders lack table "${table}"`, { fix: 'run `onefold prepare` again' });
  return state.rows;
};

const fuseTables = (project: Project, encoders: EncoderSet, lookups: readonly Lookup[]): FusedTableLayout[] => {
  const widths = [...new Set(lookups.map((lookup) => lookup.width))].sort((a, b) => a - b);
  return widths.map((width) => {
    let rows = 0;
    const tables = [...new Set(lookups.filter((lookup) => lookup.width === width).map((lookup) => lookup.table))].map((name) => {
      const slice = { name, base: rows, rows: tableRows(project, encoders, name) };
      rows += slice.rows;
      return slice;
    });
    return { width, rows, tables };
  });
};

/** What blocks are told apart by, in the order they come. */
const placesOf = (lookups: readonly Lookup[]): { readonly rows: RowSpace; readonly late: string | undefined }[] => {
  const tokens = [...new Set(lookups.map(({ rows }) => rows))].filter((rows) => rows !== 'request' && rows !== 'candidate');
  const late = [...new Set(lookups.flatMap((lookup) => lookup.late ?? []))];
  return [
    ...SIDES.map((rows) => ({ rows, late: undefined })),
    ...tokens.map((rows) => ({ rows, late: undefined })),
    ...late.flatMap((surface) => SIDES.map((rows) => ({ rows, late: surface }))),
  ];
};

const SIDES: readonly Side[] = ['request', 'candidate'];

const placeName = (rows: RowSpace, late: string | undefined): string => (late === undefined ? rows : `${rows}.${late}`);

const planBlocks = (lookups: readonly Lookup[], fusedTables: readonly FusedTableLayout[]): LookupBlock[] =>
  placesOf(lookups).flatMap(({ rows, late }) =>
    fusedTables.flatMap((fused): LookupBlock[] => {
      const slots = lookups
        .filter((lookup) => lookup.rows === rows && lookup.late === late && lookup.width === fused.width)
        .map((lookup, index): LookupSlot => {
          const table = fused.tables.find((slice) => slice.name === lookup.table)!;
          return { column: lookup.column, base: table.base, rows: table.rows, pooling: lookup.pooling, offset: index * fused.width };
        });
      if (slots.length === 0) return [];
      const name = `embedding.${placeName(rows, late)}.${fused.width}`;
      return [{ name, rows, ...(late === undefined ? {} : { late }), width: fused.width, slots, blockWidth: slots.length * fused.width }];
    }),
  );

const planDense = (columns: readonly ColumnState[], lateOf: (column: ColumnState) => string | undefined): DenseBlock[] => {
  const own = columns.filter((column) => column.kind === 'number' || column.kind === 'vector');
  return [undefined, ...new Set(own.flatMap((column) => lateOf(column) ?? []))].flatMap((late) =>
    SIDES.flatMap((side): DenseBlock[] => {
      let offset = 0;
      const slots = own
        .filter((column) => column.side === side && lateOf(column) === late)
        .map((column): DenseSlot => {
          const size = (column.kind === 'number' ? 1 : column.size) + 1;
          const slot: DenseSlot = { column: column.name, kind: column.kind, offset, size };
          offset += size;
          return slot;
        });
      return slots.length === 0 ? [] : [{ name: `dense.${placeName(side, late)}`, rows: side, ...(late === undefined ? {} : { late }), slots, blockWidth: offset }];
    }),
  );
};

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
 * Lays out a model's inputs for a set of surfaces: the features any of them has and the model reads, tables grouped by width, one
 * lookup block per side and width, one dense block per side.
 *
 * @param surfaces names of the surfaces the model serves; one for a separate model
 * @throws OnefoldError `artifact` when the prepared dataset and the config do not fit together
 */
export const planLayout = (project: Project, encoders: EncoderSet, model: Model, surfaces: readonly string[]): ModelLayout => {
  const isRead = (feature: string): boolean => model.features?.includes(feature) !== false;
  const prepared = encoders.columns.filter((column) => column.surfaces.some((surface) => surfaces.includes(surface)));
  checkPrepared(project, encoders, surfaces, prepared);
  const columns = prepared.filter(({ feature }) => isRead(feature));
  const sequences = planSequences(project, model, columns);
  const lookups = planLookups(project, encoders, model, surfaces, columns, sequences);
  const fusedTables = fuseTables(project, encoders, lookups);
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
    dense: planDense(columns, (column) => lateSurface(model, column, surfaces)),
    dropout: [],
    sequences,
  };
};
