import { join } from 'node:path';
import { UsageError } from '../../config/errors.js';
import type { Project } from '../../config/project.js';
import type { UnifyPlan } from '../../config/unify-plan.js';
import type { PreparedManifest } from '../../data/prepared.js';
import { readTraffic, type Traffic } from '../../data/traffic.js';
import type { TrainProgress } from '../../train/progress.js';
import { openPrepared } from '../open-prepared.js';
import { codeVersion } from './code-version.js';
import { Memo } from './memo.js';

/** What a plan says while it runs. */
export interface PathEvents {
  /** A headline of the stage that starts. */
  readonly onStage: (label: string) => void;
  /** A line about what was found. */
  readonly onLine: (line: string) => void;
  readonly onTraining: (name: string, progress: TrainProgress) => void;
  /** Something shorter than training goes on. */
  readonly onWork: (what: string) => void;
}

/** Everything the stages of a plan share. */
export interface PathContext extends PathEvents {
  readonly project: Project;
  readonly plan: UnifyPlan;
  readonly manifest: PreparedManifest;
  /** Folder of the prepared dataset. */
  readonly prepared: string;
  readonly traffic: { readonly train: Traffic; readonly test: Traffic };
  /** Folder of everything the plan writes. */
  readonly workspace: string;
  readonly memo: Memo;
  /** Version of the code that trains. */
  readonly trainingCode: string;
  readonly signal: AbortSignal | undefined;
}

/** Folder of everything that `onefold unify` writes. */
export const unifyDirectory = (project: Project): string => join(project.workspace, 'unify');

/**
 * Opens a project for its plan.
 *
 * @throws UsageError where there is nothing to unify; ArtifactError when the dataset is not prepared for this config
 */
export const openPath = async (project: Project, events: PathEvents, signal?: AbortSignal): Promise<PathContext> => {
  if (project.unify === undefined || project.surfaces.length < 2) {
    throw new UsageError('there is nothing to unify: the project has one surface', { where: 'surfaces', expected: 'at least two surfaces', fix: `declare the others in ${project.file}` });
  }
  const { directory, manifest } = await openPrepared(project);
  const code = codeVersion();
  const workspace = unifyDirectory(project);
  return {
    ...events,
    project,
    plan: project.unify,
    manifest,
    prepared: directory,
    traffic: { train: await readTraffic(directory, manifest, 'train'), test: await readTraffic(directory, manifest, 'test') },
    workspace,
    memo: new Memo(join(workspace, 'cache'), code.all),
    trainingCode: code.training,
    signal,
  };
};
