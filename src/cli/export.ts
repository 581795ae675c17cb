import { join, relative } from 'node:path';
import { Option, type Command } from 'commander';
import { UsageError } from '../config/errors.js';
import { didYouMean, listNames } from '../config/suggest.js';
import { openDataset } from '../data/dataset.js';
import { latestSplit } from '../data/latest-split.js';
import { exportSurface } from '../export/export-surface.js';
import type { ExportManifest } from '../export/manifest.js';
import { storedMetrics } from '../export/stored-metrics.js';
import { checkpointOf, evaluationFile, modelNamed } from '../unify/model-run.js';
import { openPrepared } from '../unify/open-prepared.js';
import { groupOf, openModel } from '../unify/score-model.js';
import { withInterrupt } from './interrupt.js';
import { compactNumber } from './output.js';
import { openProject, projectCommand, type ProjectOptions } from './project-command.js';

interface ExportCommandOptions extends ProjectOptions {
  readonly surface?: readonly string[];
  readonly tables: ExportManifest['precision'];
  readonly dense: ExportManifest['dense'];
  readonly rows: ExportManifest['rows'];
}

interface ExportedSurface {
  readonly surface: string;
  readonly directory: string;
  readonly manifest: ExportManifest;
}

const EXAMPLES = `
  onefold export unified                          one self-contained folder per surface
  onefold export unified --surface search         this surface alone
  onefold export unified --tables int8            embedding tables at a quarter of the size
  onefold export unified --dense int8             quantized dense layers, on surfaces that they make faster
  onefold export unified --rows all               also values that only other surfaces have met so far
`;

const megabytes = (bytes: number): string => `${(bytes / 1e6).toFixed(2)} MB`;

/** Why the dense layers are not what was asked for. */
const denseText = ({ dense, measured }: ExportManifest, asked: ExportManifest['dense']): string => {
  if (dense === asked) return '';
  if (measured === undefined) return '\n  dense layers stay fp32: they are too small to gain from int8';
  const { fp32, int8, aucLoss } = measured.dense;
  const times = `${int8.toFixed(2)} ms a request against ${fp32.toFixed(2)}`;
  return `\n  dense layers stay fp32: with int8 ${aucLoss === null ? `a request is no faster (${times})` : `(${times}) the AUC loss is ${Math.max(...Object.values(aucLoss)).toExponential(1)}`}`;
};

const describe = (directory: string, manifest: ExportManifest, asked: ExportManifest['dense']): string => {
  const { parity, files, surface } = manifest;
  const size = files.reduce((sum, file) => sum + file.bytes, 0);
  const isRounded = manifest.precision !== 'fp32' || manifest.dense !== 'fp32';
  const rounding = isRounded
    ? `\n  ${manifest.precision} tables and ${manifest.dense} dense layers: AUC loss ${Math.max(0, ...Object.values(parity.aucLoss)).toExponential(1)}, logits differ by up to ${parity.maxLogitDifference.toExponential(1)}`
    : '';
  return `${surface}: ${relative(process.cwd(), directory)} (${megabytes(size)}: ${files.map((file) => file.path).join(', ')}, manifest.json)
  replayed ${compactNumber(parity.encodedRows)} held-out candidates, ${compactNumber(parity.rawRows)} of them from raw values: largest difference ${parity.maxDifference.toExponential(1)}${rounding}${denseText(manifest, asked)}`;
};

/** `onefold export NAME`: one self-contained, parity-checked checkpoint per surface. */
export const exportCommand = (): Command =>
  projectCommand('export', EXAMPLES)
    .argument('<model>', 'name of a trained model')
    .option('--surface <names...>', 'surfaces to export (default: all)')
    .addOption(new Option('--tables <type>', 'precision of the embedding tables').choices(['fp32', 'fp16', 'int8']).default('fp32'))
    .addOption(new Option('--dense <type>', 'precision of the dense layers; int8 where it makes scoring faster').choices(['fp32', 'int8']).default('fp32'))
    .addOption(new Option('--rows <which>', 'table rows: those the surface has used, or all').choices(['used', 'all']).default('used'))
    .action(async (name: string, options: ExportCommandOptions) => {
      const { project, output } = await openProject(options);
      const model = modelNamed(project, name);
      const known = project.surfaces.map((surface) => surface.name);
      for (const surface of options.surface ?? []) {
        if (!known.includes(surface)) throw new UsageError(`there is no surface "${surface}"`, { where: '--surface', expected: `one of ${listNames(known)}`, fix: didYouMean(surface, known) });
      }
      const { directory: prepared, manifest } = await openPrepared(project);
      const exported: ExportedSurface[] = [];
      const exportAll = async (signal: AbortSignal): Promise<void> => {
        const opened = await openModel(project, model, manifest, (line) => {
          output.step(line);
        });
        try {
          for (const surface of options.surface ?? known) {
            const progress = output.progress(`export ${surface}`);
            const group = groupOf(opened, surface);
            const directory = join(project.workspace, 'exports', name, surface);
            const dataset = await openDataset(prepared, manifest, latestSplit(manifest, surface), {
              tasks: manifest.tasks.map((task) => task.name),
              surfaces: [manifest.encoders.surfaces.indexOf(surface)],
              batchCandidates: model.training.batchSize,
            });
            const written = await exportSurface({
              project,
              model,
              manifest,
              preparedDirectory: prepared,
              surface,
              group,
              checkpoint: checkpointOf(group.run),
              dataset,
              precision: options.tables,
              dense: options.dense,
              rows: options.rows,
              directory,
              signal,
              metrics: await storedMetrics(evaluationFile(project, model, 'test'), surface),
            }).finally(() => dataset.close());
            progress.done('');
            exported.push({ surface, directory, manifest: written });
            output.text(describe(directory, written, options.dense));
          }
        } finally {
          await opened.close();
        }
      };
      await withInterrupt(exportAll);
      output.result({ model: name, exports: exported });
    });
