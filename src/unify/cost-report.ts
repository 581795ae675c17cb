/** What a model costs on a project's own traffic, without training it. */
import type { Model, Project } from '../config/project.js';
import type { PreparedManifest } from '../data/prepared.js';
import type { SurfaceTraffic, Traffic } from '../data/traffic.js';
import { batchSizes, expandedShape, scaledShape, shapeCandidates, type BatchShape } from '../model/batch-sizes.js';
import { defaultBatchTokens } from '../model/batch-tokens.js';
import { buildModelGraph } from '../model/build-model.js';
import type { ModelGraph } from '../model/model-graph.js';
import { moduleCosts, stepBytes, type ModuleCost } from '../model/module-costs.js';
import { lookupBytes, tableCost, type TableCost } from './lookup-costs.js';
import { groupRuns, type GroupRun } from './model-run.js';
import { meanLength, requestShape } from './traffic-shape.js';

/** FLOPs, apart by what they grow with: a request (with its tokens) is paid for once, whatever its candidates. */
export interface SplitFlops {
  readonly perRequest: number;
  readonly perCandidate: number;
}

export interface ModuleReport {
  readonly module: string;
  readonly parameters: number;
  /** Of the parameters; training keeps two more of the same (Adam's moments). */
  readonly parameterBytes: number;
  readonly forward: SplitFlops;
  /** Forward and backward. */
  readonly train: SplitFlops;
  /** Bytes of results in a train step's forward pass. */
  readonly activations: { readonly perCandidate: number; readonly perRequest: number; readonly perToken: number };
}

export interface SurfaceReport {
  readonly surface: string;
  readonly candidatesPerRequest: number;
  readonly tokensPerRequest: number;
  readonly forward: SplitFlops & { readonly perCandidateAllIn: number };
  readonly train: SplitFlops & { readonly perCandidateAllIn: number };
  /** Bytes that lookups move per candidate, its share of the request's included. */
  readonly lookupBytesPerCandidate: { readonly forward: number; readonly train: number };
  /** Of the FLOPs of all surfaces' training traffic. */
  readonly share: number;
  /** FLOPs forward with every candidate a request of its own, over those with broadcasting. */
  readonly broadcastingSaves: number;
  readonly modules: readonly { readonly module: string; readonly forward: SplitFlops; readonly train: SplitFlops }[];
}

export interface RunReport {
  /** `all`, or the surface of a separate model. */
  readonly run: string;
  readonly parameters: number;
  readonly modules: readonly ModuleReport[];
  readonly tables: readonly TableCost[];
  /** Per 1000 candidates of this run's traffic. */
  readonly perThousandCandidates: { readonly forward: number; readonly train: number; readonly expandedForward: number; readonly expandedTrain: number; readonly lookupBytes: number };
  /** The same model without its DCNv2 projection; undefined where it has none. */
  readonly withoutProjection: { readonly forward: number; readonly train: number; readonly parameters: number } | undefined;
  /** The largest batch of average requests that training would cut. */
  readonly batch: { readonly candidates: number; readonly requests: number; readonly tokens: number; readonly tokenBound: number; readonly peakBytes: number };
  readonly surfaces: readonly SurfaceReport[];
}

/** Costs of a graph for batches of some shape. */
interface Costed {
  readonly graph: ModelGraph;
  readonly modules: readonly ModuleCost[];
}

type Pass = 'forward' | 'train';

const costed = (graph: ModelGraph): Costed => ({ graph, modules: moduleCosts(graph) });

const withoutCandidates = (shape: BatchShape): BatchShape => ({ ...shape, candidates: {} });

const flopsOf = ({ graph, modules }: Costed, shape: BatchShape, pass: Pass): number => {
  const sizes = batchSizes(graph.layout, shape);
  return modules.reduce((sum, cost) => sum + cost[pass](sizes), 0);
};

const splitFlops = ({ graph, modules }: Costed, shape: BatchShape, pass: Pass): readonly SplitFlops[] => {
  const [all, requestsAlone] = [batchSizes(graph.layout, shape), batchSizes(graph.layout, withoutCandidates(shape))];
  return modules.map((cost) => {
    const ofRequests = cost[pass](requestsAlone);
    return { perRequest: ofRequests / shape.requests, perCandidate: (cost[pass](all) - ofRequests) / shapeCandidates(shape) };
  });
};

const sumSplits = (splits: readonly SplitFlops[]): SplitFlops => ({
  perRequest: splits.reduce((sum, { perRequest }) => sum + perRequest, 0),
  perCandidate: splits.reduce((sum, { perCandidate }) => sum + perCandidate, 0),
});

const tokensOf = ({ sequences }: BatchShape): number => Object.values(sequences).reduce((sum, { tokens }) => sum + tokens, 0);

const parameterCount = ({ parameters }: ModelGraph): number => parameters.reduce((sum, { spec }) => sum + spec.shape.reduce((a, b) => a * b, 1), 0);

const moduleReports = (run: Costed, shape: BatchShape): readonly ModuleReport[] => {
  const { layout } = run.graph;
  const [forward, train] = [splitFlops(run, shape, 'forward'), splitFlops(run, shape, 'train')];
  const requests = withoutCandidates(shape);
  const [all, withTokens, bare] = [shape, requests, { ...requests, sequences: {} }].map((one) => batchSizes(layout, one)) as [Record<string, number>, Record<string, number>, Record<string, number>];
  const tokens = tokensOf(shape);
  return run.modules.map(({ module, parameters, activations }, index) => ({
    module,
    parameters,
    parameterBytes: 4 * parameters,
    forward: forward[index]!,
    train: train[index]!,
    activations: {
      perCandidate: (activations(all) - activations(withTokens)) / shapeCandidates(shape),
      perRequest: activations(bare) / shape.requests,
      perToken: tokens === 0 ? 0 : (activations(withTokens) - activations(bare)) / tokens,
    },
  }));
};

const surfaceReport = (run: Costed, model: Model, traffic: Traffic, own: SurfaceTraffic, share: number): SurfaceReport => {
  const { layout } = run.graph;
  const shape = requestShape(layout, [own]);
  const candidates = shapeCandidates(shape);
  const splits = { forward: splitFlops(run, shape, 'forward'), train: splitFlops(run, shape, 'train') };
  const allIn = (pass: Pass): SurfaceReport['forward'] => ({ ...sumSplits(splits[pass]), perCandidateAllIn: flopsOf(run, shape, pass) / candidates });
  const bytes = lookupBytes(layout, shape, (column) => traffic.candidateLists.get(column) ?? meanLength([own], column), model.training.embeddingOptimizer);
  return {
    surface: own.surface,
    candidatesPerRequest: candidates,
    tokensPerRequest: tokensOf(shape),
    forward: allIn('forward'),
    train: allIn('train'),
    lookupBytesPerCandidate: { forward: bytes.forward / candidates, train: bytes.train / candidates },
    share,
    broadcastingSaves: flopsOf(run, expandedShape(shape), 'forward') / flopsOf(run, shape, 'forward'),
    modules: run.modules.map(({ module }, index) => ({ module, forward: splits.forward[index]!, train: splits.train[index]! })),
  };
};

/** As many average requests as the first of training's bounds allows. */
const largestBatch = (graph: ModelGraph, { training }: Model, request: BatchShape): RunReport['batch'] => {
  const tokenBound = training.batchTokens ?? defaultBatchTokens(graph, training.batchSize);
  const tokens = tokensOf(request);
  const requests = Math.min(training.batchSize / shapeCandidates(request), training.batchRequests, tokens === 0 ? Infinity : tokenBound / tokens);
  const shape = scaledShape(request, requests);
  return { candidates: shapeCandidates(shape), requests, tokens: requests * tokens, tokenBound, peakBytes: stepBytes(graph)(batchSizes(graph.layout, shape)) };
};

/** FLOPs per candidate of each surface's own model on its own traffic, forward: the surfaces' cost profile. */
export const separateCosts = (project: Project, model: Model, manifest: PreparedManifest, traffic: Traffic): Readonly<Record<string, number>> => {
  const separate: Model = { ...model, preset: model.preset === 'unified' ? 'separate' : model.preset };
  return Object.fromEntries(
    traffic.surfaces.map((own) => {
      const graph = buildModelGraph(project, manifest.encoders, separate, [own.surface]);
      const shape = requestShape(graph.layout, [own]);
      return [own.surface, flopsOf(costed(graph), shape, 'forward') / shapeCandidates(shape)];
    }),
  );
};

const trafficFlops = (run: Costed, own: SurfaceTraffic): number => own.requests * flopsOf(run, requestShape(run.graph.layout, [own]), 'train');

const trafficOf = (traffic: Traffic, surfaces: readonly string[]): readonly SurfaceTraffic[] => traffic.surfaces.filter(({ surface }) => surfaces.includes(surface));

/**
 * States what one run of a model costs.
 *
 * @param group name and surfaces of the run
 * @param traffic of the split that the averages are taken from; it must hold requests of the run's surfaces
 * @param total FLOPs of all traffic that the surfaces' shares are taken of; default: this run's
 * @throws OnefoldError `artifact` when the prepared dataset and the config do not fit together
 */
export const runReport = (project: Project, model: Model, manifest: PreparedManifest, traffic: Traffic, group: Pick<GroupRun, 'name' | 'surfaces'>, total?: number): RunReport => {
  const { name, surfaces } = group;
  const own = trafficOf(traffic, surfaces);
  const run = costed(buildModelGraph(project, manifest.encoders, model, surfaces));
  const all = total ?? own.reduce((flops, one) => flops + trafficFlops(run, one), 0);
  const { graph } = run;
  const request = requestShape(graph.layout, own);
  const thousand = scaledShape(request, 1000 / shapeCandidates(request));
  const bare = model.projection === undefined || graph.layout.sequences.length === 0 ? undefined : costed(buildModelGraph(project, manifest.encoders, { ...model, projection: undefined }, surfaces));
  return {
    run: name,
    parameters: parameterCount(graph),
    modules: moduleReports(run, scaledShape(request, model.training.batchSize / shapeCandidates(request))),
    tables: graph.layout.fusedTables.map((table) => tableCost(table, model.training.embeddingOptimizer)),
    perThousandCandidates: {
      forward: flopsOf(run, thousand, 'forward'),
      train: flopsOf(run, thousand, 'train'),
      expandedForward: flopsOf(run, expandedShape(thousand), 'forward'),
      expandedTrain: flopsOf(run, expandedShape(thousand), 'train'),
      lookupBytes: lookupBytes(graph.layout, thousand, (column) => traffic.candidateLists.get(column) ?? meanLength(own, column), model.training.embeddingOptimizer).forward,
    },
    withoutProjection: bare === undefined ? undefined : { forward: flopsOf(bare, thousand, 'forward'), train: flopsOf(bare, thousand, 'train'), parameters: parameterCount(bare.graph) },
    batch: largestBatch(graph, model, request),
    surfaces: own.map((one) => surfaceReport(run, model, traffic, one, trafficFlops(run, one) / all)),
  };
};

/**
 * States what each run of a model costs.
 *
 * @param traffic of the split that the averages are taken from
 * @throws OnefoldError `artifact` when the prepared dataset and the config do not fit together
 */
export const costReport = (project: Project, model: Model, manifest: PreparedManifest, traffic: Traffic): readonly RunReport[] => {
  const groups = groupRuns(project, model).filter(({ surfaces }) => trafficOf(traffic, surfaces).length > 0);
  const total = groups.reduce((sum, { surfaces }) => {
    const run = costed(buildModelGraph(project, manifest.encoders, model, surfaces));
    return sum + trafficOf(traffic, surfaces).reduce((flops, one) => flops + trafficFlops(run, one), 0);
  }, 0);
  return groups.map((group) => runReport(project, model, manifest, traffic, group, total));
};
