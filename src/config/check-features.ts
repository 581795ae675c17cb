/** What holds within one feature, and between the features that share a table. */
import type { ConfigParts } from './config-parts.js';
import { issueAt, joinPath, type ConfigPath } from './config-path.js';
import type { Issue } from './errors.js';
import type { CategoricalEncoding, FeatureConfig, NumberFeature, SequenceFeature } from './project.js';
import { fillEncoding, tableUses, type TableUse } from './tables.js';

type NumberBuckets = Extract<NumberFeature['encoding'], { type: 'bucket' }>;

const checkBuckets = (path: ConfigPath, { boundaries, count }: NumberBuckets): Issue[] => {
  const issues: Issue[] = [];
  if ((boundaries === undefined) === (count === undefined)) {
    issues.push(
      issueAt(
        path,
        boundaries === undefined ? 'has neither boundaries nor a count' : 'has both boundaries and a count',
        'either boundaries or count',
        boundaries === undefined ? 'add boundaries: [1, 10, 100], or count: 10' : 'remove one of them',
      ),
    );
  }
  const at = (boundaries ?? []).findIndex((boundary, index, all) => index > 0 && boundary <= all[index - 1]!);
  if (boundaries !== undefined && at > 0) {
    issues.push(
      issueAt(
        [...path, 'boundaries', at],
        `${boundaries[at]!} does not exceed the boundary before it, ${boundaries[at - 1]!}`,
        'boundaries in strictly ascending order',
        `set boundaries to [${[...new Set(boundaries)].sort((a, b) => a - b).join(', ')}]`,
      ),
    );
  }
  return issues;
};

const checkNumber = (path: ConfigPath, feature: NumberFeature): Issue[] => {
  if (feature.encoding?.type === 'bucket') return checkBuckets([...path, 'encoding'], feature.encoding);
  if (feature.width === undefined) return [];
  return [
    issueAt(
      [...path, 'width'],
      'only a bucketed number has an embedding',
      "a width only with encoding: { type: 'bucket' }",
      "remove width, or set encoding: { type: 'bucket', count: 10 }",
    ),
  ];
};

const checkTrainingOnly = (path: ConfigPath, feature: Exclude<FeatureConfig, SequenceFeature>): Issue[] => {
  if (feature.trainingOnly === undefined) return [];
  if (feature.kind === 'vector' || feature.kind === 'multi') {
    return [
      issueAt(
        [...path, 'trainingOnly'],
        `a ${feature.kind} feature cannot be served as one value`,
        'trainingOnly on a categorical or number feature',
        'remove trainingOnly, or remove the feature if it is not known when scoring',
      ),
    ];
  }
  const { serveAs } = feature.trainingOnly;
  if (feature.kind === 'categorical' || typeof serveAs === 'number') return [];
  return [
    issueAt(
      [...path, 'trainingOnly', 'serveAs'],
      `is the text ${JSON.stringify(serveAs)}, and the feature is a number`,
      'a number',
      Number.isFinite(Number(serveAs)) && serveAs.trim() !== ''
        ? `set serveAs to ${Number(serveAs)}`
        : 'set serveAs to the number to score with, e.g. 1',
    ),
  ];
};

const checkSequence = (path: ConfigPath, feature: SequenceFeature): Issue[] => {
  const issues: Issue[] = [];
  const fields = Object.entries(feature.fields);
  if (fields.length === 0) {
    issues.push(
      issueAt(
        [...path, 'fields'],
        'the sequence has no field',
        'at least one column of its events, or list column of the surface',
        "add one, e.g. fields: { ad_id: { table: 'ad_id' } }",
      ),
    );
  }
  if (feature.events === undefined && feature.time === undefined) {
    for (const [field, { kind }] of fields) {
      if (kind !== 'time_gap') continue;
      issues.push(
        issueAt(
          [...path, 'fields', field],
          'a time gap needs the time of every event',
          '`events` with their own times, or `time` naming the list column of event times',
          `set ${joinPath([...path, 'time'])} to the list column of event times, or remove the field`,
        ),
      );
    }
  }
  for (const option of ['time', 'timeUnit'] as const) {
    if (feature.events === undefined || feature[option] === undefined) continue;
    issues.push(
      issueAt(
        [...path, option],
        'is for a sequence in list columns, and this one has `events`',
        `events.${option}`,
        `move it to ${joinPath([...path, 'events', option])}`,
      ),
    );
  }
  if (feature.events === undefined && feature.time === undefined && feature.timeUnit !== undefined) {
    issues.push(
      issueAt([...path, 'timeUnit'], 'is the unit of `time`, which is not there', '`time` and timeUnit, or neither', 'add time, or remove timeUnit'),
    );
  }
  return issues;
};

const checkFeature = (name: string, feature: FeatureConfig): Issue[] => {
  const path = ['features', name];
  if (feature.kind === 'sequence') return checkSequence(path, feature);
  return [...checkTrainingOnly(path, feature), ...(feature.kind === 'number' ? checkNumber(path, feature) : [])];
};

const describeEncoding = (encoding: CategoricalEncoding): string => {
  const filled = fillEncoding(encoding);
  if (filled.type === 'hash') return `hash, buckets ${filled.buckets}`;
  return `vocabulary, minCount ${filled.minCount ?? 0}${filled.maxSize === undefined ? '' : `, maxSize ${filled.maxSize}`}`;
};

/** Whether two uses of one table agree; what one of them leaves out it takes from the other. */
const compareUses = (first: TableUse, use: TableUse): Issue[] => {
  const table = `table ${JSON.stringify(use.table)}`;
  const other = joinPath(first.path);
  if (first.rows !== use.rows || use.rows !== 'ids') {
    return [
      issueAt(
        use.path,
        `${table} holds ${use.rows} here and ${first.rows} in ${other}`,
        'a table shared only between ids',
        `name another table in ${use.rows === 'ids' ? joinPath([...use.path, 'table']) : joinPath([...first.path, 'table'])}`,
      ),
    ];
  }
  const issues: Issue[] = [];
  if (first.encoding !== undefined && use.encoding !== undefined) {
    const [here, there] = [describeEncoding(use.encoding), describeEncoding(first.encoding)];
    if (here !== there) {
      issues.push(
        issueAt(
          [...use.path, 'encoding'],
          `${table} is encoded as ${here} here and as ${there} in ${other}`,
          'one encoding per table',
          'give both the same encoding (or only one of them any), or name another table',
        ),
      );
    }
  }
  if (first.width !== undefined && use.width !== undefined && first.width !== use.width) {
    issues.push(
      issueAt(
        [...use.path, 'width'],
        `${table} is ${use.width} wide here and ${first.width} in ${other}`,
        'one width per table',
        `set it to ${first.width}, or name another table`,
      ),
    );
  }
  return issues;
};

const checkTables = (parts: ConfigParts): Issue[] => {
  const seen = new Map<string, TableUse>();
  return tableUses(parts.features).flatMap((use) => {
    const first = seen.get(use.table);
    // Later uses are compared with everything said so far, not with a first use that says nothing.
    seen.set(use.table, {
      ...(first ?? use),
      encoding: first?.encoding ?? use.encoding,
      width: first?.width ?? use.width,
    });
    return first === undefined ? [] : compareUses(first, use);
  });
};

/** Every issue within features, and of tables they share. */
export function checkFeatures(parts: ConfigParts): Issue[] {
  return [...Object.entries(parts.features).flatMap(([name, feature]) => checkFeature(name, feature)), ...checkTables(parts)];
}
