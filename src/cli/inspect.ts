import type { Command } from 'commander';
import type { Model, Project } from '../config/project.js';
import { readTraffic } from '../data/traffic.js';
import { plainTable } from '../evaluate/table-cells.js';
import { costReport, separateCosts, type RunReport } from '../unify/cost-report.js';
import { modelNamed } from '../unify/model-run.js';
import { openPrepared } from '../unify/open-prepared.js';
import { unificationOrder, type UnificationStep } from '../unify/unification-order.js';
import { compactNumber } from './output.js';
import { openProject, projectCommand, type ProjectOptions } from './project-command.js';

const EXAMPLES = `
  onefold inspect                            what the unified model costs, per module and per surface
  onefold inspect separate --config shop     a model per surface
  onefold inspect full --json                every number, per surface and module
`;

/** `1234567` → `1.2 MB`. */
const byteText = (bytes: number): string => {
  const units = ['B', 'kB', 'MB', 'GB', 'TB'];
  const unit = bytes < 1 ? 0 : Math.min(units.length - 1, Math.floor(Math.log10(bytes) / 3));
  return `${Number((bytes / 1000 ** unit).toPrecision(3))} ${units[unit]}`;
};

const flopText = (flops: number): string => (flops === 0 ? '–' : compactNumber(flops < 10 ? flops : Math.round(flops)));
const bytesOrNone = (bytes: number): string => (bytes < 1 ? '–' : byteText(bytes));
const percent = (share: number): string => `${(100 * share).toFixed(1)}%`;

const moduleTable = ({ modules }: RunReport): string =>
  plainTable(
    ['module', 'parameters', 'bytes', 'FLOPs/request', 'FLOPs/cand.', 'train/request', 'train/cand.', 'act./request', 'act./token', 'act./cand.'],
    modules.map(({ module, parameters, parameterBytes, forward, train, activations }) => [
      module,
      parameters === 0 ? '–' : compactNumber(parameters),
      bytesOrNone(parameterBytes),
      flopText(forward.perRequest),
      flopText(forward.perCandidate),
      flopText(train.perRequest),
      flopText(train.perCandidate),
      bytesOrNone(activations.perRequest),
      bytesOrNone(activations.perToken),
      bytesOrNone(activations.perCandidate),
    ]),
  );

const surfaceTable = (runs: readonly RunReport[], separate: Readonly<Record<string, number>>): string =>
  plainTable(
    ['surface', 'cand./request', 'tokens/request', 'FLOPs/request', 'FLOPs/cand.', 'all in/cand.', 'train/cand.', 'lookups/cand.', 'share', 'expanded', 'own model/cand.'],
    runs.flatMap(({ surfaces }) =>
      surfaces.map(({ surface, candidatesPerRequest, tokensPerRequest, forward, train, lookupBytesPerCandidate, share, broadcastingSaves }) => [
        surface,
        candidatesPerRequest.toFixed(1),
        tokensPerRequest === 0 ? '–' : tokensPerRequest.toFixed(1),
        flopText(forward.perRequest),
        flopText(forward.perCandidate),
        flopText(forward.perCandidateAllIn),
        flopText(train.perCandidateAllIn),
        byteText(lookupBytesPerCandidate.forward),
        percent(share),
        `×${broadcastingSaves.toFixed(2)}`,
        flopText(separate[surface]!),
      ]),
    ),
  );

const tableLine = ({ tables }: RunReport): string =>
  tables.map(({ width, rows, bytes, stateBytes }) => `${compactNumber(rows)} rows of ${width} (${byteText(bytes)} and ${byteText(stateBytes)} of optimizer state)`).join(', ');

const runLines = (run: RunReport): readonly string[] => {
  const { perThousandCandidates: cost, withoutProjection: bare, batch } = run;
  const lines = [
    `embedding tables: ${tableLine(run)}`,
    `1000 candidates: ${flopText(cost.forward)} FLOPs to score, ${flopText(cost.train)} to train on, ${byteText(cost.lookupBytes)} of embeddings looked up`,
    `broadcasting: expanded, the same costs ${flopText(cost.expandedForward)} (×${(cost.expandedForward / cost.forward).toFixed(2)}) to score, ${flopText(cost.expandedTrain)} (×${(cost.expandedTrain / cost.train).toFixed(2)}) to train on`,
  ];
  if (bare !== undefined) {
    lines.push(
      `projection: without it ${flopText(bare.forward)} (×${(bare.forward / cost.forward).toFixed(2)}) to score, ${flopText(bare.train)} (×${(bare.train / cost.train).toFixed(2)}) to train on, and ${compactNumber(bare.parameters)} dense parameters instead of ${compactNumber(run.parameters)}`,
    );
  }
  const tokens = batch.tokenBound === Infinity ? '' : ` and ${compactNumber(batch.tokens)} tokens (bound ${compactNumber(batch.tokenBound)})`;
  return [...lines, `a batch: ${compactNumber(batch.candidates)} candidates of ${compactNumber(batch.requests)} requests${tokens}, about ${byteText(batch.peakBytes)} at the peak of a step`];
};

const orderLine = (steps: readonly UnificationStep[]): string => {
  const [first, second, ...rest] = steps;
  if (first === undefined || second === undefined) return '';
  const then = rest.map(({ surface, similarity }) => `, then ${surface} (${similarity.toFixed(2)})`).join('');
  return `Unify surfaces of similar cost first, by their own models' FLOPs per candidate: ${first.surface} and ${second.surface} (${second.similarity.toFixed(2)})${then}. 1 is equal cost.`;
};

const render = (model: Model, runs: readonly RunReport[], separate: Readonly<Record<string, number>>): string => {
  const parts = runs.map((run) => `${model.name} ${run.run}: ${compactNumber(run.parameters)} dense parameters\n\n${moduleTable(run)}\n\n${runLines(run).join('\n')}`);
  return [...parts, surfaceTable(runs, separate), orderLine(unificationOrder(separate))].filter((part) => part !== '').join('\n\n');
};

/** The model asked for; otherwise the first unified one. */
const chosenModel = (project: Project, name: string | undefined): Model => {
  if (name !== undefined) return modelNamed(project, name);
  const models = Object.values(project.models);
  return models.find(({ preset }) => preset === 'unified') ?? models[0]!;
};

/** `onefold inspect [MODEL]`: what a model costs on the prepared dataset's traffic, without training it. */
export const inspectCommand = (): Command =>
  projectCommand('inspect', EXAMPLES)
    .argument('[model]', 'name of a model (default: the first unified one)')
    .action(async (name: string | undefined, options: ProjectOptions) => {
      const { project, output } = await openProject(options);
      const model = chosenModel(project, name);
      const { directory, manifest } = await openPrepared(project);
      const traffic = await readTraffic(directory, manifest, 'train');
      const runs = costReport(project, model, manifest, traffic);
      const separate = separateCosts(project, model, manifest, traffic);
      output.text(render(model, runs, separate));
      output.result({ model: model.name, runs, separateCosts: separate, unificationOrder: unificationOrder(separate) });
    });
