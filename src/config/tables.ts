/** Which embedding tables a config declares, and how: features that share a table share its encoding and width. */
import type { CategoricalEncoding, FeatureConfig } from './project.js';

/** Vocabularies keep values seen at least this often unless they say otherwise. */
const DEFAULT_MIN_COUNT = 2;

/** One place of the config that reads from a table. */
export interface TableUse {
  readonly table: string;
  /** What the table's rows stand for; only id tables can be shared. */
  readonly rows: 'ids' | 'buckets' | 'time gaps';
  readonly path: readonly string[];
  /** As declared there; a use that says nothing takes what the others say. */
  readonly encoding: CategoricalEncoding | undefined;
  readonly width: number | undefined;
}

/** Table of a sequence field that names none. */
export const fieldTable = (sequence: string, field: string): string => `${sequence}.${field}`;

/** Every use of every table, in config order. */
export function tableUses(features: Readonly<Record<string, FeatureConfig>>): TableUse[] {
  return Object.entries(features).flatMap(([name, feature]): TableUse[] => {
    const path = ['features', name];
    switch (feature.kind) {
      case 'categorical':
      case 'multi':
        return [{ table: feature.table ?? name, rows: 'ids', path, encoding: feature.encoding, width: feature.width }];
      case 'number':
        if (feature.encoding?.type !== 'bucket') return [];
        return [{ table: name, rows: 'buckets', path, encoding: undefined, width: feature.width }];
      case 'vector':
        return [];
      case 'sequence':
        return Object.entries(feature.fields).map(([field, declared]): TableUse => {
          const at = [...path, 'fields', field];
          return declared.kind === 'time_gap'
            ? { table: fieldTable(name, field), rows: 'time gaps', path: at, encoding: undefined, width: declared.width }
            : { table: declared.table ?? fieldTable(name, field), rows: 'ids', path: at, encoding: declared.encoding, width: declared.width };
        });
    }
  });
}

/** An encoding with its defaults filled in. */
export function fillEncoding(encoding: CategoricalEncoding | undefined): CategoricalEncoding {
  if (encoding?.type === 'hash') return { type: 'hash', buckets: encoding.buckets };
  const maxSize = encoding?.maxSize;
  return { type: 'vocabulary', minCount: encoding?.minCount ?? DEFAULT_MIN_COUNT, ...(maxSize === undefined ? {} : { maxSize }) };
}

/** Encoding and width of every table, from the first use that declares each. */
export function resolveTables(
  uses: readonly TableUse[],
): ReadonlyMap<string, { readonly encoding: CategoricalEncoding; readonly width: number | undefined }> {
  const tables = new Map<string, { encoding: CategoricalEncoding | undefined; width: number | undefined }>();
  for (const { table, encoding, width } of uses) {
    const seen = tables.get(table);
    tables.set(table, { encoding: seen?.encoding ?? encoding, width: seen?.width ?? width });
  }
  return new Map([...tables].map(([table, { encoding, width }]) => [table, { encoding: fillEncoding(encoding), width }]));
}
