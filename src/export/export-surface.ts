import { existsSync } from 'node:fs';
import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ArtifactError } from '../config/errors.js';
import { stopIfAborted } from '../config/interruption.js';
import type { Model, Project } from '../config/project.js';
import type { Dataset } from '../data/dataset.js';
import { openDatabase } from '../data/duckdb.js';
import { createEncoder } from '../data/encode.js';
import type { EncoderSet } from '../data/encoder-state.js';
import { checksumFile } from '../data/file-checksum.js';
import type { FileEntry, PreparedManifest } from '../data/prepared.js';
import { checkFile } from '../data/shard-reader.js';
import { writeWholeFolder } from '../data/whole-folder.js';
import { samplingOffsets, type ScoredGroup } from '../evaluate/score.js';
import { fromHalf, toHalf } from '../kernels/half-precision.js';
import { openCheckpoint, writeCheckpoint } from '../train/checkpoint.js';
import { CHECKPOINT_FILES, type CheckpointFile, type CheckpointManifest } from '../train/checkpoint-manifest.js';
import type { Engine } from '../train/engine.js';
import type { NamedTensor } from '../train/named-tensor.js';
import { SafetensorsFile } from '../train/safetensors.js';
import { encodeRaw } from './encode-raw.js';
import { writeGoldenRows } from './golden-rows.js';
import { digestOf, EXPORT_FILES, type ExportInput, type ExportManifest, type ParityReport } from './manifest.js';
import { scoreWith, type OpenExport } from './open-export.js';
import { readRawRows } from './raw-rows.js';
import { rawSchema, type RawSchema } from './raw-schema.js';
import { replay, type RequestScores } from './replay.js';
import { buildServingGraph, type ServingGraph } from './serving-graph.js';
import { writeServingGraph } from './write-graph.js';

/** Largest difference of a prediction between the exported files and the trained model. */
export const PARITY_TOLERANCE = 1e-5;

export interface ExportSurfaceOptions {
  readonly project: Project;
  readonly model: Model;
  readonly manifest: PreparedManifest;
  /** Folder of the prepared dataset. */
  readonly preparedDirectory: string;
  readonly surface: string;
  /** The run that has the surface, its model loaded. */
  readonly group: ScoredGroup & { readonly scorer: Engine };
  readonly checkpoint: string;
  /** Held-out rows for the replay. */
  readonly dataset: Dataset;
  readonly precision: ExportManifest['precision'];
  /** Folder to write. */
  readonly directory: string;
  readonly metrics: ExportManifest['metrics'];
  /** Held-out candidates replayed, at least. Default 100 000. */
  readonly replayCandidates?: number;
  /** Stops between two steps, leaving the export that was there. */
  readonly signal?: AbortSignal;
}

/** Only the tables and columns that the exported graph reads. */
const prunedEncoders = (encoders: EncoderSet, { columns }: ServingGraph): EncoderSet => {
  const tables = new Set(columns.flatMap((column) => ('table' in column ? [column.table] : [])));
  return { ...encoders, columns, tables: encoders.tables.filter((table) => tables.has(table.name)) };
};

/** Values as half precision keeps them. */
const roundHalf = (values: Float32Array): void => {
  for (let i = 0; i < values.length; i += 1) values[i] = fromHalf(toHalf(values[i]!));
};

/** A copy of a checkpoint whose tables went through half precision: what an fp16 export must predict like. */
const roundTables = (checkpoint: string, manifest: CheckpointManifest, directory: string): void => {
  const files = CHECKPOINT_FILES.map((name) => [name, new SafetensorsFile(join(checkpoint, name))] as const);
  const tensorsOf = (source: SafetensorsFile): NamedTensor[] =>
    source.names.map((name) => {
      const stored = source.tensor(name);
      if (!name.startsWith('table.') || !name.endsWith('.weights')) return stored;
      const read: NamedTensor['read'] = (first, values) => {
        stored.read(first, values);
        roundHalf(values);
      };
      return { ...stored, read };
    });
  try {
    const contents = Object.fromEntries(files.map(([name, source]) => [name, tensorsOf(source)])) as Record<CheckpointFile, NamedTensor[]>;
    writeCheckpoint(directory, manifest, contents);
  } finally {
    for (const [, source] of files) source.close();
  }
};

/** Runs `work` with the engine's tables rounded as the export's are; restores them afterwards. */
const withPrecision = async <T>(options: ExportSurfaceOptions, checkpoint: CheckpointManifest, work: () => Promise<T>): Promise<T> => {
  if (options.precision === 'fp32') return work();
  const directory = await mkdtemp(join(tmpdir(), 'onefold-fp16-'));
  try {
    roundTables(options.checkpoint, checkpoint, join(directory, 'checkpoint'));
    await options.group.scorer.load(join(directory, 'checkpoint'));
    return await work();
  } finally {
    await options.group.scorer.load(options.checkpoint);
    await rm(directory, { recursive: true, force: true });
  }
};

/** What the export makes of the raw held-out rows, per request. */
const scoreRaw = async (schema: RawSchema, encoders: EncoderSet, file: string, exported: Pick<OpenExport, 'score'>, stopIfAsked: () => void): Promise<Map<string, RequestScores>> => {
  const encoder = createEncoder(encoders);
  const scores = new Map<string, Record<string, number[]>>();
  const database = await openDatabase({ threads: 1 });
  try {
    for await (const rows of readRawRows(database, schema, file, { directory: '/', serving: false })) {
      stopIfAsked();
      const probabilities = await exported.score(encodeRaw(rows, encoder, schema.surface.name, false));
      rows.requestIds.forEach((id, row) => {
        let request = scores.get(id);
        if (request === undefined) scores.set(id, (request = Object.fromEntries(Object.keys(probabilities).map((task) => [task, []]))));
        for (const [task, values] of Object.entries(probabilities)) request[task]!.push(values[row]!);
      });
    }
  } finally {
    database.close();
  }
  return scores;
};

const entryOf = async (directory: string, path: string): Promise<FileEntry> => ({
  path,
  bytes: (await stat(join(directory, path))).size,
  sha256: await checksumFile(join(directory, path)),
});

const checkParity = async (
  options: ExportSurfaceOptions,
  schema: RawSchema,
  encoders: EncoderSet,
  checkpoint: CheckpointManifest,
  exported: Pick<OpenExport, 'score'>,
  rawFile: string,
  stopIfAsked: () => void,
): Promise<ParityReport> => {
  const common = {
    dataset: options.dataset,
    manifest: options.manifest,
    group: options.group,
    exported,
    surface: options.surface,
    fromRaw: await scoreRaw(schema, encoders, rawFile, exported, stopIfAsked),
    candidates: options.replayCandidates ?? 100_000,
    stopIfAsked,
  };
  const replayed = await withPrecision(options, checkpoint, () => replay({ ...common, tolerance: PARITY_TOLERANCE }));
  const unrounded = options.precision === 'fp32' ? null : await replay({ ...common, tolerance: 1 });
  return { ...replayed, tolerance: PARITY_TOLERANCE, precisionDifference: unrounded?.maxDifference ?? 0 };
};

/**
 * Writes one surface's self-contained checkpoint: graph, tables, encoders, golden rows and manifest; replays held-out
 * rows through the files, and leaves nothing behind when a prediction differs.
 *
 * @throws ParityError when the exported files and the trained model disagree; IoError when the file system refuses; OnefoldError
 * `interrupted` when the signal aborts
 */
export const exportSurface = async (options: ExportSurfaceOptions): Promise<ExportManifest> => {
  const { project, model, manifest, surface, group, precision } = options;
  const checkpoint = openCheckpoint(options.checkpoint);
  const position = group.layout.surfaces.indexOf(surface);
  const offsets = samplingOffsets(manifest, group.layout)[position]!;
  const logitOffsets = Object.fromEntries(group.layout.tasks.map((task, index) => [task.name, offsets[index]!]));
  const serving = buildServingGraph({ model, layout: group.layout, encoders: manifest.encoders, surface, logitOffsets });
  const encoders = prunedEncoders(manifest.encoders, serving);
  const schema = rawSchema(project, surface, new Set(serving.columns.map((column) => column.feature)));
  const rawFile = await checkFile(options.preparedDirectory, manifest.rawRows[surface]!);
  const stopIfAsked = (): void => stopIfAborted(options.signal, `exporting ${surface} was interrupted; its export is as it was before`, options.directory);
  return writeWholeFolder(options.directory, async (directory) => {
    const inputs: readonly ExportInput[] = writeServingGraph({
      directory,
      checkpoint: options.checkpoint,
      serving,
      layout: group.layout,
      precision,
      name: `${project.name}/${model.name}/${surface}`,
    });
    await writeFile(join(directory, EXPORT_FILES.encoders), `${JSON.stringify(encoders)}\n`);
    const exported = await scoreWith(directory, inputs, model.training.threads);
    try {
      const parity = await checkParity(options, schema, encoders, checkpoint, exported, rawFile, stopIfAsked);
      stopIfAsked();
      await writeGoldenRows({ directory, schema, encoders, rawFile, exported });
      const files = await Promise.all([EXPORT_FILES.graph, EXPORT_FILES.tables, EXPORT_FILES.encoders, EXPORT_FILES.golden].map((path) => entryOf(directory, path)));
      const written: ExportManifest = {
        version: 1,
        project: project.name,
        model: model.name,
        surface,
        precision,
        tasks: Object.keys(serving.outputs),
        inputs,
        source: schema,
        lineage: {
          data: manifest.key,
          config: checkpoint.configHash,
          checkpoint: Object.fromEntries(Object.entries(checkpoint.files).map(([name, file]) => [name, file.sha256])),
          trainedSteps: checkpoint.step,
        },
        metrics: options.metrics,
        parity,
        files,
      };
      await writeFile(join(directory, EXPORT_FILES.manifest), `${JSON.stringify({ ...written, digest: digestOf(written) }, undefined, 2)}\n`);
      stopIfAsked();
      return written;
    } finally {
      await exported.close();
    }
  });
};

/** Held-out metrics of a surface, from the evaluation that `onefold evaluate` or `compare` left beside the run; none without it. */
export const storedMetrics = async (file: string, surface: string): Promise<ExportManifest['metrics']> => {
  if (!existsSync(file)) return {};
  try {
    const { tasks } = JSON.parse(await readFile(file, 'utf8')) as { readonly tasks: readonly { readonly task: string; readonly surfaces: readonly (ExportManifest['metrics'][string] & { readonly name: string })[] }[] };
    return Object.fromEntries(
      tasks.flatMap(({ task, surfaces }) => surfaces.filter(({ name }) => name === surface).map(({ rows, positives, metrics }) => [task, { rows, positives, metrics }])),
    );
  } catch (cause) {
    throw new ArtifactError(`${file} is damaged`, { where: file, expected: 'what `onefold evaluate` wrote', fix: 'evaluate the model again', cause });
  }
};
