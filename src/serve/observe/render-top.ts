/** What `onefold top` shows, as text. */
import pc from 'picocolors';
import { plainTable } from '../../evaluate/table-cells.js';
import { bytesText, countText, errorsText, millisecondsText, NONE, probabilityText, rateText, shareText } from './top-cells.js';
import type { TopTask, TopVersion, TopView } from './top-view.js';

const nameOf = ({ surface, version, isCurrent }: TopVersion): readonly string[] => [surface, isCurrent ? version : pc.dim(version)];

const trafficRow = (version: TopVersion): readonly string[] => [
  ...nameOf(version),
  rateText(version.requests),
  errorsText(version.errors),
  rateText(version.candidates),
  millisecondsText(version.p50),
  millisecondsText(version.p95),
  millisecondsText(version.p99),
  millisecondsText(version.queueWaitP99),
  countText(version.batchRequests),
  countText(version.batchCandidates),
  countText(version.broadcastRatio),
  shareText(version.cacheHitRate),
];

const ratioText = ({ meanPrediction, heldOutRate }: TopTask): string =>
  meanPrediction === null || heldOutRate === null || heldOutRate === 0 ? NONE : `${(meanPrediction / heldOutRate).toFixed(2)}×`;

const section = (title: string, headings: readonly string[], rows: readonly (readonly string[])[], text: readonly number[]): readonly string[] =>
  rows.length === 0 ? [] : ['', pc.bold(title), ...plainTable(headings, rows, text).split('\n')];

const header = ({ windowSeconds, queue, workers, process, shed, unknownRequests }: TopView): string =>
  [
    `workers ${countText(workers.alive)}`,
    `restarts ${countText(workers.restarts)}`,
    `waiting ${countText(queue.waiting)}`,
    `running ${countText(queue.running)}`,
    `shed/s ${errorsText(shed)}`,
    ...(unknownRequests > 0 ? [`unknown/s ${errorsText(unknownRequests)}`] : []),
    `rss ${bytesText(process.residentBytes)}`,
    `cpu ${process.cpuCores.toFixed(1)}`,
    `event loop p99 ${millisecondsText(process.eventLoopP99)} ms`,
    pc.dim(`over ${windowSeconds.toFixed(1)} s`),
  ].join('  ');

/** Lines of one frame. */
export const renderTop = (view: TopView): readonly string[] => [
  header(view),
  ...(view.versions.length === 0 ? ['', 'no version is loaded'] : []),
  ...section(
    'traffic (times in ms)',
    ['surface', 'version', 'req/s', 'err/s', 'cand/s', 'p50', 'p95', 'p99', 'queue p99', 'req/run', 'cand/run', 'broadcast', 'cached'],
    view.versions.map(trafficRow),
    [1],
  ),
  ...section(
    'mean prediction against the held-out rate',
    ['surface', 'version', 'task', 'predicted', 'held-out', 'ratio'],
    view.versions.flatMap((version) => version.tasks.map((task) => [...nameOf(version), task.task, probabilityText(task.meanPrediction), probabilityText(task.heldOutRate), ratioText(task)])),
    [1, 2],
  ),
  ...section(
    'defaulted features, values/s',
    ['surface', 'version', 'feature', 'reason', 'values/s'],
    view.versions.flatMap((version) => version.defaulted.map(({ feature, reason, perSecond }) => [...nameOf(version), feature, reason, rateText(perSecond)])),
    [1, 2, 3],
  ),
];
