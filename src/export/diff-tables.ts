/** Embedding tables of two exports: which values have rows, and what the rows take. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fromBinary } from '@bufbuild/protobuf';
import { FIRST_VALUE_ROW, type EncoderSet, type TableState } from '../data/encoder-state.js';
import { explainIoFailure } from '../data/io-failure.js';
import { ONNX_DTYPE } from '../graph/onnx/dtypes.js';
import { ModelProtoSchema, type TensorProto } from '../graph/onnx/onnx_pb.js';
import { VIEW_TYPE_COLUMN } from '../model/plan-layout.js';
import { EXPORT_FILES, type ExportManifest } from './manifest.js';
import { tableInitializer } from './serving-graph.js';

/** One table as it is stored. */
export interface StoredTable {
  readonly rows: number;
  readonly width: number;
  readonly precision: ExportManifest['precision'];
  /** Rows with their scales, without the room between tables. */
  readonly bytes: number;
}

/** One table in two exports; null in the one that does not have it. */
export interface TableDiff {
  readonly table: string;
  readonly a: StoredTable | null;
  readonly b: StoredTable | null;
  /** Rows by the value that they stand for. */
  readonly rows: { readonly added: number; readonly removed: number; readonly kept: number };
}

const PRECISIONS: ReadonlyMap<number, ExportManifest['precision']> = new Map([
  [ONNX_DTYPE.float32, 'fp32'],
  [ONNX_DTYPE.float16, 'fp16'],
  [ONNX_DTYPE.uint8, 'int8'],
]);

const PREFIX = tableInitializer('');
const SCALES = `scales.${PREFIX}`;

const bytesOf = ({ externalData, rawData }: TensorProto): number => {
  const length = externalData.find(({ key }) => key === 'length')?.value;
  return length === undefined ? rawData.length : Number(length);
};

/**
 * The tables that an export's graph looks ids up in, by name.
 *
 * @throws IoError when the graph cannot be read
 */
export const storedTables = async (directory: string): Promise<ReadonlyMap<string, StoredTable>> => {
  const path = join(directory, EXPORT_FILES.graph);
  const bytes = await readFile(path).catch((cause: unknown) => {
    throw explainIoFailure(cause, path);
  });
  const initializers = fromBinary(ModelProtoSchema, bytes).graph?.initializer ?? [];
  const scales = new Map(initializers.flatMap((tensor) => (tensor.name.startsWith(SCALES) ? [[tensor.name.slice(SCALES.length), bytesOf(tensor)]] : [])));
  return new Map(
    initializers.flatMap((tensor): [string, StoredTable][] => {
      if (!tensor.name.startsWith(PREFIX)) return [];
      const name = tensor.name.slice(PREFIX.length);
      const [rows, width] = tensor.dims.map(Number);
      return [[name, { rows: rows!, width: width!, precision: PRECISIONS.get(tensor.dataType)!, bytes: bytesOf(tensor) + (scales.get(name) ?? 0) }]];
    }),
  );
};

/** What the rows of a table stand for, one text a row; undefined where rows are nothing but places. */
const meanings = (encoders: EncoderSet, table: string): readonly string[] | undefined => {
  if (table === VIEW_TYPE_COLUMN) return encoders.viewTypes.map((viewType) => `view type ${viewType}`);
  const state = encoders.tables.find(({ name }) => name === table);
  if (state === undefined) return undefined;
  const special = Array.from({ length: FIRST_VALUE_ROW }, (_, row) => `row ${row}`);
  return [...special, ...Array.from({ length: state.rows - FIRST_VALUE_ROW }, (_, index) => meaningOf(state, index))];
};

/** A bucket of another number of buckets, or between other boundaries, stands for other values. */
const meaningOf = (state: TableState, index: number): string => {
  switch (state.type) {
    case 'vocabulary':
      return `value ${state.values[index]!}`;
    case 'hash':
      return `bucket ${index} of ${state.buckets}`;
    case 'bucket':
      return `from ${state.boundaries[index - 1] ?? '−∞'} to ${state.boundaries[index] ?? '∞'}`;
    case 'time_gap':
      return `gap ${index}${index === state.rows - FIRST_VALUE_ROW - 1 ? ' and above' : ''}`;
  }
};

const compareRows = (a: readonly string[], b: readonly string[]): TableDiff['rows'] => {
  const before = new Set(a);
  const kept = b.filter((meaning) => before.has(meaning)).length;
  return { added: b.length - kept, removed: a.length - kept, kept };
};

const places = (table: StoredTable | undefined): readonly string[] => Array.from({ length: table?.rows ?? 0 }, (_, row) => `row ${row}`);

export interface ExportTables {
  readonly encoders: EncoderSet;
  readonly tables: ReadonlyMap<string, StoredTable>;
}

/** Every table that one of them has: those of both first, as the second has them. */
export const diffTables = (a: ExportTables, b: ExportTables): readonly TableDiff[] => {
  const names = [...b.tables.keys(), ...[...a.tables.keys()].filter((name) => !b.tables.has(name))];
  return names.map((table) => {
    const [of, to] = [a.tables.get(table), b.tables.get(table)];
    const rowsOf = ({ encoders }: ExportTables, stored: StoredTable | undefined): readonly string[] => (stored === undefined ? [] : (meanings(encoders, table) ?? places(stored)));
    return { table, a: of ?? null, b: to ?? null, rows: compareRows(rowsOf(a, of), rowsOf(b, to)) };
  });
};
