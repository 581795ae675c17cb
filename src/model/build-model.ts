import type { Model, Project } from '../config/project.js';
import type { EncoderSet } from '../data/encoder-state.js';
import { blockInputs } from './inputs.js';
import type { ModelGraph } from './model-graph.js';
import { planLayout } from './plan-layout.js';
import { forward } from './presets.js';
import { Scope } from './scope.js';
import { raggedFrame } from './sequence-frame.js';
import type { Priors } from './surface-heads.js';

/** Surface groups a model is trained on: one group of all for `unified`, one per surface otherwise. */
export const surfaceGroups = (project: Project, model: Model): readonly (readonly string[])[] => {
  const surfaces = project.surfaces.map((surface) => surface.name);
  return model.preset === 'unified' ? [surfaces] : surfaces.map((surface) => [surface]);
};

/**
 * Builds a model's forward graph for training and evaluation.
 *
 * @param surfaces one of {@link surfaceGroups}
 * @param priors base rates of the training range, for the output layers' starting biases
 * @throws OnefoldError `artifact` when the prepared dataset and the config do not fit together
 */
export const buildModelGraph = (project: Project, encoders: EncoderSet, model: Model, surfaces: readonly string[], priors?: Priors): ModelGraph => {
  const planned = planLayout(project, encoders, model, surfaces);
  const scope = Scope.root({ serving: false });
  const inputs = blockInputs(planned);
  const { logits, load } = forward(scope, { model, layout: planned, surfaces, inputs, frame: raggedFrame, ...(priors === undefined ? {} : { priors }) });
  const uncertainty =
    model.taskWeighting === 'uncertainty' ? scope.parameter('task_uncertainty', [planned.tasks.length], { type: 'zeros' }, { decay: false }) : undefined;
  return {
    layout: { ...planned, dropout: scope.dropoutInputs },
    parameters: scope.parameters,
    blocks: inputs.blocks,
    logits,
    ...(load === undefined ? {} : { expertLoad: load }),
    ...(uncertainty === undefined ? {} : { uncertainty }),
  };
};
