/** Puts exports into a registry. */
import { digestOf } from '../../export/manifest.js';
import { readExport } from '../../export/open-export.js';
import { exportFolders } from '../version-source.js';
import type { Pointer, PublishedVersion, Registry } from './registry.js';
import { checkName, defaultVersionName } from './version-name.js';

export interface PublishOptions {
  /** Folders of exports, or of folders of exports. */
  readonly exports: readonly string[];
  /** Name of the version; left out: the moment and the manifest's digest. */
  readonly version?: string | undefined;
  /** Whether the versions serve from now on, all at once. */
  readonly promote: boolean;
}

export interface PublishResult {
  readonly published: readonly PublishedVersion[];
  /** What serves; undefined when it did not change. */
  readonly pointer: Pointer | undefined;
}

/**
 * Checks exports whole, copies them in, and lets them serve.
 *
 * @throws ArtifactError for an export that is torn, or a version that is there with other contents; UsageError; IoError
 */
export const publish = async (registry: Registry, { exports, version, promote }: PublishOptions): Promise<PublishResult> => {
  if (version !== undefined) checkName(version, 'version');
  const now = new Date();
  const read = await Promise.all((await exportFolders(exports)).map((directory) => readExport(directory)));
  const there = await registry.versions();
  const published: PublishedVersion[] = [];
  for (const { directory, manifest } of read) {
    checkName(manifest.surface, 'surface');
    const digest = digestOf(manifest);
    // The same export again is the version that it was.
    const same = version === undefined ? there.findLast((one) => one.surface === manifest.surface && one.version.endsWith(`-${digest.slice(0, 8)}`)) : undefined;
    const name = same?.version ?? version ?? defaultVersionName(digest, now);
    await registry.add(manifest.surface, name, directory);
    published.push({ surface: manifest.surface, version: name });
  }
  const pointer = promote ? await registry.promote(Object.fromEntries(published.map((one) => [one.surface, one.version])), 'publish') : undefined;
  return { published, pointer };
};
