import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { INPUT, searchSurface } from '../../../test/support/search-surface.js';
import { ArtifactError } from '../../config/errors.js';
import { openApiDocument } from '../json/openapi.js';
import type { RawInput, ServedSurface } from '../raw-request.js';
import { generateClient } from './generate-client.js';
import { readOpenApi } from './read-openapi.js';

const SOURCE = 'http://scorer/openapi.json';

const asJson = (document: unknown): unknown => JSON.parse(JSON.stringify(document));

/** Names that objects keep in the order they were put in. */
const name = fc.stringMatching(/^[a-z][a-zéß _-]{0,8}$/);

const plainInput = fc.record({
  name,
  side: fc.constantFrom('request' as const, 'candidate' as const),
  type: fc.constantFrom('text' as const, 'number' as const),
  form: fc.oneof(fc.constantFrom('scalar' as const, 'list' as const), fc.record({ vector: fc.integer({ min: 1, max: 40 }) })),
});

const sequenceInputs = fc.record({ sequence: name, fields: fc.uniqueArray(fc.oneof(name, fc.constant('@time')), { minLength: 1, maxLength: 4 }), types: fc.infiniteStream(fc.constantFrom('text' as const, 'number' as const)) }).map(({ sequence, fields, types }) =>
  fields.map((field): RawInput => ({ name: `${sequence}.${field}`, side: 'request', type: types.next().value!, form: 'list', sequence })),
);

const surface = (id: string): fc.Arbitrary<ServedSurface> =>
  fc
    .record({ tasks: fc.uniqueArray(name, { minLength: 1, maxLength: 3 }), viewTypes: fc.uniqueArray(name, { maxLength: 3 }), plain: fc.uniqueArray(plainInput, { selector: (input) => input.name, maxLength: 8 }), sequences: fc.uniqueArray(sequenceInputs, { selector: (inputs) => inputs[0]!.sequence, maxLength: 2 }) })
    .filter(({ plain, sequences }) => sequences.every((inputs) => plain.every((input) => input.name !== inputs[0]!.sequence)))
    .map(({ tasks, viewTypes, plain, sequences }) => ({ surface: id, version: 'v', digest: '', isCurrent: true, tasks, viewTypes, inputs: [...plain, ...sequences.flat()] }));

describe('readOpenApi', () => {
  it('gives back what openApiDocument was written of', () => {
    fc.assert(
      fc.property(surface('home feed'), surface('search'), (...surfaces) => {
        const read = readOpenApi(asJson(openApiDocument(surfaces, { version: '1' })), SOURCE);
        expect(read.map(({ surface: id, tasks, viewTypes }) => ({ id, tasks, viewTypes }))).toEqual(surfaces.map(({ surface: id, tasks, viewTypes }) => ({ id, tasks, viewTypes })));
        for (const [index, { inputs }] of read.entries()) {
          expect(inputs).toHaveLength(surfaces[index]!.inputs.length);
          expect(inputs).toEqual(expect.arrayContaining([...surfaces[index]!.inputs]));
        }
        expect(generateClient(read)).toBe(generateClient(surfaces));
      }),
    );
  });

  it('refuses documents of others', () => {
    for (const document of [null, {}, { components: { schemas: {} } }, { components: { schemas: { Pet: {} } } }]) expect(() => readOpenApi(document, SOURCE)).toThrow(ArtifactError);
    const document = JSON.parse(JSON.stringify(openApiDocument([searchSurface(INPUT.query)], { version: '1' })).replaceAll('"candidates":', '"items":')) as unknown;
    expect(() => readOpenApi(document, SOURCE)).toThrow(/http:\/\/scorer\/openapi.json: the schema search.Request cannot be read: [^]*candidates/);
  });
});
