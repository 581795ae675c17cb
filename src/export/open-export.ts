import { existsSync } from 'node:fs';
import { readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { InferenceSession, Tensor } from 'onnxruntime-node';
import { ArtifactError, IoError } from '../config/errors.js';
import { turnOffTelemetry } from '../config/no-telemetry.js';
import type { Column, Columns } from '../data/columns.js';
import type { EncoderSet } from '../data/encoder-state.js';
import { checksumFile } from '../data/file-checksum.js';
import { toInt64 } from '../data/int64.js';
import { explainIoFailure } from '../data/io-failure.js';
import { INPUT } from '../model/layout.js';
import { VIEW_TYPE_INPUT } from './graph-calibration.js';
import { digestOf, EXPORT_FILES, type ExportInput, type ExportManifest } from './manifest.js';

/** Encoded rows as an export scores them: request columns once per request. */
export interface EncodedRows {
  readonly requestCount: number;
  readonly candidateCount: number;
  readonly rowToRequest: Int32Array;
  /** View-type index per request. */
  readonly viewTypes: Int32Array;
  readonly requestColumns: Columns;
  readonly candidateColumns: Columns;
}

/** An export ready to score. */
export interface OpenExport {
  readonly directory: string;
  readonly manifest: ExportManifest;
  readonly encoders: EncoderSet;
  /** Probability per task, `[candidates]` each. */
  score(rows: EncodedRows): Promise<Readonly<Record<string, Float32Array>>>;
  close(): Promise<void>;
}

/** A ragged id column as `[rows, longest]`, padded with −1; at least one slot wide. */
const padIds = (offsets: Int32Array, values: Int32Array): Tensor => {
  const rows = offsets.length - 1;
  let longest = 1;
  for (let row = 0; row < rows; row++) longest = Math.max(longest, offsets[row + 1]! - offsets[row]!);
  const padded = new Int32Array(rows * longest).fill(-1);
  for (let row = 0; row < rows; row++) padded.set(values.subarray(offsets[row]!, offsets[row + 1]!), row * longest);
  return new Tensor('int64', toInt64(padded), [rows, longest]);
};

const toTensor = (column: Column): Tensor => {
  switch (column.kind) {
    case 'id':
      return new Tensor('int64', toInt64(column.values), [column.values.length]);
    case 'ids':
      return padIds(column.offsets, column.values);
    case 'number':
      return new Tensor('float32', column.values, [column.values.length, 1]);
    case 'vector':
      return new Tensor('float32', column.values, [column.values.length / column.size, column.size]);
  }
};

const feedOf = (input: ExportInput, rows: EncodedRows): Tensor => {
  if (input.name === INPUT.rowToRequest) return new Tensor('int64', toInt64(rows.rowToRequest), [rows.candidateCount]);
  if (input.name === VIEW_TYPE_INPUT) return new Tensor('int64', toInt64(rows.viewTypes), [rows.requestCount]);
  const column = (input.shape[0] === 'requests' ? rows.requestColumns : rows.candidateColumns).get(input.name);
  if (column === undefined) throw new ArtifactError(`the export wants a column "${input.name}" that its encoders do not make`, { where: input.name });
  return toTensor(column);
};

const readJson = async <T>(path: string): Promise<T> => {
  try {
    return JSON.parse(await readFile(path, 'utf8')) as T;
  } catch (cause) {
    const refused = explainIoFailure(cause, path);
    if (refused instanceof IoError) throw refused;
    throw new ArtifactError(`${path} is damaged`, { where: path, expected: 'whole JSON', fix: 'export the model again', cause });
  }
};

const verifyFiles = async (directory: string, manifest: ExportManifest): Promise<void> => {
  for (const { path, bytes, sha256 } of manifest.files) {
    const file = join(directory, path);
    const torn = (message: string, expected: string): ArtifactError =>
      new ArtifactError(`${file} ${message}`, { where: file, expected, fix: 'export the model again, or copy the whole folder again' });
    if (!existsSync(file)) throw torn('is missing', `a file of ${bytes} bytes`);
    const actual = (await stat(file)).size;
    if (actual !== bytes) throw torn(`has ${actual} bytes`, `${bytes} bytes`);
    if ((await checksumFile(file)) !== sha256) throw torn('was altered', `SHA-256 ${sha256}`);
  }
};

/** A session on an export's graph; ONNX Runtime finds the tables beside it. */
export const scoreWith = async (
  directory: string,
  inputs: readonly ExportInput[],
  threads: number,
  graph: string = EXPORT_FILES.graph,
): Promise<Pick<OpenExport, 'score' | 'close'>> => {
  turnOffTelemetry();
  const session = await InferenceSession.create(join(directory, graph), { intraOpNumThreads: threads });
  return {
    score: async (rows) => {
      const outputs = await session.run(Object.fromEntries(inputs.map((input) => [input.name, feedOf(input, rows)])));
      return Object.fromEntries(session.outputNames.map((name) => [name, outputs[name]!.data as Float32Array]));
    },
    close: () => session.release(),
  };
};

/**
 * Reads what an export says of itself, after checking its manifest, and the size and SHA-256 of each of its files.
 *
 * @throws ArtifactError naming the file that is missing, torn or altered
 */
export const readExport = async (directory: string): Promise<Pick<OpenExport, 'directory' | 'manifest' | 'encoders'>> => {
  const path = join(directory, EXPORT_FILES.manifest);
  if (!existsSync(path)) {
    throw new ArtifactError(`${directory} holds no export: ${EXPORT_FILES.manifest} is missing`, {
      where: path,
      expected: 'a folder written by `onefold export`, e.g. .onefold/exports/unified/search',
      fix: 'check the path, or export the model first',
    });
  }
  const { digest, ...manifest } = await readJson<ExportManifest & { readonly digest?: string }>(path);
  if ((manifest.version as number) !== 2) {
    throw new ArtifactError(`${path}: export format ${String(manifest.version)} is not this version's`, { where: path, expected: 'format 2', fix: 'export the model again, or use the onefold that wrote it' });
  }
  if (digest !== digestOf(manifest)) {
    throw new ArtifactError(`${path} was altered`, { where: path, expected: `a manifest with digest ${String(digest)}`, fix: 'export the model again, or copy the whole folder again' });
  }
  await verifyFiles(directory, manifest);
  return { directory, manifest, encoders: await readJson<EncoderSet>(join(directory, EXPORT_FILES.encoders)) };
};

/**
 * Opens an export that is whole; see {@link readExport}.
 *
 * @throws ArtifactError naming the file that is missing, torn or altered
 */
export const openExport = async (directory: string, options: { readonly threads?: number } = {}): Promise<OpenExport> => {
  const read = await readExport(directory);
  return { ...read, ...(await scoreWith(directory, read.manifest.inputs, options.threads ?? 1)) };
};
