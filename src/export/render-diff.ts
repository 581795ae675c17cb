import { basename } from 'node:path';
import pc from 'picocolors';
import { compactCount, plainTable } from '../evaluate/table-cells.js';
import type { CalibrationDiff } from './diff-calibration.js';
import type { DiffedExport, ExportDiff } from './diff-exports.js';
import type { PredictionDiff, TaskDiff } from './diff-predictions.js';
import type { ListDiff, SchemaDiff } from './diff-schema.js';
import type { StoredTable, TableDiff } from './diff-tables.js';

const NONE = pc.dim('–');

const section = (title: string, body: string): string => `${pc.bold(title)}\n${body}`;

const signed = (value: number, digits = 4): string => {
  const text = Math.abs(value).toFixed(digits);
  if (/^[0.]+$/u.test(text)) return text;
  return (value > 0 ? '+' : '−') + text;
};

const bytesText = (bytes: number | null): string => {
  if (bytes === null) return NONE;
  return bytes < 1e6 ? `${(bytes / 1e3).toFixed(1)} kB` : `${(bytes / 1e6).toFixed(2)} MB`;
};

const LONGEST_VALUE = 60;

const valueText = (value: unknown): string => {
  if (value === undefined) return 'nothing';
  const text = typeof value === 'string' ? value : JSON.stringify(value);
  return text.length > LONGEST_VALUE ? `${text.slice(0, LONGEST_VALUE - 1)}…` : text;
};

const renderSides = (a: DiffedExport, b: DiffedExport): string => {
  const row = (name: string, of: (side: DiffedExport) => string): readonly string[] => [name, of(a), of(b)];
  return plainTable(
    ['', 'A', 'B'],
    [
      row('export', ({ directory }) => directory),
      row('model', ({ model }) => model),
      row('trained steps', ({ lineage }) => compactCount(lineage.trainedSteps)),
      row('dataset', ({ lineage }) => lineage.data.slice(0, 12)),
      row('tables, dense layers', ({ precision, dense }) => `${precision}, ${dense}`),
      row('digest', ({ digest }) => digest.slice(0, 12)),
    ],
    [1, 2],
  );
};

const LISTS: Readonly<Record<keyof SchemaDiff, string>> = { features: 'feature', columns: 'encoded column', inputs: 'input', tasks: 'task', viewTypes: 'view type' };

const listRows = (kind: string, { added, removed, changed }: ListDiff): readonly (readonly string[])[] => [
  ...added.map((name) => [kind, name, pc.green('added'), '', '']),
  ...removed.map((name) => [kind, name, pc.red('removed'), '', '']),
  ...changed.flatMap(({ name, changes }) => changes.map(({ property, a, b }) => [kind, name, property, valueText(a), valueText(b)])),
];

const renderSchema = (schema: SchemaDiff): string => {
  const rows = Object.entries(LISTS).flatMap(([list, kind]) => listRows(kind, schema[list as keyof SchemaDiff]));
  if (rows.length > 0) return section('schema', plainTable(['', 'name', 'what', 'A', 'B'], rows, [1, 2, 3, 4]));
  return section('schema', `the same: ${schema.features.same} features, ${schema.tasks.same} tasks, ${schema.viewTypes.same} view types`);
};

const tableText = (table: StoredTable | null): string => (table === null ? NONE : `${table.precision} × ${table.width}, ${bytesText(table.bytes)}`);

const renderTables = (tables: readonly TableDiff[]): string =>
  section(
    'tables',
    plainTable(
      ['', 'rows kept', 'added', 'removed', 'A', 'B'],
      tables.map(({ table, rows, a, b }) => [table, compactCount(rows.kept), compactCount(rows.added), compactCount(rows.removed), tableText(a), tableText(b)]),
    ),
  );

const renderCalibration = (layers: readonly CalibrationDiff[]): string => {
  if (layers.length === 0) return section('calibration', 'none in either');
  return section(
    'calibration: largest differences of the curves, B − A',
    plainTable(
      ['', 'view type', 'A', 'B', 'logit', 'probability', 'at'],
      layers.map(({ task, viewType, a, b, logitDifference, probabilityDifference, at }) => [
        task,
        viewType ?? pc.dim('never seen'),
        a ?? 'none',
        b ?? 'none',
        signed(logitDifference),
        signed(probabilityDifference),
        probabilityDifference === 0 ? NONE : at.toPrecision(2),
      ]),
      [1, 2, 3],
    ),
  );
};

const renderSizes = (sizes: ExportDiff['sizes']): string => {
  const total = (side: 'a' | 'b'): number => sizes.reduce((sum, size) => sum + (size[side] ?? 0), 0);
  const row = (name: string, a: number | null, b: number | null): readonly string[] => [name, bytesText(a), bytesText(b), a === null || b === null || a === 0 ? NONE : `${signed((100 * (b - a)) / a, 1)}%`];
  return section('size', plainTable(['', 'A', 'B', ''], [...sizes.map(({ file, a, b }) => row(file, a, b)), row(pc.bold('all'), total('a'), total('b'))]));
};

const taskRow = ({ task, a, b, maxDifference, atRow, meanDifference, meanLogitShift, rankCorrelation }: TaskDiff): readonly string[] => [
  task,
  a.toFixed(4),
  b.toFixed(4),
  maxDifference.toExponential(1),
  maxDifference === 0 ? NONE : String(atRow),
  meanDifference.toExponential(1),
  signed(meanLogitShift),
  rankCorrelation === null ? NONE : rankCorrelation.toFixed(4),
];

const renderPredictions = (predictions: PredictionDiff | null, notScored: string | null): string => {
  if (predictions === null) return section('predictions', `not compared, as the golden rows of A do not fit both (${notScored ?? ''}): give rows that both read`);
  return section(
    `predictions for the ${compactCount(predictions.candidates)} candidates of ${basename(predictions.file)}`,
    plainTable(['', 'mean A', 'mean B', 'largest difference', 'in row', 'mean difference', 'mean logit shift', 'rank correlation'], predictions.tasks.map(taskRow)),
  );
};

/** A diff as text for a terminal. */
export const renderDiff = (diff: ExportDiff): string => {
  const { a, b, isSame, schema, tables, calibration, sizes, predictions, notScored } = diff;
  return [
    renderSides(a, b),
    ...(isSame ? ['The two are the same export, byte for byte.'] : []),
    renderSchema(schema),
    renderTables(tables),
    renderCalibration(calibration),
    renderSizes(sizes),
    renderPredictions(predictions, notScored),
  ].join('\n\n');
};
