import type { Feature, Project } from '../config/project.js';
import { explainDuckDbError, quoteIdentifier, type Database } from './duckdb.js';
import type { ColumnState, EncoderSet } from './encoder-state.js';
import { fitNumbers, type FittedNumber } from './fit-numbers.js';
import { fitValueTables, trainingRows } from './fit-vocabularies.js';
import { fieldColumn, STAGED, STAGED_REQUESTS, type StagedTables } from './staged.js';

const columnStates = (feature: Feature, numbers: ReadonlyMap<string, FittedNumber>): readonly ColumnState[] => {
  const { name, side, surfaces } = feature;
  const base = { name, feature: name, side, surfaces };
  if (feature.kind === 'sequence') {
    const { pooling, length } = feature;
    return feature.fields.map((field) => ({
      ...base,
      name: fieldColumn(name, field.name),
      kind: 'ids',
      table: field.table,
      pooling,
      maxLength: length,
      keep: 'last',
    }));
  }
  const served = feature.trainingOnly === undefined ? base : { ...base, serveAs: feature.trainingOnly.serveAs };
  switch (feature.kind) {
    case 'categorical':
      return [{ ...served, kind: 'id', table: feature.table }];
    case 'multi':
      return [{ ...served, kind: 'ids', table: feature.table, pooling: feature.pooling, maxLength: feature.maxLength, keep: 'first' }];
    case 'number': {
      const fitted = numbers.get(name)!;
      return [fitted.type === 'bucket' ? { ...served, kind: 'id', table: fitted.table.name } : { ...served, kind: 'number', encoding: fitted.encoding }];
    }
    case 'vector':
      return [{ ...served, kind: 'vector', size: feature.size }];
  }
};

const fitViewTypes = async (database: Database, staged: StagedTables, project: Project): Promise<readonly string[]> => {
  const [surface, viewType] = [quoteIdentifier(STAGED.surface), quoteIdentifier(STAGED.viewType)];
  const seen = await database.rows<{ surface: number; viewType: string }>(
    `SELECT DISTINCT ${surface} AS surface, ${viewType} AS "viewType" FROM ${STAGED_REQUESTS}
     WHERE ${trainingRows(staged)} AND ${viewType} IS NOT NULL ORDER BY 1, 2`,
  );
  const named = project.surfaces.flatMap(({ name, viewTypes }, index) =>
    (viewTypes ?? seen.filter((row) => row.surface === index).map((row) => row.viewType)).map((value) => `${name}/${value}`),
  );
  return ['', ...named];
};

/**
 * Fits encoders on the training split alone, by SQL over the staging tables.
 *
 * Vocabularies: most frequent first, ties in value order. Numbers: population moments in stored order, exact quantiles.
 * The same tables always give the same encoders, bit for bit.
 *
 * @throws IoError when DuckDB runs out of disk or memory
 */
export const fitEncoders = async (database: Database, staged: StagedTables, project: Project): Promise<EncoderSet> => {
  try {
    const values = await fitValueTables(database, staged, project);
    const numbers = await fitNumbers(database, staged, project);
    const buckets = [...numbers.values()].flatMap((fitted) => (fitted.type === 'bucket' ? [fitted.table] : []));
    return {
      tables: [...values, ...buckets],
      columns: project.features.flatMap((feature) => columnStates(feature, numbers)),
      surfaces: project.surfaces.map((surface) => surface.name),
      viewTypes: await fitViewTypes(database, staged, project),
    };
  } catch (error) {
    throw explainDuckDbError(error, { where: 'fitting encoders' });
  }
};
