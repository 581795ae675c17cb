import { describe, expect, it } from 'vitest';
import { SMALL_ENCODERS, SMALL_SURFACES, smallProject } from '../../test/support/small-model.js';
import { OnefoldError } from '../config/errors.js';
import type { ModelConfig } from '../config/project.js';
import type { EncoderSet } from '../data/encoder-state.js';
import type { ModelLayout } from './layout.js';
import { planLayout } from './plan-layout.js';

const layoutOf = (config: ModelConfig, surfaces: readonly string[] = SMALL_SURFACES, encoders: EncoderSet = SMALL_ENCODERS): ModelLayout => {
  const project = smallProject({ one: { embedding: { width: 4 }, ...config } });
  return planLayout(project, encoders, project.models['one']!, surfaces);
};

const columnsOf = (layout: ModelLayout): string[] => layout.blocks.flatMap((block) => block.slots.map((slot) => slot.column));

describe('the layout of a unified model', () => {
  const layout = layoutOf({ preset: 'unified' });

  it('fuses tables by width, one after the other without gaps', () => {
    expect(layout.fusedTables).toEqual([
      { width: 3, rows: 5, tables: [{ name: 'user', base: 0, rows: 5 }] },
      {
        width: 4,
        rows: 3 + 5 + 7 + 6 + 19 + 4 + 6,
        tables: [
          { name: '@surface', base: 0, rows: 3 },
          { name: '@view_type', base: 3, rows: 5 },
          { name: 'query', base: 8, rows: 7 },
          { name: 'ad', base: 15, rows: 6 },
          { name: 'history.gap', base: 21, rows: 19 },
          { name: 'tags', base: 40, rows: 4 },
          { name: 'price', base: 44, rows: 6 },
        ],
      },
    ]);
  });

  it('has one lookup block per side and width, slots next to each other', () => {
    expect(layout.blocks.map(({ name, rows, width, blockWidth }) => ({ name, rows, width, blockWidth }))).toEqual([
      { name: 'embedding.request.3', rows: 'request', width: 3, blockWidth: 3 },
      { name: 'embedding.request.4', rows: 'request', width: 4, blockWidth: 20 },
      { name: 'embedding.candidate.4', rows: 'candidate', width: 4, blockWidth: 12 },
    ]);
    for (const block of layout.blocks) expect(block.slots.map((slot) => slot.offset)).toEqual(block.slots.map((_, index) => index * block.width));
    expect(layout.blocks[1]!.slots.map(({ column, base, rows, pooling }) => [column, base, rows, pooling])).toEqual([
      ['@surface', 0, 3, 'single'],
      ['@view_type', 3, 5, 'single'],
      ['query', 8, 7, 'single'],
      ['history.ad', 15, 6, 'mean'],
      ['history.gap', 21, 19, 'mean'],
    ]);
  });

  it('looks a shared table up at one place for both of its features', () => {
    const slots = layout.blocks.flatMap((block) => block.slots);
    expect(slots.find(({ column }) => column === 'history.ad')!.base).toBe(slots.find(({ column }) => column === 'ad')!.base);
  });

  it('lays out only the features that the model reads', () => {
    const own = layoutOf({ preset: 'unified', features: ['ad', 'rank'] });
    expect(columnsOf(own).filter((column) => !column.startsWith('@'))).toEqual(['ad']);
    expect(own.dense.flatMap(({ slots }) => slots.map(({ column }) => column))).toEqual(['rank']);
    expect(own.fusedTables.flatMap(({ tables }) => tables.map(({ name }) => name))).toEqual(['@surface', '@view_type', 'ad']);
  });

  it('gives numbers a presence flag each, vectors one behind their numbers', () => {
    expect(layout.dense).toEqual([
      { name: 'dense.request', rows: 'request', blockWidth: 2, slots: [{ column: 'age', kind: 'number', offset: 0, size: 2 }] },
      {
        name: 'dense.candidate',
        rows: 'candidate',
        blockWidth: 5,
        slots: [
          { column: 'rank', kind: 'number', offset: 0, size: 2 },
          { column: 'creative', kind: 'vector', offset: 2, size: 3 },
        ],
      },
    ]);
  });

  it('has all tasks with their weights and surfaces', () => {
    expect(layout.tasks).toEqual([
      { name: 'click', weight: 1, surfaces: SMALL_SURFACES },
      { name: 'save', weight: 0.5, surfaces: ['search', 'related'] },
    ]);
    expect(layout.surfaceIndices).toEqual([0, 1, 2]);
  });
});

describe('the layout of one surface', () => {
  it('has the features, tables and tasks of that surface alone', () => {
    const home = layoutOf({ preset: 'separate' }, ['home']);
    expect(columnsOf(home)).toEqual(['user', '@view_type', 'history.ad', 'history.gap', 'ad', 'tags', 'price']);
    expect(home.fusedTables.flatMap(({ tables }) => tables.map((table) => table.name))).not.toContain('query');
    expect(home.dense.flatMap((block) => block.slots.map((slot) => slot.column))).toEqual(['age', 'creative']);
    expect(home.tasks).toEqual([{ name: 'click', weight: 1, surfaces: ['home'] }]);
    const related = layoutOf({ preset: 'separate' }, ['related']);
    expect(related.surfaceIndices).toEqual([2]);
    expect(related.dense.flatMap((block) => block.slots.map((slot) => slot.column))).toEqual(['age', 'rank', 'creative']);
  });

  it('embeds the view type only where the surface has several', () => {
    expect(columnsOf(layoutOf({ preset: 'separate' }, ['home']))).toContain('@view_type');
    expect(columnsOf(layoutOf({ preset: 'separate' }, ['search']))).not.toContain('@view_type');
    const single = { ...SMALL_ENCODERS, viewTypes: ['', 'home/home', 'search/search', 'related/related'] };
    expect(columnsOf(layoutOf({ preset: 'unified' }, SMALL_SURFACES, single))).not.toContain('@view_type');
  });

  it('is as wide per id as the surface has tasks where the model is linear', () => {
    for (const [surface, width] of [['home', 1], ['search', 2]] as const) {
      const linear = layoutOf({ preset: 'linear' }, [surface]);
      expect(linear.fusedTables.map((fused) => fused.width)).toEqual([width]);
      expect(linear.tasks.length).toBe(width);
    }
  });
});

describe('a config and a dataset that do not fit together', () => {
  const failure = (encoders: EncoderSet): OnefoldError => {
    try {
      layoutOf({ preset: 'unified' }, SMALL_SURFACES, encoders);
    } catch (error) {
      if (error instanceof OnefoldError) return error;
      throw error;
    }
    throw new Error('it was laid out');
  };

  it.each([
    ['a feature that the config lacks', { ...SMALL_ENCODERS, columns: [...SMALL_ENCODERS.columns, { ...SMALL_ENCODERS.columns[0]!, name: 'old', feature: 'old' }] }, 'features.old'],
    ['a feature that the dataset lacks', { ...SMALL_ENCODERS, columns: SMALL_ENCODERS.columns.filter((column) => column.feature !== 'age') }, 'features.age'],
    ['a surface that the dataset lacks', { ...SMALL_ENCODERS, surfaces: ['home', 'search'] }, 'surfaces.related'],
    ['a table that the dataset lacks', { ...SMALL_ENCODERS, tables: SMALL_ENCODERS.tables.filter((table) => table.name !== 'ad') }, undefined],
  ])('are told apart: %s', (_, encoders, where) => {
    const error = failure(encoders);
    expect(error.code).toBe('artifact');
    expect(error.where).toBe(where);
    expect(error.fix).toContain('onefold prepare');
  });
});
