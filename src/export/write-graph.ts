import { closeSync, openSync, writeFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import type { ModelLayout } from '../model/layout.js';
import { requiredLeaves, toOnnx } from '../graph/onnx/emit.js';
import type { Initializer } from '../graph/onnx/initializer.js';
import { toHalves } from '../kernels/half-precision.js';
import { tableWeightsName } from '../train/checkpoint-manifest.js';
import { SafetensorsFile } from '../train/safetensors.js';
import { EXPORT_FILES, type ExportInput, type ExportManifest } from './manifest.js';
import { tableInitializer, type ServingGraph } from './serving-graph.js';

/** External data starts on page boundaries, so that runtimes can map it. */
const ALIGNMENT = 4096;

/** Rows of each table it needs, out of the checkpoint's fused tables, one after the other in `tables.bin`. */
const writeTables = (
  directory: string,
  serving: ServingGraph,
  layout: ModelLayout,
  tables: SafetensorsFile,
  precision: ExportManifest['precision'],
): Map<string, Initializer> => {
  const initializers = new Map<string, Initializer>();
  const file = openSync(join(directory, EXPORT_FILES.tables), 'w');
  let offset = 0;
  try {
    for (const { name, width, rows } of serving.tables) {
      const slice = layout.fusedTables.find((fused) => fused.width === width)!.tables.find((table) => table.name === name)!;
      const values = new Float32Array(rows * width);
      tables.readInto(tableWeightsName(width), values, slice.base * width);
      const stored = precision === 'fp16' ? toHalves(values) : values;
      const bytes = new Uint8Array(stored.buffer, stored.byteOffset, stored.byteLength);
      writeSync(file, bytes, 0, bytes.length, offset);
      initializers.set(tableInitializer(name), {
        dtype: precision === 'fp16' ? 'float16' : 'float32',
        shape: [rows, width],
        externalFile: EXPORT_FILES.tables,
        offset,
        length: bytes.length,
      });
      offset = Math.ceil((offset + bytes.length) / ALIGNMENT) * ALIGNMENT;
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
    const initializers = writeTables(directory, serving, layout, tables, precision);
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
