import { describe, expect, it } from 'vitest';
import { simulatedPredictions } from '../../../test/fixtures/simulated-predictions.js';
import { comparePredictions } from '../../evaluate/compare.js';
import { qualityCells } from './quality.js';

describe('qualityCells', () => {
  const comparison = comparePredictions(simulatedPredictions({ noise: 2 }), simulatedPredictions({ noise: 0.2 }), { bootstrap: { replicates: 20 } });

  it('is AUC and NE of every task, overall and per surface', () => {
    const cells = qualityCells(comparison);
    const slices = comparison.tasks.flatMap(({ task, overall, surfaces }) => [overall, ...surfaces].flatMap(({ name }) => ['auc', 'ne'].map((metric) => `${task} ${name} ${metric}`)));
    expect(cells.map(({ task, surface, metric }) => `${task} ${surface} ${metric}`)).toEqual(slices);
    const { metrics } = comparison.tasks[1]!.surfaces[0]!;
    const cell = cells.find(({ task, surface, metric }) => task === comparison.tasks[1]!.task && surface === comparison.tasks[1]!.surfaces[0]!.name && metric === 'ne')!;
    expect(cell).toMatchObject({ champion: metrics.ne!.a, challenger: metrics.ne!.b, difference: metrics.ne!.difference, interval: metrics.ne!.interval, verdict: metrics.ne!.verdict });
  });

  it('leaves out a metric that one class alone cannot have', () => {
    const onlyNegatives = (noise: number) => {
      const predictions = simulatedPredictions({ noise });
      return { ...predictions, tasks: predictions.tasks.slice(0, 1).map((task) => ({ ...task, labels: task.labels.map(() => 0) })) };
    };
    expect(qualityCells(comparePredictions(onlyNegatives(1), onlyNegatives(2), { bootstrap: { replicates: 5 } })).filter(({ metric }) => metric === 'auc')).toEqual([]);
  });
});
