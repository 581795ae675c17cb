/** A served surface for tests of what is around the models. */
import type { RawInput, ServedSurface } from '../../src/serve/raw-request.js';

/** Inputs of both sides, one of each kind there is. */
export const INPUT = {
  query: { name: 'query', side: 'request', type: 'text', form: 'scalar' },
  country: { name: 'country', side: 'request', type: 'text', form: 'scalar' },
  age: { name: 'age', side: 'request', type: 'number', form: 'scalar' },
  pins: { name: 'history.pin', side: 'request', type: 'text', form: 'list', sequence: 'history' },
  times: { name: 'history.@time', side: 'request', type: 'number', form: 'list', sequence: 'history' },
  brand: { name: 'brand', side: 'candidate', type: 'text', form: 'scalar' },
  price: { name: 'price', side: 'candidate', type: 'number', form: 'scalar' },
  tags: { name: 'tags', side: 'candidate', type: 'text', form: 'list' },
  shape: { name: 'shape', side: 'candidate', type: 'number', form: { vector: 2 } },
} as const satisfies Readonly<Record<string, RawInput>>;

/** Version `v1` of `search`, which predicts clicks from the inputs and has no view types. */
export const searchSurface = (...inputs: readonly RawInput[]): ServedSurface => ({ surface: 'search', version: 'v1', digest: '', isCurrent: true, tasks: ['click'], viewTypes: [], inputs });
