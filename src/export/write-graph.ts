import { closeSync, openSync, writeFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import type { ModelLayout } from '../model/layout.js';
import { requiredLeaves, toOnnx } from '../graph/onnx/emit.js';
import type { Initializer } from '../graph/onnx/initializer.js';
import { toHalves } from '../kernels/half-precision.js';
import { tableWeightsName } from '../train/checkpoint-manifest.js';
import { rowRanges } from '../train/named-tensor.js';
import { SafetensorsFile } from '../train/safetensors.js';
import { EXPORT_FILES, type ExportInput, type ExportManifest } from './manifest.js';
import { tableInitializer, type ServingGraph } from './serving-graph.js';

/** Where table rows are read from, and how they are stored. */
interface TableSource {
  readonly tables: SafetensorsFile;
  readonly layout: ModelLayout;
  readonly precision: ExportManifest['precision'];
}

/** External data starts on page boundaries, so that runtimes can map it. */
const ALIGNMENT = 4096;

const writeAt = (file: number, bytes: Uint8Array, position: number): void => {
  for (let at = 0; at < bytes.length; ) at += writeSync(file, bytes, at, bytes.length - at, position + at);
};

/** Rows of a table out of the checkpoint's fused tables, as the export stores them. */
const readRows = (
  { tables, layout, precision }: TableSource,
  { table, width, first, rows }: { readonly table: string; readonly width: number; readonly first: number; readonly rows: number },
): Float32Array | Uint16Array => {
  const slice = layout.fusedTables.find((fused) => fused.width === width)!.tables.find((one) => one.name === table)!;
  const values = new Float32Array(rows * width);
  tables.readInto(tableWeightsName(width), values, (slice.base + first) * width);
  return precision === 'fp16' ? toHalves(values) : values;
};

/** The tables it looks ids up in, one after the other in `tables.bin`; single rows are kept in the graph. */
const writeTables = (directory: string, serving: ServingGraph, source: TableSource): Map<string, Initializer> => {
  const dtype = source.precision === 'fp16' ? 'float16' : 'float32';
  const initializers = new Map<string, Initializer>();
  const file = openSync(join(directory, EXPORT_FILES.tables), 'w');
  let offset = 0;
  try {
    for (const { name, width, rows } of serving.tables) {
      let length = 0;
      for (const { first, rows: count } of rowRanges({ shape: [rows, width] })) {
        const stored = readRows(source, { table: name, width, first, rows: count });
        writeAt(file, new Uint8Array(stored.buffer, stored.byteOffset, stored.byteLength), offset + length);
        length += stored.byteLength;
      }
      initializers.set(tableInitializer(name), { dtype, shape: [rows, width], externalFile: EXPORT_FILES.tables, offset, length });
      offset = Math.ceil((offset + length) / ALIGNMENT) * ALIGNMENT;
    }
    for (const { name, table, width, row } of serving.fixedRows) {
      initializers.set(name, { dtype, shape: [1, width], data: readRows(source, { table, width, first: row, rows: 1 }) });
    }
  } finally {
    closeSync(file);
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
  readonly name: string;
}): readonly ExportInput[] => {
  const { directory, checkpoint, serving, layout, precision, name } = options;
  const tables = new SafetensorsFile(join(checkpoint, 'tables.safetensors'));
  const dense = new SafetensorsFile(join(checkpoint, 'dense.safetensors'));
  try {
    const initializers = writeTables(directory, serving, { tables, layout, precision });
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
