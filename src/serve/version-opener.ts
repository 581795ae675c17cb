/** Opens the versions that are to be loaded, and none twice. */
import { ArtifactError, IoError } from '../config/errors.js';
import type { Engine } from './engine/engine.js';
import type { LoadedVersion } from './engine/loaded-version.js';
import type { VersionSource } from './version-source.js';

/** A version by its names. */
export interface NamedVersion {
  readonly surface: string;
  readonly version: string;
}

export interface VersionOpenerOptions {
  readonly engine: Engine;
  readonly source: VersionSource;
  /** Reads a version after checking its files. */
  readonly open: (surface: string, version: string, directory: string) => Promise<LoadedVersion>;
}

/** Knows which versions are loaded, and which were opened for a change that is not made yet. */
export class VersionOpener {
  readonly #options: VersionOpenerOptions;
  /** A further try of the change does not read these again. */
  #pending = new Map<string, LoadedVersion>();

  constructor(options: VersionOpenerOptions) {
    this.#options = options;
  }

  /** Whether a version, as it was opened, is loaded. */
  isLoaded(version: LoadedVersion): boolean {
    return this.#options.engine.find(version.surface, version.version) === version;
  }

  /**
   * Whether a version's name means it still: who deletes a version that does not serve may publish another under its name.
   *
   * @throws IoError when the source does not answer
   */
  async isStill(version: LoadedVersion): Promise<boolean> {
    const { engine, source } = this.#options;
    if (this.isLoaded(version) && engine.current[version.surface] === version.version) return true;
    const digest = await source.digest(version.surface, version.version);
    return digest === undefined || digest === version.digest;
  }

  /**
   * Opens versions, those that are open already but for their names.
   *
   * @param onBroken told of those that do not open, and are left out
   * @throws IoError when files cannot be had now, which is no fault of a version
   */
  async open(wanted: Iterable<NamedVersion>, onBroken: (version: NamedVersion, error: unknown) => void): Promise<ReadonlyMap<string, LoadedVersion>> {
    const before = this.#pending;
    const opened = new Map<string, LoadedVersion>();
    this.#pending = opened;
    for (const named of wanted) {
      const key = `${named.surface}/${named.version}`;
      try {
        opened.set(key, (await this.#known(named, before.get(key))) ?? (await this.#openWhole(named)));
      } catch (error) {
        if (error instanceof IoError) throw error;
        onBroken(named, error);
      }
    }
    return opened;
  }

  /** Whoever wants them once more has them read anew. */
  forget(): void {
    this.#pending = new Map();
  }

  async #known({ surface, version }: NamedVersion, pending: LoadedVersion | undefined): Promise<LoadedVersion | undefined> {
    for (const found of [this.#options.engine.find(surface, version), pending]) if (found !== undefined && (await this.isStill(found))) return found;
    return undefined;
  }

  /** A copy that was damaged after it was made is made again, once. */
  async #openWhole({ surface, version }: NamedVersion): Promise<LoadedVersion> {
    const { source, open } = this.#options;
    const directory = await source.directory(surface, version);
    try {
      return await open(surface, version, directory);
    } catch (error) {
      const renewed = error instanceof ArtifactError ? await source.renew(surface, version) : undefined;
      if (renewed === undefined) throw error;
      return open(surface, version, renewed);
    }
  }
}
