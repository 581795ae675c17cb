/** Which names may become labels: what clients make up must not fill the memory of whoever collects metrics. */
import type { ServedSurface } from '../raw-request.js';

/** Series of a version that is no longer loaded are kept this long, so that its last counts are collected. */
const KEPT_MS = 10 * 60_000;

interface KnownVersion {
  readonly surface: string;
  readonly version: string;
  /** Empty where nobody has said yet that it is loaded. */
  readonly tasks: readonly string[];
  /** Since when it is not loaded; undefined while it is. */
  readonly goneAt: number | undefined;
}

const keyOf = (surface: string, version: string): string => `${surface}\u0000${version}`;

/** Surfaces, versions, view types and tasks that are loaded, or were until a moment ago. */
export class KnownVersions {
  #versions = new Map<string, KnownVersion>();
  #viewTypes = new Map<string, ReadonlySet<string>>();
  #surfaces: ReadonlySet<string> = new Set();

  /** @param loaded every version that is loaded now */
  update(loaded: readonly ServedSurface[], now: number): void {
    const next = new Map(loaded.map(({ surface, version, tasks }) => [keyOf(surface, version), { surface, version, tasks, goneAt: undefined } as KnownVersion]));
    for (const [key, known] of this.#versions) if (!next.has(key)) next.set(key, { ...known, goneAt: known.goneAt ?? now });
    this.#versions = next;
    this.#surfaces = new Set([...next.values()].map(({ surface }) => surface));
    for (const { surface, viewTypes } of loaded) this.#viewTypes.set(surface, new Set([...viewTypes, surface]));
  }

  /** A version that did some work is loaded, though nobody may have said so yet: new versions take over between two requests. */
  add(surface: string, version: string): void {
    const key = keyOf(surface, version);
    if (this.#versions.has(key)) return;
    this.#versions.set(key, { surface, version, tasks: [], goneAt: undefined });
    this.#surfaces = new Set([...this.#surfaces, surface]);
  }

  /** The name, or empty where no such surface is known. */
  surface(name: string): string {
    return this.#surfaces.has(name) ? name : '';
  }

  /** The version, or empty where the surface has none of that name. */
  version(surface: string, version: string): string {
    return this.#versions.has(keyOf(surface, version)) ? version : '';
  }

  /** The view type, or empty where the surface does not declare it. */
  viewType(surface: string, viewType: string): string {
    return this.#viewTypes.get(surface)?.has(viewType) === true ? viewType : '';
  }

  /** The task, or empty where no known version of the surface has it. */
  task(surface: string, task: string): string {
    return [...this.#versions.values()].some((one) => one.surface === surface && one.tasks.includes(task)) ? task : '';
  }

  /** Forgets versions that have been gone for long enough, and says which. */
  forget(now: number): readonly { readonly surface: string; readonly version: string }[] {
    const old = [...this.#versions].filter(([, { goneAt }]) => goneAt !== undefined && now - goneAt >= KEPT_MS);
    for (const [key] of old) this.#versions.delete(key);
    this.#surfaces = new Set([...this.#versions.values()].map(({ surface }) => surface));
    for (const surface of this.#viewTypes.keys()) if (!this.#surfaces.has(surface)) this.#viewTypes.delete(surface);
    return old.map(([, { surface, version }]) => ({ surface, version }));
  }
}
