/** What raw rows of an exported surface look like: its part of the project, without sources. */
import type { Feature, Project, Surface, Task } from '../config/project.js';
import type { Sequence } from '../data/history.js';
import { RAW } from '../data/raw-rows.js';
import { eventTimeColumn, fieldColumn, labelColumn } from '../data/staged.js';

/** A sequence whose events are read as the config says, from wherever they are when rows are scored. */
type RawSequence = Omit<Sequence, 'events'> & { readonly events: Omit<NonNullable<Sequence['events']>, 'source'> | undefined };
type RawFeature = Exclude<Feature, Sequence> | RawSequence;

/** How an export's surface reads its raw rows. */
export interface RawSchema {
  readonly surface: Omit<Surface, 'source' | 'where' | 'negativeSampling'>;
  /** Of the surface's own logs: a row per candidate, or a row per request whose candidate columns are lists. */
  readonly layout: 'candidate' | 'request';
  readonly features: readonly RawFeature[];
  /** Label expression of each task: only fitting a calibration reads them. */
  readonly labels: Readonly<Record<string, string>>;
}

/** A sequence of events with the file they are in. */
export type EventSequence = Sequence & { readonly events: NonNullable<Sequence['events']> };

const withoutSource = (feature: Feature): RawFeature => {
  if (feature.kind !== 'sequence' || feature.events === undefined) return feature as RawFeature;
  const { where, user, time, timeUnit } = feature.events;
  return { ...feature, events: { where, user, time, timeUnit } };
};

/** The schema of a surface's raw rows, as far as these features need them. */
export const rawSchema = (project: Project, surfaceName: string, features: ReadonlySet<string>): RawSchema => {
  const { name, keys, viewType, viewTypes, source } = project.surfaces.find((surface) => surface.name === surfaceName)!;
  return {
    surface: { name, keys, viewType, viewTypes },
    layout: source.layout ?? 'candidate',
    features: project.features.filter((feature) => features.has(feature.name)).map(withoutSource),
    labels: Object.fromEntries(project.tasks.flatMap((task) => (task.surfaces.includes(surfaceName) ? [[task.name, task.labels[surfaceName]!]] : []))),
  };
};

const inColumns = (sequence: RawSequence): Pick<Sequence, 'fields'> => ({
  fields: sequence.fields.map((field) => (field.kind === 'id' ? { ...field, column: fieldColumn(sequence.name, field.name) } : field)),
});

/** A sequence of joined events as raw rows hold it: lists `sequence.field`, and `sequence.@time` in epoch ms. */
const inRow = (feature: RawFeature): Feature => {
  if (feature.kind !== 'sequence') return feature;
  if (feature.events === undefined) return { ...feature, events: undefined };
  return { ...feature, events: undefined, time: eventTimeColumn(feature.name), timeUnit: 'ms', ...inColumns(feature) };
};

/** Names of the merged schema in place of the source's: what `prepare` keeps as raw rows. */
const inMergedNames = (feature: Feature, surface: string): Feature =>
  feature.kind === 'sequence'
    ? { ...feature, timeUnit: 'ms', time: feature.time === undefined ? undefined : eventTimeColumn(feature.name), ...inColumns(feature) }
    : { ...feature, columns: { [surface]: feature.name } };

/** A feature whose value in the rows is not looked at when serving. */
const isReplaced = (feature: RawFeature): boolean => feature.kind !== 'sequence' && feature.trainingOnly !== undefined;

const labelTasks = ({ surface, labels }: RawSchema): readonly Task[] =>
  Object.entries(labels).map(([name, label]) => ({ name, weight: 1, surfaces: [surface.name], labels: { [surface.name]: label } }));

/** A project of one surface that reads one file, histories as lists in its rows. */
export const rawProject = (schema: RawSchema, file: string, directory: string, { serving, labels = false }: { readonly serving: boolean; readonly labels?: boolean }): Project => ({
  name: 'raw',
  file,
  directory,
  workspace: directory,
  surfaces: [{ ...schema.surface, source: { files: file, layout: schema.layout }, where: undefined, negativeSampling: undefined }],
  features: schema.features.filter((feature) => !serving || !isReplaced(feature)).map(inRow),
  tasks: labels ? labelTasks(schema) : [],
  split: { validation: 0, test: 0 },
  data: { badRows: 'fail', memoryLimit: '1GB', shardCandidates: 1, truth: {}, outside: {} },
  models: {},
  unify: undefined,
});

/** Rows as `prepare` keeps them, rather than with the columns of the surface's own logs. */
export const hasMergedNames = (columns: readonly string[]): boolean => columns.includes(RAW.requestId);

/** Layout of rows with these columns: the surface's own, but a row per candidate under merged names. */
export const layoutOf = (schema: RawSchema, columns: readonly string[]): RawSchema['layout'] => (hasMergedNames(columns) ? 'candidate' : schema.layout);

/** The same project, its columns named as in the merged schema. */
export const inMergedSchema = (project: Project): Project => {
  const surface = project.surfaces[0]!;
  return {
    ...project,
    surfaces: [
      {
        ...surface,
        keys: { request: RAW.requestId, user: RAW.userId, time: RAW.time, timeUnit: 'ms' },
        ...(surface.viewType === undefined ? {} : { viewType: RAW.viewType }),
      },
    ],
    features: project.features.map((feature) => inMergedNames(feature, surface.name)),
    tasks: project.tasks.map((task) => ({ ...task, labels: { [surface.name]: labelColumn(task.name) } })),
  };
};

/** The sequences that training joined from events. */
export const joinedSequences = (schema: RawSchema): readonly RawSequence[] =>
  schema.features.filter((feature): feature is RawSequence => feature.kind === 'sequence' && feature.events !== undefined);

/** Those of them whose events are in these files, by sequence. */
export const sequencesWithEvents = (schema: RawSchema, files: Readonly<Record<string, string>>): readonly EventSequence[] =>
  joinedSequences(schema).flatMap((sequence) => {
    const file = files[sequence.name];
    return file === undefined ? [] : [{ ...sequence, events: { ...sequence.events!, source: { files: file } } }];
  });

/** Lists that raw rows hold of a sequence whose events training joined. */
export const historyLists = (sequence: Pick<Sequence, 'name' | 'fields'>): readonly string[] => [
  ...sequence.fields.filter((field) => field.kind === 'id').map((field) => fieldColumn(sequence.name, field.name)),
  eventTimeColumn(sequence.name),
];
