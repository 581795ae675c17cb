import type { Model, Project } from '../../config/project.js';
import { MODEL_STAGES, STAGES, type Gate, type ModelStage, type StageName, type UnifyPlan } from '../../config/unify-plan.js';

const isRecord = (value: unknown): value is Readonly<Record<string, unknown>> => typeof value === 'object' && value !== null && !Array.isArray(value);

/** Options that differ, by path: `transformer.width 32`. */
const differences = (before: unknown, after: unknown, path = ''): readonly string[] => {
  if (isRecord(before) && isRecord(after)) {
    return [...new Set([...Object.keys(before), ...Object.keys(after)])].flatMap((key) => differences(before[key], after[key], path === '' ? key : `${path}.${key}`));
  }
  if (JSON.stringify(before) === JSON.stringify(after) || path === 'name' || path === 'preset') return [];
  return [after === undefined ? `no ${path}` : `${path} ${JSON.stringify(after)}`];
};

const limits = ({ quality, gain, calibration, trainingCost, latency, size }: Gate): string => {
  const parts = [
    ...(quality === undefined ? [] : [`no surface shown to lose more than ${quality.margin} ${quality.metric.toUpperCase()} (${quality.tasks.join(', ')})`]),
    ...(gain ? ['a gain over all surfaces shown'] : []),
    ...(calibration === undefined ? [] : [`calibration within 1 ± ${calibration.within} per view type`]),
    ...(trainingCost === undefined ? [] : [`training FLOPs at most ${trainingCost} × the separate models'`]),
    ...(latency === undefined ? [] : [`median latency at most ${latency} × the separate model's`]),
    ...(size === undefined ? [] : [`exports at most ${size} × the separate models' bytes`]),
  ];
  return parts.length === 0 ? 'none' : parts.join('; ');
};

const shape = ({ cross, mlp, tower, transformer, experts, projection }: Model): string =>
  [
    `cross ${cross.layers} layers${cross.rank === undefined ? '' : ` of rank ${cross.rank}`}`,
    `mlp [${mlp.join(', ')}]`,
    `tower [${tower.join(', ')}]`,
    ...(transformer === undefined ? [] : [`Transformer of ${transformer.layers} × ${transformer.width}`]),
    ...(projection === undefined ? [] : [`projection to ${projection.width}`]),
    ...(experts === undefined ? [] : [`${experts.count} experts`]),
  ].join(', ');

/** What a stage's model has that the one before lacks. */
const changes = ({ models }: UnifyPlan, stage: ModelStage): string => {
  const before = MODEL_STAGES[MODEL_STAGES.indexOf(stage) - 1]!;
  const changed = differences(models[before], models[stage]);
  return changed.length === 0 ? 'the same model' : `changes ${changed.join(', ')}`;
};

const work = (project: Project, plan: UnifyPlan, stage: StageName): readonly string[] => {
  switch (stage) {
    case 'separate':
      return Object.keys(project.data.outside).length > 0 ? ["an outside model's predictions, from the logs"] : Object.entries(plan.separate).map(([surface, model]) => `${surface}: ${shape(model)}`);
    case 'profile':
      return [plan.order === undefined ? `groups surfaces whose costs are at least ${plan.similarity} alike` : `groups declared: ${plan.order.map((group) => group.join(' + ')).join(', then ')}`];
    case 'baseline':
      return [shape(plan.models.baseline)];
    case 'shared-learning':
    case 'efficiency':
    case 'surface-aware':
      return [changes(plan, stage)];
    case 'calibration':
      return [`a layer per view type and task, of ${plan.calibration.methods.join(', ')}`];
    case 'expand':
      return ['once for each group after the first'];
    case 'export':
      return [`tables ${plan.export.tables}, dense layers ${plan.export.dense}`];
  }
};

const gateText = ({ gates }: UnifyPlan, stage: StageName): string => {
  if (stage === 'profile') return 'none';
  if (stage === 'separate') return gates.separate.quality === undefined ? 'none' : 'each surface above chance';
  // Exports are held to parity with the model that they are of, not to a comparison.
  return limits(stage === 'export' ? { ...gates.export, quality: undefined, gain: false } : gates[stage]);
};

/** A plan in words: what each stage does, and its limits. */
export const explainPlan = (project: Project): string => {
  const plan = project.unify;
  if (plan === undefined || project.surfaces.length < 2) return 'There is nothing to unify: the project has one surface.';
  const { sweep } = plan;
  const sweeps = sweep.trials === 1 ? 'no sweep' : `${sweep.trials} settings (${sweep.method}) each at separate, ${sweep.stages.join(', ')}`;
  const lines = STAGES.map((stage, index) => [`${index + 1}. ${stage}`, ...work(project, plan, stage).map((line) => `   ${line}`), `   gate: ${gateText(plan, stage)}`].join('\n'));
  return [...lines, `Settings tried: ${sweeps}.`].join('\n');
};
