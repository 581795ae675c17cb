/** Where a registry keeps its files. */
import type { PublishedVersion } from './registry.js';

/** Names in a registry. */
export const REGISTRY_PATHS = { versions: 'versions', pointer: 'current.json', history: 'history' } as const;

/** Name of a past pointer; names are in the order of revisions. */
export const historyPath = (revision: number): string => `${REGISTRY_PATHS.history}/${String(revision).padStart(10, '0')}.json`;

export const versionPath = (surface: string, version: string): string => `${REGISTRY_PATHS.versions}/${surface}/${version}`;

/** A pointer as it is stored, and a tag that changes with it. */
export interface StoredPointer {
  readonly text: string;
  readonly tag: string;
}

/** What a registry needs of a place; every change is seen as a whole, or not at all. */
export interface RegistryStorage {
  /** Milliseconds between looks at the pointer by who follows it. */
  readonly pollMs: number;
  /** Undefined before the first. */
  readPointer(): Promise<StoredPointer | undefined>;
  /** Replaces the pointer, if its tag is still this one (undefined: if there is none); false when somebody else was first. */
  writePointer(text: string, tag: string | undefined): Promise<boolean>;
  /** Keeps a pointer that is about to be replaced; keeping it again changes nothing. */
  remember(revision: number, text: string): Promise<void>;
  /** A pointer that was kept. */
  recall(revision: number): Promise<string | undefined>;
  forget(revision: number): Promise<void>;
  /** Versions that are there as a whole. */
  versions(): Promise<readonly PublishedVersion[]>;
  /**
   * Copies the files of an export in: they are there as a whole, or not at all. A version that is there with the same manifest
   * stays as it is, unless its files are damaged: then it is replaced.
   *
   * @throws ArtifactError when it is there with another
   */
  add(surface: string, version: string, directory: string): Promise<void>;
  /** A version's manifest; undefined where there is no such version. */
  readManifest(surface: string, version: string): Promise<string | undefined>;
  /** A local folder with a version's files. */
  directory(surface: string, version: string): Promise<string>;
  /** Replaces this machine's copy of a version, where that is damaged; absent where there are no copies. */
  renew?(surface: string, version: string): Promise<string>;
  /** Calls back when the pointer may have changed, where the place tells so itself. */
  onEvent?(callback: () => void): { close(): void };
}
