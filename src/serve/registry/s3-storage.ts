/** A registry in a bucket. Versions are downloaded once into a cache. */
import { createHash, randomUUID } from 'node:crypto';
import { existsSync } from 'node:fs';
import { readFile, rename, rm, writeFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { dirname, join } from 'node:path';
import { ArtifactError, UsageError } from '../../config/errors.js';
import { explainIoFailure } from '../../data/io-failure.js';
import { EXPORT_FILES } from '../../export/manifest.js';
import { createPartial, removeAbandoned } from './partial-folders.js';
import { historyPath, REGISTRY_PATHS, versionPath, type RegistryStorage, type StoredPointer } from './registry-storage.js';
import type { PublishedVersion, RegistryOptions } from './registry.js';
import { S3Bucket } from './s3-bucket.js';
import { filesOf, otherContents, readVersionFiles, type VersionFile } from './version-files.js';

/** Buckets tell of no change: a rollback that takes effect within a second needs looks this often. */
const POLL_MS = 500;

/** Beside a version's files: digest of the manifest of who uploads them, so that two exports never mix under one name. */
const CLAIM = 'claim';

const cacheOf = ({ endpoint = '', location }: S3Bucket, { cacheDirectory }: RegistryOptions): string => {
  const all = cacheDirectory ?? join(process.env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache'), 'onefold', 'registry');
  return join(all, createHash('sha256').update(`${endpoint} ${location}`).digest('hex').slice(0, 16));
};

class S3Storage implements RegistryStorage {
  readonly pollMs = POLL_MS;
  readonly #bucket: S3Bucket;
  readonly #cache: string;

  constructor(bucket: S3Bucket, options: RegistryOptions) {
    this.#bucket = bucket;
    this.#cache = cacheOf(bucket, options);
  }

  async readPointer(): Promise<StoredPointer | undefined> {
    const found = await this.#bucket.get(REGISTRY_PATHS.pointer);
    return found === undefined ? undefined : { text: found.text, tag: found.etag };
  }

  async writePointer(text: string, tag: string | undefined): Promise<boolean> {
    const writer = randomUUID();
    if (await this.#bucket.put(REGISTRY_PATHS.pointer, text, tag === undefined ? 'absent' : { ifMatch: tag }, writer)) return true;
    // A write whose answer was lost is sent again, and meets itself.
    return (await this.#bucket.get(REGISTRY_PATHS.pointer))?.writer === writer;
  }

  async remember(revision: number, text: string): Promise<void> {
    await this.#bucket.put(historyPath(revision), text);
  }

  async recall(revision: number): Promise<string | undefined> {
    return (await this.#bucket.get(historyPath(revision)))?.text;
  }

  async forget(revision: number): Promise<void> {
    if (revision > 0) await this.#bucket.delete(historyPath(revision));
  }

  /** A version is there once its manifest is, which is written last. */
  async versions(): Promise<readonly PublishedVersion[]> {
    const end = `/${EXPORT_FILES.manifest}`;
    const start = `${REGISTRY_PATHS.versions}/`;
    return (await this.#bucket.list(start)).flatMap((name) => {
      const [surface, version] = name.endsWith(end) ? name.slice(start.length, -end.length).split('/') : [];
      return surface === undefined || version === undefined ? [] : [{ surface, version }];
    });
  }

  async add(surface: string, version: string, directory: string): Promise<void> {
    const folder = versionPath(surface, version);
    const place = `${this.#bucket.location}/${folder}`;
    const { manifest, files } = await readVersionFiles(directory);
    const isThere = async (): Promise<boolean> => {
      const there = await this.readManifest(surface, version);
      if (there !== undefined && there !== manifest) throw otherContents(place);
      return there !== undefined;
    };
    const upload = async (some: readonly VersionFile[]): Promise<void> => {
      for (const { path } of some) await this.#bucket.upload(`${folder}/${path}`, join(directory, path));
    };
    if (await isThere()) {
      // What is not as long as it should be is damaged. Nobody downloads it all to find out more.
      const sizes = await this.#bucket.sizes(`${folder}/`);
      await upload(files.filter(({ path, bytes }) => sizes.get(`${folder}/${path}`) !== bytes));
      return;
    }
    const claim = createHash('sha256').update(manifest).digest('hex');
    if (!(await this.#bucket.put(`${folder}/${CLAIM}`, claim, 'absent')) && (await this.#bucket.get(`${folder}/${CLAIM}`))?.text !== claim) {
      throw new ArtifactError(`another export is being published as ${place}, or was not to its end`, { where: place, expected: 'a name of its own for each export', fix: 'publish it under another --name' });
    }
    await upload(files);
    await this.#bucket.put(`${folder}/${EXPORT_FILES.manifest}`, manifest, 'absent');
    await isThere();
  }

  async readManifest(surface: string, version: string): Promise<string | undefined> {
    return (await this.#bucket.get(`${versionPath(surface, version)}/${EXPORT_FILES.manifest}`))?.text;
  }

  async directory(surface: string, version: string): Promise<string> {
    const target = join(this.#cache, surface, version);
    if (existsSync(target)) return (await this.#isCurrent(surface, version, target)) ? target : this.renew(surface, version);
    const parent = dirname(target);
    let aside: string | undefined;
    try {
      await removeAbandoned(parent);
      aside = await createPartial(parent);
      await this.#download(surface, version, aside);
      await rename(aside, target);
    } catch (error) {
      // Another process of this machine may have been faster.
      if (!existsSync(target)) throw explainIoFailure(error, target);
    } finally {
      if (aside !== undefined) await rm(aside, { recursive: true, force: true });
    }
    return target;
  }

  async renew(surface: string, version: string): Promise<string> {
    const damaged = join(this.#cache, surface, version);
    // Under another name first: nobody may find half of it. Whoever has it mapped keeps what it has.
    const aside = await createPartial(dirname(damaged));
    try {
      await rename(damaged, join(aside, version));
    } catch (error) {
      // Another process of this machine may have been faster.
      if ((error as { readonly code?: unknown }).code !== 'ENOENT') throw explainIoFailure(error, damaged);
    } finally {
      await rm(aside, { recursive: true, force: true });
    }
    return this.directory(surface, version);
  }

  /** Whether a copy is of what its name means in the bucket: a version that was deleted may have left its name to another. */
  async #isCurrent(surface: string, version: string, copy: string): Promise<boolean> {
    const there = await this.readManifest(surface, version);
    return there === undefined || there === (await readFile(join(copy, EXPORT_FILES.manifest), 'utf8').catch(() => undefined));
  }

  async #download(surface: string, version: string, into: string): Promise<void> {
    const folder = versionPath(surface, version);
    const manifest = await this.readManifest(surface, version);
    if (manifest === undefined) {
      throw new UsageError(`${this.#bucket.location} has no version "${version}" of "${surface}"`, { where: `${surface}=${version}`, expected: 'a version that was published', fix: '`onefold versions` lists them' });
    }
    await writeFile(join(into, EXPORT_FILES.manifest), manifest);
    for (const file of filesOf(manifest, `${folder}/${EXPORT_FILES.manifest}`)) await this.#bucket.download(`${folder}/${file.path}`, join(into, file.path));
    // Loaded here alone: it brings ONNX Runtime with it, which a rollback need not wait for.
    const { readExport } = await import('../../export/open-export.js');
    await readExport(into);
  }
}

/** A registry's files in a bucket. */
export const s3Storage = (location: string, options: RegistryOptions): RegistryStorage => new S3Storage(new S3Bucket(location, options.s3Endpoint), options);
