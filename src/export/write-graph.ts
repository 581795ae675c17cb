import { closeSync, openSync, writeFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import type { ModelLayout } from '../model/layout.js';
import { requiredLeaves, toOnnx } from '../graph/onnx/emit.js';
import type { ExternalInitializer, Initializer } from '../graph/onnx/initializer.js';
import { tableWeightsName } from '../train/checkpoint-manifest.js';
import { rowRanges } from '../train/named-tensor.js';
import { SafetensorsFile } from '../train/safetensors.js';
import { EXPORT_FILES, type ExportInput, type ExportManifest } from './manifest.js';
import type { KeptRows } from './renumber.js';
import { tableInitializer, type ServingGraph } from './serving-graph.js';
import { encodeRows } from './table-rows.js';

/** Where table rows are read from, and how they are stored. */
interface TableSource {
  readonly tables: SafetensorsFile;
  readonly layout: ModelLayout;
  readonly precision: ExportManifest['precision'];
  readonly kept: KeptRows;
}

/** External data starts on page boundaries, so that runtimes can map it. */
const ALIGNMENT = 4096;

const DTYPES = { fp32: 'float32', fp16: 'float16', int8: 'uint8' } as const;

/** A file that grows at its end. */
class Appended {
  readonly #file: number;
  #end = 0;

  constructor(path: string) {
    this.#file = openSync(path, 'w');
  }

  /** Goes on at the next multiple. */
  align(multiple: number): number {
    this.#end = Math.ceil(this.#end / multiple) * multiple;
    return this.#end;
  }

  append({ buffer, byteOffset, byteLength }: ArrayBufferView): void {
    const bytes = new Uint8Array(buffer, byteOffset, byteLength);
    for (let at = 0; at < byteLength; ) at += writeSync(this.#file, bytes, at, byteLength - at, this.#end + at);
    this.#end += byteLength;
  }

  get end(): number {
    return this.#end;
  }

  close(): void {
    closeSync(this.#file);
  }
}

/** Some rows of a table out of the checkpoint's fused tables. */
const readRows = ({ tables, layout }: TableSource, { table, width, first, rows }: { readonly table: string; readonly width: number; readonly first: number; readonly rows: number }): Float32Array => {
  const slice = layout.fusedTables.find((fused) => fused.width === width)!.tables.find((one) => one.name === table)!;
  const values = new Float32Array(rows * width);
  tables.readInto(tableWeightsName(width), values, (slice.base + first) * width);
  return values;
};

/** The rows of a table that the export keeps, some at a time. */
function* keptRows(source: TableSource, table: string, width: number, rows: number): Generator<Float32Array, void, undefined> {
  const kept = source.kept.get(table);
  const last = kept?.at(-1) ?? rows - 1;
  let next = 0;
  for (const { first, rows: count } of rowRanges({ shape: [last + 1, width] })) {
    const values = readRows(source, { table, width, first, rows: count });
    if (kept === undefined) {
      yield values;
      continue;
    }
    const from = next;
    while (next < kept.length && kept[next]! < first + count) next += 1;
    const found = new Float32Array((next - from) * width);
    for (let at = from; at < next; at += 1) {
      const start = (kept[at]! - first) * width;
      found.set(values.subarray(start, start + width), (at - from) * width);
    }
    yield found;
  }
}

const writeTable = (file: Appended, source: TableSource, { name, width, rows }: ServingGraph['tables'][number]): ExternalInitializer => {
  const offset = file.align(ALIGNMENT);
  const scales: Float32Array[] = [];
  for (const values of keptRows(source, name, width, rows)) {
    const stored = encodeRows(values, width, source.precision);
    file.append(stored.values);
    if (stored.scales !== undefined) scales.push(stored.scales);
  }
  const external = { dtype: DTYPES[source.precision], shape: [rows, width], externalFile: EXPORT_FILES.tables, offset, length: file.end - offset };
  if (scales.length === 0) return external;
  const start = file.align(4);
  scales.forEach((values) => {
    file.append(values);
  });
  return { ...external, scales: { dtype: 'float32', shape: [rows, 2], externalFile: EXPORT_FILES.tables, offset: start, length: file.end - start } };
};

/** The tables it looks ids up in, one after the other in `tables.bin`; single rows are kept in the graph. */
const writeTables = (directory: string, serving: ServingGraph, source: TableSource): Map<string, Initializer> => {
  const initializers = new Map<string, Initializer>();
  const file = new Appended(join(directory, EXPORT_FILES.tables));
  try {
    for (const table of serving.tables) initializers.set(tableInitializer(table.name), writeTable(file, source, table));
  } finally {
    file.close();
  }
  for (const { name, table, width, row } of serving.fixedRows) {
    const { values, scales } = encodeRows(readRows(source, { table, width, first: row, rows: 1 }), width, source.precision);
    const data = { dtype: DTYPES[source.precision], shape: [1, width], data: values };
    initializers.set(name, scales === undefined ? data : { ...data, scales: { dtype: 'float32', shape: [1, 2], data: scales } });
  }
  return initializers;
};

/**
 * Writes `model.onnx` and `tables.bin` of one surface from a checkpoint.
 *
 * @returns the inputs of the graph, in its order
 */
export const writeServingGraph = (options: {
  readonly directory: string;
  readonly checkpoint: string;
  readonly serving: ServingGraph;
  readonly layout: ModelLayout;
  readonly precision: ExportManifest['precision'];
  /** Rows of tables that are left; default: all. */
  readonly kept?: KeptRows;
  readonly name: string;
}): readonly ExportInput[] => {
  const { directory, checkpoint, serving, layout, precision, kept = new Map(), name } = options;
  const tables = new SafetensorsFile(join(checkpoint, 'tables.safetensors'));
  const dense = new SafetensorsFile(join(checkpoint, 'dense.safetensors'));
  try {
    const initializers = writeTables(directory, serving, { tables, layout, precision, kept });
    serving.calibration.forEach((values, parameter) => initializers.set(parameter, values));
    for (const parameter of dense.names) {
      initializers.set(parameter, { dtype: 'float32', shape: dense.shape(parameter), data: dense.read(parameter) });
    }
    writeFileSync(join(directory, EXPORT_FILES.graph), toOnnx({ name, outputs: serving.outputs, initializers }));
  } finally {
    tables.close();
    dense.close();
  }
  return requiredLeaves(serving.outputs)
    .filter((leaf) => leaf.kind === 'input')
    .map((leaf) => ({ name: leaf.name!, dtype: leaf.dtype as ExportInput['dtype'], shape: leaf.shape }));
};
