import { closeSync, openSync, writeFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import type { LookupBlock, ModelLayout } from '../model/layout.js';
import { requiredLeaves, toOnnx } from '../graph/onnx/emit.js';
import type { Initializer } from '../graph/onnx/initializer.js';
import { tableWeightsName } from '../train/checkpoint-manifest.js';
import { rowRanges } from '../train/named-tensor.js';
import { SafetensorsFile } from '../train/safetensors.js';
import type { FusedGraph } from './fused-graph.js';
import type { FusedManifest, FusedTable } from './fused-layout.js';
import { EXPORT_FILES, type ExportInput, type ExportManifest } from './manifest.js';
import type { KeptRows } from './renumber.js';
import { tableInitializer, tableOfSlot, type FixedRow, type ServingGraph } from './serving-graph.js';
import { encodeRows } from './table-rows.js';

/** Where table rows are read from, and how they are stored. */
interface TableSource {
  readonly tables: SafetensorsFile;
  readonly layout: ModelLayout;
  readonly precision: ExportManifest['precision'];
  readonly kept: KeptRows;
}

/** Large tables start on page boundaries, so that runtimes can map them; small ones would be mostly padding. */
const PAGE = 4096;
const LARGE = 16 * PAGE;
const CACHE_LINE = 64;

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
    return this.moveTo(Math.ceil(this.#end / multiple) * multiple);
  }

  /** Goes on further behind. */
  moveTo(end: number): number {
    this.#end = end;
    return end;
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

/** Where the tables of a file are. */
interface WrittenTables {
  readonly initializers: Map<string, Initializer>;
  readonly fused: readonly FusedTable[];
  /** Fused row of each table's first row, and its rows. */
  readonly slices: Map<string, { readonly base: number; readonly rows: number }>;
}

const greatestDivisor = (a: number, b: number): number => (b === 0 ? a : greatestDivisor(b, a % b));

/** The smallest step that keeps tables both on boundaries and a whole number of rows apart. */
const tableStep = (rowBytes: number, rows: number): number => {
  const boundary = rowBytes * rows < LARGE ? CACHE_LINE : PAGE;
  return (boundary * rowBytes) / greatestDivisor(boundary, rowBytes);
};

/**
 * Writes the tables of one width: on boundaries for runtimes that map each, and whole rows apart so that a server looks
 * them up as one table. Scales of bytes stand as far apart as their rows.
 */
const writeWidth = (file: Appended, source: TableSource, width: number, tables: ServingGraph['tables'], into: WrittenTables): FusedTable => {
  const rowBytes = width * { fp32: 4, fp16: 2, int8: 1 }[source.precision];
  const start = file.align(PAGE);
  const scales: { readonly name: string; readonly base: number; readonly values: Float32Array[] }[] = [];
  let rowCount = 0;
  for (const { name, rows } of tables) {
    const step = tableStep(rowBytes, rows);
    const offset = file.moveTo(start + Math.ceil((file.end - start) / step) * step);
    const base = (offset - start) / rowBytes;
    const own: Float32Array[] = [];
    for (const values of keptRows(source, name, width, rows)) {
      const stored = encodeRows(values, width, source.precision);
      file.append(stored.values);
      if (stored.scales !== undefined) own.push(stored.scales);
    }
    into.initializers.set(tableInitializer(name), { dtype: DTYPES[source.precision], shape: [rows, width], externalFile: EXPORT_FILES.tables, offset, length: file.end - offset });
    into.slices.set(name, { base, rows });
    scales.push({ name, base, values: own });
    rowCount = base + rows;
  }
  const fused = { width, rows: rowCount, offset: start };
  if (source.precision !== 'int8') return fused;
  const scalesOffset = file.align(PAGE);
  for (const { name, base, values } of scales) {
    const offset = file.moveTo(scalesOffset + 8 * base);
    values.forEach((rows) => {
      file.append(rows);
    });
    const table = into.initializers.get(tableInitializer(name))!;
    const stored = { dtype: 'float32', shape: [table.shape[0]!, 2], externalFile: EXPORT_FILES.tables, offset, length: file.end - offset } as const;
    into.initializers.set(tableInitializer(name), { ...table, scales: stored });
  }
  return { ...fused, scalesOffset };
};

/** The tables it looks ids up in, those of one width after the other in `tables.bin`; single rows are kept in the graph. */
const writeTables = (directory: string, serving: ServingGraph, fixedRows: readonly FixedRow[], source: TableSource): WrittenTables => {
  const fused: FusedTable[] = [];
  const written: WrittenTables = { initializers: new Map(), fused, slices: new Map() };
  const file = new Appended(join(directory, EXPORT_FILES.tables));
  try {
    for (const width of [...new Set(serving.tables.map((table) => table.width))].sort((a, b) => a - b)) {
      const tables = serving.tables.filter((table) => table.width === width);
      fused.push(writeWidth(file, source, width, tables, written));
    }
  } finally {
    file.close();
  }
  for (const { name, table, width, row } of fixedRows) {
    const { values, scales } = encodeRows(readRows(source, { table, width, first: row, rows: 1 }), width, source.precision);
    const data = { dtype: DTYPES[source.precision], shape: [1, width], data: values };
    written.initializers.set(name, scales === undefined ? data : { ...data, scales: { dtype: 'float32', shape: [1, 2], data: scales } });
  }
  return written;
};

/** Slots of a block, with the rows that they have in the written file. */
const placeSlots = (block: LookupBlock, layout: ModelLayout, { slices }: WrittenTables): LookupBlock => ({
  ...block,
  slots: block.slots.map((slot) => ({ ...slot, ...slices.get(tableOfSlot(layout, block, slot).name)! })),
});

/**
 * Writes the graphs and `tables.bin` of one surface from a checkpoint: `model.onnx`, which does everything, and the two halves
 * and `fused.json` that a server runs.
 *
 * @returns the inputs of the graph, in its order
 */
export const writeServingGraph = (options: {
  readonly directory: string;
  readonly checkpoint: string;
  readonly serving: ServingGraph;
  readonly fused: FusedGraph;
  readonly layout: ModelLayout;
  readonly precision: ExportManifest['precision'];
  /** Rows of tables that are left; default: all. */
  readonly kept?: KeptRows;
  readonly name: string;
}): readonly ExportInput[] => {
  const { directory, checkpoint, serving, fused, layout, precision, kept = new Map(), name } = options;
  const tables = new SafetensorsFile(join(checkpoint, 'tables.safetensors'));
  const dense = new SafetensorsFile(join(checkpoint, 'dense.safetensors'));
  try {
    const written = writeTables(directory, serving, [...serving.fixedRows, ...fused.fixedRows], { tables, layout, precision, kept });
    const { initializers } = written;
    serving.calibration.forEach((values, parameter) => initializers.set(parameter, values));
    for (const parameter of dense.names) {
      initializers.set(parameter, { dtype: 'float32', shape: dense.shape(parameter), data: dense.read(parameter) });
    }
    writeFileSync(join(directory, EXPORT_FILES.graph), toOnnx({ name, outputs: serving.outputs, initializers }));
    const halves = { [EXPORT_FILES.requestGraph]: fused.request, [EXPORT_FILES.candidateGraph]: fused.candidate };
    for (const [file, outputs] of Object.entries(halves)) {
      if (Object.keys(outputs).length > 0) writeFileSync(join(directory, file), toOnnx({ name, outputs, initializers, allowContrib: true }));
    }
    const manifest: FusedManifest = {
      version: 1,
      precision,
      tables: written.fused,
      layout: { ...fused.layout, blocks: fused.layout.blocks.map((block) => placeSlots(block, layout, written)) },
      absentSequences: fused.absentSequences,
      cut: fused.cut,
    };
    writeFileSync(join(directory, EXPORT_FILES.fused), `${JSON.stringify(manifest)}\n`);
  } finally {
    tables.close();
    dense.close();
  }
  return requiredLeaves(serving.outputs)
    .filter((leaf) => leaf.kind === 'input')
    .map((leaf) => ({ name: leaf.name!, dtype: leaf.dtype as ExportInput['dtype'], shape: leaf.shape }));
};
