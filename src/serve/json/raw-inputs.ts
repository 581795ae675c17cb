/** What a surface's export reads, as clients see it. */
import { rawColumnName } from '../../data/encode.js';
import type { ColumnState, EncoderSet, TableState } from '../../data/encoder-state.js';
import type { ExportManifest } from '../../export/manifest.js';
import type { RawInput } from '../raw-request.js';

const typeOf = (state: ColumnState, tables: ReadonlyMap<string, TableState>): RawInput['type'] => {
  if (!('table' in state)) return 'number';
  const { type } = tables.get(state.table)!;
  return type === 'vocabulary' || type === 'hash' ? 'text' : 'number';
};

const formOf = (state: ColumnState): RawInput['form'] => {
  if (state.kind === 'vector') return { vector: state.size };
  return state.kind === 'ids' ? 'list' : 'scalar';
};

/**
 * Raw columns that the encoders of an export read, in the order of its encoders, each once. Training-only features are not
 * among them: they are served with a value of their own.
 */
export const inputsOf = (encoders: EncoderSet, { source, surface }: Pick<ExportManifest, 'source' | 'surface'>): readonly RawInput[] => {
  const tables = new Map(encoders.tables.map((table) => [table.name, table]));
  const sequences = new Set(source.features.flatMap((feature) => (feature.kind === 'sequence' ? [feature.name] : [])));
  const inputs = new Map<string, RawInput>();
  for (const state of encoders.columns) {
    const name = rawColumnName(state, encoders);
    if (state.serveAs !== undefined || !state.surfaces.includes(surface) || inputs.has(name)) continue;
    const sequence = sequences.has(state.feature) ? { sequence: state.feature } : {};
    const length = state.kind === 'ids' ? { maxLength: state.maxLength } : {};
    inputs.set(name, { name, side: state.side, type: typeOf(state, tables), form: formOf(state), ...sequence, ...length });
  }
  return [...inputs.values()];
};
