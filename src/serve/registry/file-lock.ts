/** A lock among processes, and machines that share a folder: a file that only one of them can create. */
import { randomUUID } from 'node:crypto';
import { link, open, rename, rm, stat } from 'node:fs/promises';

/** A lock that stays this long was left by a process that was killed: what it guards takes milliseconds. */
const STALE_MS = 10_000;

/** Which lock it is: a new one in the same place differs. */
const identify = async (path: string): Promise<string | undefined> => {
  try {
    const { ino, mtimeNs } = await stat(path, { bigint: true });
    return `${ino}/${mtimeNs}`;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
};

/** One file; every process that wants it has an instance. */
export class FileLock {
  readonly #path: string;
  readonly #staleMs: number;
  /** The lock of another that was met, and since when: by this process's clock, which a file server's may differ from. */
  #met: { readonly id: string; readonly since: number } | undefined;

  constructor(path: string, staleMs = STALE_MS) {
    this.#path = path;
    this.#staleMs = staleMs;
  }

  /**
   * Runs alone; false at once when another runs.
   *
   * @param work asks `isHeld` right before what it must not do without the lock: it may have been stopped for so long that the
   * lock was taken for a leftover
   */
  async tryRun(work: (isHeld: () => Promise<boolean>) => Promise<boolean>): Promise<boolean> {
    try {
      await (await open(this.#path, 'wx')).close();
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
      await this.#removeStale();
      return false;
    }
    const own = await identify(this.#path);
    const isHeld = async (): Promise<boolean> => own !== undefined && (await identify(this.#path)) === own;
    try {
      return await work(isHeld);
    } finally {
      if (await isHeld()) await rm(this.#path, { force: true });
    }
  }

  async #removeStale(): Promise<void> {
    const id = await identify(this.#path);
    if (id === undefined || id !== this.#met?.id) {
      this.#met = id === undefined ? undefined : { id, since: performance.now() };
      return;
    }
    if (performance.now() - this.#met.since < this.#staleMs) return;
    const aside = `${this.#path}.${randomUUID()}`;
    try {
      await rename(this.#path, aside);
    } catch {
      // Somebody else removed it.
      return;
    }
    // A new lock may have come in its place just now: it goes back.
    if ((await identify(aside)) !== id) await link(aside, this.#path).catch(() => undefined);
    await rm(aside, { force: true });
  }
}
