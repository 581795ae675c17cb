/** The key of a prepared dataset: equal keys mean that preparing again would give the same files. */
import { createHash } from 'node:crypto';
import type { Feature, Project } from '../config/project.js';
import type { SourceFingerprint } from './fingerprint.js';

/** Rises when the same config and sources would be prepared differently. */
const FORMAT_VERSION = 2;

/** A feature without what only models read. */
const shapeOf = (feature: Feature): unknown => JSON.parse(JSON.stringify(feature, (key, value: unknown) => (key === 'width' ? undefined : value)));

const sorted = (value: unknown): unknown => {
  if (Array.isArray(value)) return value.map(sorted);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value)
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([key, entry]) => [key, sorted(entry)]),
  );
};

/** SHA-256, in hex, over the config parts that shape the data, the format version and the sources' fingerprints. */
export const preparedKey = (project: Project, sources: readonly SourceFingerprint[]): string => {
  const parts = {
    format: FORMAT_VERSION,
    name: project.name,
    surfaces: project.surfaces,
    features: project.features.map(shapeOf),
    tasks: project.tasks,
    split: project.split,
    // Without an outside model the key is what it was before there could be one.
    data: { ...project.data, outside: Object.keys(project.data.outside).length === 0 ? undefined : project.data.outside, memoryLimit: undefined },
    sources,
  };
  return createHash('sha256').update(JSON.stringify(sorted(parts))).digest('hex');
};
