import { Ajv2020 } from 'ajv/dist/2020.js';
import { describe, expect, it } from 'vitest';
import type { ServedSurface } from '../raw-request.js';
import { openApiDocument } from './openapi.js';

const SEARCH: ServedSurface = {
  surface: 'search results',
  version: 'v1',
  digest: '',
  isCurrent: true,
  tasks: ['click'],
  viewTypes: ['grid'],
  inputs: [
    { name: 'query', side: 'request', type: 'text', form: 'scalar' },
    { name: 'history.pin', side: 'request', type: 'text', form: 'list', sequence: 'history' },
    { name: 'history.@time', side: 'request', type: 'number', form: 'list', sequence: 'history' },
    { name: 'price', side: 'candidate', type: 'number', form: 'scalar' },
    { name: 'shape', side: 'candidate', type: 'number', form: { vector: 2 } },
  ],
};

interface Document {
  readonly paths: { readonly '/v1/score': { readonly post: { readonly requestBody: { readonly content: { readonly 'application/json': { readonly schema: unknown; readonly examples: Readonly<Record<string, { readonly value: unknown }>> } } } } } };
}

const validate = (): { readonly check: (value: unknown) => boolean; readonly content: Document['paths']['/v1/score']['post']['requestBody']['content']['application/json'] } => {
  const document = openApiDocument([SEARCH, { ...SEARCH, surface: 'feed', tasks: ['hide'] }, { ...SEARCH, version: 'old', isCurrent: false, tasks: ['gone'] }], { version: '1' }) as unknown as Document;
  const content = document.paths['/v1/score'].post.requestBody.content['application/json'];
  const ajv = new Ajv2020({ strict: false, discriminator: false });
  ajv.addSchema(document as unknown as Record<string, unknown>, 'openapi');
  const absolute = JSON.parse(JSON.stringify(content.schema).replaceAll('"#/', '"openapi#/')) as Record<string, unknown>;
  return { check: ajv.compile(absolute), content };
};

describe('openApiDocument', () => {
  it('has schemas that take what the server takes, its own examples among it', () => {
    const { check, content } = validate();
    for (const { value } of Object.values(content.examples)) expect(check(value)).toBe(true);
    const history = [{ pin: 'p', '@time': 1 }];
    expect(check({ surface: 'search results', tasks: ['click'], features: { query: 5, history }, candidates: [{ price: 1, shape: [1, 2] }] })).toBe(true);
    expect(check({ surface: 'feed', features: { history: { pin: ['p'], '@time': [1] } }, candidates: { price: [1, null] } })).toBe(true);
    expect(check({ surface: 'feed', itemIds: ['a', null] })).toBe(true);
  });

  it.each([
    [{ surface: 'elsewhere', candidates: [] }],
    [{ surface: 'feed' }],
    [{ surface: 'feed', candidates: [{ price: 'x' }] }],
    [{ surface: 'feed', candidates: [{ shape: [1] }] }],
    [{ surface: 'feed', candidates: [], tasks: ['click'] }],
    [{ surface: 'feed', candidates: [], canidates: [] }],
    [{ surface: 'feed', candidates: [], features: { query: ['a'] } }],
    [{ surface: 'feed', candidates: [], features: { history: [{ '@time': true }] } }],
    [{ surface: 'feed', candidates: [], features: { history: { '@time': [true] } } }],
  ])('has schemas that refuse %j', (wrong) => {
    expect(validate().check(wrong)).toBe(false);
  });
});
