import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Predictions } from './predictions.js';
import { bothScored, onSurfaces, overlay } from './select-predictions.js';

const SURFACES = ['home', 'search', 'related'];

/** Requests of a surface and a user, with some candidates each; a task of all surfaces, with truths, and one that home lacks. */
const predictionsArbitrary: fc.Arbitrary<Predictions> = fc
  .array(fc.record({ surface: fc.nat(2), user: fc.nat(4), size: fc.integer({ min: 1, max: 4 }) }), { maxLength: 12 })
  .chain((requests) => {
    const rows = requests.flatMap((request, index) => new Array<typeof request & { index: number }>(request.size).fill({ ...request, index }));
    const floats = fc.array(fc.float({ min: 0, max: 1, noNaN: true }), { minLength: 2 * rows.length, maxLength: 2 * rows.length });
    return floats.map((values): Predictions => {
      const isOn = (row: number): boolean => rows[row]!.surface !== 0;
      return {
        count: rows.length,
        surfaceNames: SURFACES,
        viewTypeNames: ['', 'home/a', 'search/a', 'related/a'],
        surfaces: Int32Array.from(rows, ({ surface }) => surface),
        viewTypes: Int32Array.from(rows, ({ surface }) => surface + 1),
        users: Int32Array.from(rows, ({ user }) => user),
        requests: Int32Array.from(rows, ({ index }) => index),
        tasks: [
          { task: 'click', labels: Float32Array.from(rows, (_, row) => row % 2), probabilities: Float32Array.from(values.slice(0, rows.length)), truths: Float64Array.from(rows, (_, row) => row / 100) },
          { task: 'save', labels: Float32Array.from(rows, (_, row) => (isOn(row) ? row % 3 === 0 ? 1 : 0 : NaN)), probabilities: Float32Array.from(values.slice(rows.length), (value, row) => (isOn(row) ? value : NaN)) },
        ],
      };
    });
  });

const someSurfaces = fc.subarray(SURFACES);

/** Numbers by first appearance, a row at a time. */
const byAppearance = (values: readonly number[]): readonly number[] => values.map((value) => [...new Set(values)].indexOf(value));

const rowsOn = ({ surfaces, surfaceNames }: Predictions, wanted: readonly string[]): readonly number[] => [...surfaces.keys()].filter((row) => wanted.includes(surfaceNames[surfaces[row]!]!));

describe('onSurfaces', () => {
  it('is the rows of the surfaces, in their order', () => {
    fc.assert(
      fc.property(predictionsArbitrary, someSurfaces, (predictions, surfaces) => {
        const rows = rowsOn(predictions, surfaces);
        const own = onSurfaces(predictions, surfaces);
        expect(own.count).toBe(rows.length);
        expect(own.surfaceNames).toEqual(predictions.surfaceNames);
        for (const key of ['surfaces', 'viewTypes'] as const) expect([...own[key]]).toEqual(rows.map((row) => predictions[key][row]));
        for (const key of ['users', 'requests'] as const) expect([...own[key]]).toEqual(byAppearance(rows.map((row) => predictions[key][row]!)));
        expect(own.tasks.map(({ task }) => task)).toEqual(['click', 'save']);
        own.tasks.forEach((task, index) => {
          const from = predictions.tasks[index]!;
          expect([...task.labels]).toEqual(rows.map((row) => from.labels[row]));
          expect([...task.probabilities]).toEqual(rows.map((row) => from.probabilities[row]));
          expect(task.truths === undefined ? undefined : [...task.truths]).toEqual(from.truths === undefined ? undefined : rows.map((row) => from.truths![row]));
        });
      }),
    );
  });

  it('is the same however many other surfaces were scored beside them', () => {
    fc.assert(
      fc.property(predictionsArbitrary, someSurfaces, someSurfaces, (predictions, surfaces, more) => {
        const wider = onSurfaces(predictions, [...surfaces, ...more]);
        expect(onSurfaces(wider, surfaces)).toEqual(onSurfaces(predictions, surfaces));
      }),
    );
  });
});

describe('overlay', () => {
  const scored = (predictions: Predictions, add: number): Predictions => ({
    ...predictions,
    tasks: predictions.tasks.map((task) => ({ ...task, probabilities: task.probabilities.map((value) => value + add) })),
  });

  it('takes the probabilities of the surfaces that are over, and leaves all else', () => {
    fc.assert(
      fc.property(predictionsArbitrary, someSurfaces, (under, surfaces) => {
        const over = onSurfaces(scored(under, 2), surfaces);
        const laid = overlay(under, over);
        const covered = new Set(rowsOn(under, surfaces));
        under.tasks.forEach((task, index) => {
          expect([...laid.tasks[index]!.probabilities]).toEqual([...task.probabilities].map((value, row) => (covered.has(row) ? Math.fround(value + 2) : value)));
        });
        const without = (predictions: Predictions) => ({ ...predictions, tasks: predictions.tasks.map((task) => ({ ...task, probabilities: null })) });
        expect(without(laid)).toEqual(without(under));
      }),
    );
  });

  it('undoes a selection: parts laid over give the whole', () => {
    fc.assert(
      fc.property(predictionsArbitrary, someSurfaces, (whole, surfaces) => {
        const rest = SURFACES.filter((surface) => !surfaces.includes(surface));
        const laid = [surfaces, rest].reduce((under, part) => overlay(under, onSurfaces(whole, part)), scored(whole, 2));
        expect(laid).toEqual(whole);
      }),
    );
  });

  it('knows surfaces by name, and keeps tasks that the model over it lacks', () => {
    fc.assert(
      fc.property(predictionsArbitrary, someSurfaces, (under, surfaces) => {
        const over = onSurfaces(scored(under, 2), surfaces);
        const renamed = { ...over, surfaceNames: [...SURFACES].reverse(), surfaces: over.surfaces.map((surface) => 2 - surface) };
        expect(overlay(under, renamed)).toEqual(overlay(under, over));
        const [click, save] = overlay(under, { ...over, tasks: over.tasks.slice(0, 1) }).tasks;
        expect(click).toEqual(overlay(under, over).tasks[0]);
        expect(save).toEqual(under.tasks[1]);
      }),
    );
  });
});

describe('bothScored', () => {
  it('keeps the labels of rows that both have scored, and the tasks that have any', () => {
    fc.assert(
      fc.property(predictionsArbitrary, fc.array(fc.boolean(), { minLength: 48, maxLength: 48 }), fc.boolean(), (a, unscored, knowsSave) => {
        const tasks = a.tasks.map((task) => ({ ...task, probabilities: task.probabilities.map((value, row) => (unscored[row]! || (task.task === 'save' && !knowsSave) ? NaN : value / 2)) }));
        const [ofA, ofB] = bothScored(a, { ...a, tasks });
        expect(ofA.tasks.map(({ task }) => task)).toEqual(ofB.tasks.map(({ task }) => task));
        for (const task of a.tasks) {
          const kept = [...task.labels.keys()].filter((row) => !Number.isNaN(task.labels[row]!) && !unscored[row]! && (task.task === 'click' || knowsSave));
          const own = ofA.tasks.find((one) => one.task === task.task);
          const labelled = own === undefined ? [] : [...own.labels.keys()].filter((row) => !Number.isNaN(own.labels[row]!));
          expect(labelled).toEqual(kept);
          expect(own === undefined).toBe(kept.length === 0);
          expect(ofB.tasks.find((one) => one.task === task.task)?.labels).toEqual(own?.labels);
        }
      }),
    );
  });
});
