/** Starting a run from the checkpoint of an older one, whose vocabularies, features and layers may have been others. */
import { join } from 'node:path';
import type { EmbeddingTable, TablePart } from '../kernels/embedding-kernel.js';
import type { ModelLayout } from '../model/layout.js';
import { tablePartName, VOCABULARY_FILE, type CheckpointManifest } from './checkpoint-manifest.js';
import { openCheckpoint } from './checkpoint.js';
import { fillTensor } from './fill-tensors.js';
import { rowRanges, type WritableTensor } from './named-tensor.js';
import { SafetensorsFile } from './safetensors.js';
import { olderRows, readVocabulary, type Vocabulary } from './vocabulary.js';

/** Where the rows of one embedding table come from. */
export interface TableStart {
  readonly width: number;
  readonly name: string;
  /** Older row of each row, −1 where it is new. */
  readonly olderRow: Int32Array;
}

/** What a run took over, and what it did not find. */
export interface WarmStart {
  /** Model and step of the checkpoint. */
  readonly model: string;
  readonly step: number;
  /** The checkpoint's files: what it is known by, wherever it is moved. */
  readonly files: CheckpointManifest['files'];
  /** Dense parameters found by name and shape, and those that start anew. */
  readonly parameters: { readonly kept: number; readonly new: readonly string[] };
  /** Embedding rows: found again by value, of values that are new, and of values that are gone. */
  readonly tables: readonly { readonly table: string; readonly width: number; readonly kept: number; readonly new: number; readonly expired: number }[];
}

const sliceOf = (layout: ModelLayout, width: number, name: string): { readonly base: number; readonly rows: number } | undefined =>
  layout.fusedTables.find((fused) => fused.width === width)?.tables.find((table) => table.name === name);

/**
 * Plans where a model's embedding rows come from.
 *
 * @throws ArtifactError when the folder holds no whole checkpoint of a training run
 */
export const planTableStarts = (directory: string, layout: ModelLayout, vocabulary: Vocabulary): TableStart[] => {
  const { layout: layoutBefore } = openCheckpoint(directory);
  const before = readVocabulary(join(directory, VOCABULARY_FILE));
  return layout.fusedTables.flatMap(({ width, tables }) =>
    tables.map(({ name, rows }): TableStart => {
      const older = sliceOf(layoutBefore, width, name);
      return { width, name, olderRow: older === undefined ? new Int32Array(rows).fill(-1) : olderRows(name, vocabulary, before, rows, older.rows) };
    }),
  );
};

/** Copies tensors of the same name and shape. @returns names of the others */
const copyMatching = (file: SafetensorsFile, tensors: readonly WritableTensor[]): string[] =>
  tensors.flatMap((tensor) => {
    if (!file.names.includes(tensor.name) || file.shape(tensor.name).join() !== tensor.shape.join()) return [tensor.name];
    fillTensor(file, tensor);
    return [];
  });

/** Copies rows of one part to where their values are now; neighbours that stay neighbours are copied together. */
const copyRows = (file: SafetensorsFile, table: EmbeddingTable, part: TablePart, older: { readonly base: number; readonly rows: number }, base: number, newRow: Int32Array): void => {
  const { width } = part;
  for (const { first, rows, floats } of rowRanges({ shape: [older.rows, width] })) {
    const values = new Float32Array(floats);
    file.readInto(tablePartName(table.width, part.name), values, (older.base + first) * width);
    for (let row = 0; row < rows; ) {
      const to = newRow[first + row]!;
      let end = row + 1;
      while (to >= 0 && end < rows && newRow[first + end] === to + end - row) end += 1;
      if (to >= 0) table.writeRows(part.name, base + to, values.subarray(row * width, end * width));
      row = end;
    }
  }
};

/** The other way round: where each older row is now, −1 where it is gone. */
const invert = (olderRow: Int32Array, rowsBefore: number): Int32Array => {
  const newRow = new Int32Array(rowsBefore).fill(-1);
  olderRow.forEach((older, row) => {
    if (older >= 0) newRow[older] = row;
  });
  return newRow;
};

export interface WarmStartTarget {
  readonly layout: ModelLayout;
  readonly parameters: readonly WritableTensor[];
  readonly moments: readonly WritableTensor[];
  readonly tableOf: (width: number) => EmbeddingTable;
}

/**
 * Overwrites what a checkpoint has of a freshly initialized model: dense parameters and moments by name and shape,
 * embedding rows with their optimizer state as planned. What it lacks keeps its initial values.
 *
 * @throws ArtifactError when the checkpoint is torn
 */
export const warmStart = (directory: string, starts: readonly TableStart[], target: WarmStartTarget): { readonly manifest: CheckpointManifest; readonly report: WarmStart } => {
  const manifest = openCheckpoint(directory);
  const opened = new Map<string, SafetensorsFile>();
  try {
    for (const name of ['dense', 'tables', 'optimizer']) opened.set(name, new SafetensorsFile(join(directory, `${name}.safetensors`)));
    const fresh = copyMatching(opened.get('dense')!, target.parameters);
    copyMatching(opened.get('optimizer')!, target.moments);
    const file = opened.get('tables')!;
    const tables = starts.map(({ width, name, olderRow }) => {
      const older = sliceOf(manifest.layout, width, name) ?? { base: 0, rows: 0 };
      const { base } = sliceOf(target.layout, width, name)!;
      const newRow = invert(olderRow, older.rows);
      const table = target.tableOf(width);
      const parts = table.parts.filter((part) => file.names.includes(tablePartName(width, part.name)));
      for (const part of parts) copyRows(file, table, part, older, base, newRow);
      const kept = newRow.reduce((count, row) => (row >= 0 ? count + 1 : count), 0);
      return { table: name, width, kept, new: olderRow.length - kept, expired: older.rows - kept };
    });
    const parameters = { kept: target.parameters.length - fresh.length, new: fresh };
    return { manifest, report: { model: manifest.model, step: manifest.stepsBefore + manifest.step, files: manifest.files, parameters, tables } };
  } finally {
    for (const file of opened.values()) file.close();
  }
};
