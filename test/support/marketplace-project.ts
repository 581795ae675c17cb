/** The quickstart's project on a small marketplace, with models so small that every stage of `unify` takes seconds. */
import { cpSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { runCli, type CliOptions, type CliRun } from './run-cli.js';

const QUICKSTART = fileURLToPath(new URL('../../examples/quickstart/onefold.config.ts', import.meta.url));

/** What is changed of the quickstart's config: TypeScript expressions of `config`, by the option they replace. */
export type MarketplaceChange = Readonly<Record<string, string>>;

/** Quality at this size is noise, and latency another machine's: their limits are for other tests. */
export const SMALL_UNIFY = `{
    sharedLearning: { transformer: { layers: 1, width: 8, read: 'candidate' }, experts: { count: 2, hidden: [8] } },
    efficiency: { projection: { width: 4 } },
    surfaceAware: { tower: [8] },
    order: [['home_feed', 'search'], ['related_pins']],
    gates: { quality: { margin: 1 }, calibration: { within: 10 }, trainingCost: false, latency: false, size: false },
    report: { importanceRows: 500 },
  }`;

const SMALL: MarketplaceChange = {
  models: "{ separate: { preset: 'separate', embedding: { width: 4 }, cross: { layers: 1 }, mlp: [16], tower: [8] }, unified: { preset: 'unified', embedding: { width: 4 }, cross: { layers: 1 }, mlp: [16] } }",
  training: '{ batchSize: 256, epochs: 1, learningRate: 5e-3, warmupSteps: 5, evaluationsPerEpoch: 2, threads: 1, checkpointMinutes: 1e-3 }',
  unify: SMALL_UNIFY,
};

/** A simulated log, and projects that read it. */
export class Marketplace {
  readonly #root: string;

  private constructor(root: string) {
    this.#root = root;
  }

  static async create(candidates: number): Promise<Marketplace> {
    const root = mkdtempSync(join(tmpdir(), 'onefold-marketplace-'));
    const { exit, stderr } = await runCli(['simulate', 'data', '--candidates', String(candidates)], { cwd: root });
    if (exit !== 0) throw new Error(`the simulation ended with ${String(exit)}:\n${stderr}`);
    return new Marketplace(root);
  }

  /** A project of its own workspace. */
  project(name: string, change: MarketplaceChange = {}): MarketplaceProject {
    return new MarketplaceProject(this.#root, name, change);
  }

  remove(): void {
    rmSync(this.#root, { recursive: true, force: true });
  }
}

export class MarketplaceProject {
  readonly #root: string;
  readonly #name: string;

  constructor(root: string, name: string, change: MarketplaceChange) {
    this.#root = root;
    this.#name = name;
    this.configure(change);
  }

  /** Writes the config anew, with these options in place of the small ones. */
  configure(change: MarketplaceChange): void {
    const options = Object.entries({ workspace: JSON.stringify(this.#name), ...SMALL, ...change }).map(([option, value]) => `${option}: ${value}`);
    writeFileSync(
      join(this.#root, `${this.#name}.mts`),
      `import quickstart from ${JSON.stringify(QUICKSTART)};\nexport default (environment) => {\n  const config = quickstart(environment);\n  return { ...config, ${options.join(', ')} };\n};\n`,
    );
  }

  /** Takes over all that another project has made. */
  copyFrom(other: MarketplaceProject): void {
    cpSync(other.path(), this.path(), { recursive: true });
  }

  path(...parts: readonly string[]): string {
    return join(this.#root, this.#name, ...parts);
  }

  run(command: string, args: readonly string[] = [], options: Omit<CliOptions, 'cwd'> = {}): Promise<CliRun> {
    return runCli([command, ...args, '--config', `${this.#name}.mts`, '--data', 'data'], { cwd: this.#root, ...options });
  }
}
