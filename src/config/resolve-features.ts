/** Features with their defaults filled in: surfaces, a column per surface, tables shared by name. */
import { isOn } from './config-parts.js';
import type { CategoricalEncoding, Feature, FeatureConfig, NumberEncoding, SequenceFeature, SequenceField } from './project.js';
import { fieldTable, resolveTables, tableUses } from './tables.js';

type Tables = ReturnType<typeof resolveTables>;
type ColumnFeature = Exclude<FeatureConfig, SequenceFeature>;

const resolveColumns = (name: string, feature: ColumnFeature, surfaceNames: readonly string[]) => {
  const surfaces = surfaceNames.filter((surface) => isOn(feature, surface));
  const perSurface = <T>(value: (surface: string) => T): Record<string, T> =>
    Object.fromEntries(surfaces.map((surface) => [surface, value(surface)]));
  return {
    name,
    side: feature.side,
    surfaces,
    columns: perSurface((surface) => feature.on?.[surface]?.column ?? feature.column ?? name),
    units: perSurface((surface) => feature.on?.[surface]?.unit ?? feature.unit),
    vocabularies: perSurface((surface) => feature.on?.[surface]?.vocabulary),
    trainingOnly: feature.trainingOnly,
  };
};

const tableOf = (tables: Tables, table: string): { table: string; encoding: CategoricalEncoding; width: number | undefined } => ({
  table,
  ...tables.get(table)!,
});

const resolveNumberEncoding = (encoding: NumberEncoding | undefined): NumberEncoding => {
  if (encoding === undefined) return { type: 'standard' };
  return encoding.type === 'quantile' ? { type: 'quantile', quantiles: encoding.quantiles ?? 100 } : encoding;
};

const resolveSequence = (name: string, feature: SequenceFeature, surfaceNames: readonly string[], tables: Tables): Feature => ({
  kind: 'sequence',
  name,
  side: 'request',
  surfaces: surfaceNames.filter((surface) => isOn(feature, surface)),
  length: feature.length,
  pooling: feature.pooling ?? 'mean',
  fields: Object.entries(feature.fields).map(([field, declared]): SequenceField => {
    if (declared.kind === 'time_gap') {
      return { kind: 'time_gap', name: field, table: fieldTable(name, field), width: declared.width };
    }
    return { kind: 'id', name: field, column: declared.column ?? field, ...tableOf(tables, declared.table ?? fieldTable(name, field)) };
  }),
  events:
    feature.events === undefined
      ? undefined
      : {
          source: feature.events.source,
          where: feature.events.where,
          user: feature.events.user ?? 'user_id',
          time: feature.events.time ?? 'time',
          timeUnit: feature.events.timeUnit ?? 'ms',
        },
  time: feature.time,
  timeUnit: feature.timeUnit ?? 'ms',
});

/** Every feature, in the order declared. */
export function resolveFeatures(features: Readonly<Record<string, FeatureConfig>>, surfaceNames: readonly string[]): Feature[] {
  const tables = resolveTables(tableUses(features));
  return Object.entries(features).map(([name, feature]): Feature => {
    switch (feature.kind) {
      case 'categorical':
        return { kind: 'categorical', ...resolveColumns(name, feature, surfaceNames), ...tableOf(tables, feature.table ?? name) };
      case 'multi':
        return {
          kind: 'multi',
          ...resolveColumns(name, feature, surfaceNames),
          ...tableOf(tables, feature.table ?? name),
          pooling: feature.pooling ?? 'mean',
          maxLength: feature.maxLength ?? 50,
        };
      case 'number':
        return {
          kind: 'number',
          ...resolveColumns(name, feature, surfaceNames),
          encoding: resolveNumberEncoding(feature.encoding),
          table: name,
          width: feature.width,
        };
      case 'vector':
        return { kind: 'vector', ...resolveColumns(name, feature, surfaceNames), size: feature.size };
      case 'sequence':
        return resolveSequence(name, feature, surfaceNames, tables);
    }
  });
}
