import { join } from 'node:path';
import { removeCheckpoint } from './checkpoint.js';
import type { CheckpointIdentity } from './checkpoint-manifest.js';
import type { Engine } from './engine.js';
import type { LoopState } from './loop-state.js';

/** What every checkpoint of a run says of it. */
export type RunIdentity = Pick<CheckpointIdentity, 'model' | 'configHash' | 'seed' | 'vocabulary'>;

/** Folder of a run's result, and of what a killed run goes on from. */
export const RESULT_FOLDER = 'checkpoint';
export const RESUME_FOLDER = 'resume';

/** The checkpoints of a run, one under way at a time: training goes on while files are written. */
export class RunCheckpoints {
  readonly #engine: Engine;
  readonly #directory: string;
  readonly #identity: RunIdentity;
  readonly #interval: number;
  #last = performance.now();
  #underWay: Promise<void> | undefined;
  #failure: { readonly error: unknown } | undefined;

  /** @param minutes between two checkpoints to resume from */
  constructor(engine: Engine, directory: string, identity: RunIdentity, minutes: number) {
    this.#engine = engine;
    this.#directory = directory;
    this.#identity = identity;
    this.#interval = minutes * 60_000;
  }

  /**
   * Whether it is time for the next checkpoint, and the last one is written.
   *
   * @throws IoError when the last one could not be written
   */
  isDue(): boolean {
    if (this.#failure !== undefined) throw this.#failure.error;
    return this.#underWay === undefined && performance.now() - this.#last >= this.#interval;
  }

  /**
   * Saves the state after the steps handed to the engine so far; waits for the checkpoint before it, not for this one.
   *
   * @param isResult also as the run's result; that one is written first, so that what is resumed never says more than it
   */
  async start(state: LoopState, isResult = false): Promise<void> {
    await this.settle();
    const folders = isResult ? [RESULT_FOLDER, RESUME_FOLDER] : [RESUME_FOLDER];
    this.#underWay = this.#save(folders, state).then(
      () => {
        this.#underWay = undefined;
        this.#last = performance.now();
      },
      (error: unknown) => {
        this.#underWay = undefined;
        this.#failure = { error };
      },
    );
  }

  /** Waits for the checkpoint under way. @throws IoError when it could not be written */
  async settle(): Promise<void> {
    await this.#underWay;
    if (this.#failure !== undefined) throw this.#failure.error;
  }

  /** Writes the run's result alone. */
  async finish(state: LoopState): Promise<void> {
    await this.settle();
    await this.#save([RESULT_FOLDER], state);
  }

  /** Removes what a killed run would go on from. */
  removeResume(): void {
    removeCheckpoint(join(this.#directory, RESUME_FOLDER));
  }

  async #save(folders: readonly string[], state: LoopState): Promise<void> {
    await this.#engine.save(
      ...folders.map((folder) => ({
        directory: join(this.#directory, folder),
        step: state.step,
        // A result says nothing of how the loop went on: it is the same whenever it was written.
        identity: { ...this.#identity, epoch: state.epoch, progress: folder === RESUME_FOLDER ? state : null },
      })),
    );
  }
}
