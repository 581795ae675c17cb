/** What the server says of its HTTP side: OpenAPI 3.1, with the features of every surface that is loaded. */
import { HTTP_STATUS, type RequestErrorCode } from '../request-error.js';
import { isTime, type RawInput, type ServedSurface } from '../raw-request.js';

/** A JSON Schema. */
export type JsonSchema = Readonly<Record<string, unknown>>;

const SCALARS: Readonly<Record<RawInput['type'], JsonSchema>> = {
  text: { type: ['string', 'number', 'boolean', 'null'] },
  number: { type: ['number', 'boolean', 'null'] },
};

const scalarSchema = (input: RawInput): JsonSchema => (isTime(input) ? { type: ['number', 'null'] } : SCALARS[input.type]);

const valueSchema = (input: RawInput): JsonSchema => {
  const { form } = input;
  if (form === 'scalar') return scalarSchema(input);
  const size = form === 'list' ? {} : { minItems: form.vector, maxItems: form.vector };
  return { type: ['array', 'null'], items: scalarSchema(input), ...size };
};

const listOf = (items: JsonSchema): JsonSchema => ({ type: 'array', items });

const properties = (inputs: readonly RawInput[], of: (input: RawInput) => JsonSchema): JsonSchema => Object.fromEntries(inputs.map((input) => [input.name, of(input)]));

/** A sequence as rows, oldest event first, or as a list for each field. */
const sequenceSchema = (sequence: string, inputs: readonly RawInput[]): JsonSchema => {
  const fields = inputs.filter((input) => input.sequence === sequence);
  const named = (of: (input: RawInput) => JsonSchema): JsonSchema => Object.fromEntries(fields.map((input) => [input.name.slice(sequence.length + 1), of(input)]));
  return {
    description: 'Events before the request, oldest first; @time in epoch milliseconds. What is at or after the time of the request is left out.',
    oneOf: [listOf({ type: 'object', properties: named(scalarSchema) }), { type: 'object', properties: named(valueSchema) }, { type: 'null' }],
  };
};

/** Features of one side of a surface by name. */
const sideProperties = (surface: ServedSurface, side: RawInput['side']): JsonSchema => {
  const inputs = surface.inputs.filter((input) => input.side === side);
  const sequences = [...new Set(inputs.flatMap((input) => input.sequence ?? []))];
  return {
    ...properties(
      inputs.filter((input) => input.sequence === undefined),
      valueSchema,
    ),
    ...Object.fromEntries(sequences.map((sequence) => [sequence, sequenceSchema(sequence, inputs)])),
  };
};

/** The body of a score request to one surface. */
export const requestSchema = (surface: ServedSurface): JsonSchema => {
  const candidates = surface.inputs.filter((input) => input.side === 'candidate');
  return {
    type: 'object',
    required: ['surface'],
    anyOf: [{ required: ['candidates'] }, { required: ['itemIds'] }],
    additionalProperties: false,
    properties: {
      surface: { const: surface.surface },
      version: { type: 'string', description: 'A loaded version; left out: the one that serves.' },
      viewType: surface.viewTypes.length === 0 ? { type: 'string' } : { type: 'string', examples: surface.viewTypes },
      requestId: { type: 'string', description: 'Comes back with the answer.' },
      userId: { type: 'string', description: 'Key of the user in the feature store.' },
      time: { type: ['integer', 'string'], description: 'Epoch milliseconds or ISO 8601, UTC where it names no zone; left out: now. Histories end before it.' },
      features: { type: 'object', properties: sideProperties(surface, 'request') },
      candidates: {
        description: 'A list of candidates, or an object with a list for each feature; left out: as many as itemIds.',
        oneOf: [listOf({ type: 'object', properties: sideProperties(surface, 'candidate') }), { type: 'object', properties: properties(candidates, (input) => listOf(valueSchema(input))) }],
      },
      itemIds: { ...listOf({ type: ['string', 'null'] }), description: 'Keys of the candidates in the feature store.' },
      tasks: listOf({ enum: surface.tasks }),
      timeoutMs: { type: 'number', exclusiveMinimum: 0 },
    },
  };
};

const RESPONSE: JsonSchema = {
  type: 'object',
  required: ['surface', 'version', 'scores', 'defaulted', 'ignored', 'degraded'],
  properties: {
    surface: { type: 'string' },
    version: { type: 'string', description: 'The version that scored.' },
    requestId: { type: 'string' },
    scores: { type: 'object', description: 'By task: a probability for each candidate, in their order.', additionalProperties: listOf({ type: 'number', minimum: 0, maximum: 1 }) },
    defaulted: listOf({
      type: 'object',
      required: ['feature', 'reason', 'rows'],
      properties: { feature: { type: 'string' }, reason: { enum: ['missing', 'null', 'unknown', 'late'] }, rows: { type: 'integer' } },
    }),
    ignored: { ...listOf({ type: 'string' }), description: 'What was given and not read: features that the version does not have, or has on the other side; keys of a feature store where the server has none.' },
    degraded: { ...listOf({ type: 'string' }), description: 'What the feature store did not answer for.' },
  },
};

const ERROR: JsonSchema = {
  type: 'object',
  required: ['error'],
  properties: {
    error: {
      type: 'object',
      required: ['code', 'message'],
      properties: { code: { enum: Object.keys(HTTP_STATUS) }, message: { type: 'string' }, path: { type: 'string', examples: ['candidates[3].price'] }, expected: { type: 'string' } },
    },
  },
};

const DESCRIPTIONS: Readonly<Partial<Record<RequestErrorCode, string>>> = {
  invalid: 'A value has the wrong type or shape; `path` says which.',
  unauthorized: 'No token, or a wrong one.',
  not_found: 'No such surface, version or task.',
  too_large: 'Too many bytes or candidates.',
  overloaded: 'Too much to do; Retry-After says when to come again.',
  internal: 'A defect of the server.',
  unavailable: 'Nothing is loaded, or the server is going down.',
  deadline: 'The time for an answer was over.',
};

const errorResponses = (): JsonSchema =>
  Object.fromEntries(
    Object.entries(DESCRIPTIONS).map(([code, description]) => [
      String(HTTP_STATUS[code as RequestErrorCode]),
      { description, content: { 'application/json': { schema: { $ref: '#/components/schemas/Error' } } } },
    ]),
  );

const EXAMPLES: Readonly<Record<RawInput['type'], unknown>> = { text: 'a', number: 1 };

/** A request with a value for every feature, of one candidate. */
const exampleOf = (surface: ServedSurface): unknown => {
  const valueOf = ({ type, form }: RawInput): unknown => {
    if (form === 'scalar') return EXAMPLES[type];
    return new Array<unknown>(form === 'list' ? 1 : form.vector).fill(EXAMPLES[type]);
  };
  const side = (wanted: RawInput['side']): unknown => Object.fromEntries(surface.inputs.filter((input) => input.side === wanted).map((input) => [input.name, valueOf(input)]));
  return { surface: surface.surface, ...(surface.viewTypes.length === 0 ? {} : { viewType: surface.viewTypes[0] }), features: side('request'), candidates: [side('candidate')] };
};

const plain = (description: string): JsonSchema => ({ description, content: { 'text/plain': { schema: { type: 'string' } } } });

/** The OpenAPI 3.1 document of a server with these versions. A surface's schema is that of its current version. */
export const openApiDocument = (loaded: readonly ServedSurface[], { version }: { readonly version: string }): JsonSchema => {
  const surfaces = loaded.filter(({ isCurrent }) => isCurrent);
  const refOf = ({ surface }: ServedSurface): string => `#/components/schemas/${encodeURIComponent(surface).replaceAll('%', '_')}.Request`;
  const scoreBody =
    surfaces.length === 0
      ? { type: 'object' }
      : { oneOf: surfaces.map((surface) => ({ $ref: refOf(surface) })), discriminator: { propertyName: 'surface', mapping: Object.fromEntries(surfaces.map((surface) => [surface.surface, refOf(surface)])) } };
  return {
    openapi: '3.1.0',
    info: { title: 'Onefold', version, description: 'Scores requests: one user, one context, many candidates. The Open Inference Protocol is at /v2.' },
    paths: {
      '/v1/score': {
        post: {
          operationId: 'score',
          summary: 'Probabilities of every candidate, by task',
          requestBody: {
            required: true,
            content: { 'application/json': { schema: scoreBody, examples: Object.fromEntries(surfaces.map((surface) => [surface.surface, { value: exampleOf(surface) }])) } },
          },
          responses: { '200': { description: 'Scores.', content: { 'application/json': { schema: { $ref: '#/components/schemas/Response' } } } }, ...errorResponses() },
        },
      },
      '/healthz': { get: { operationId: 'healthz', summary: 'The process answers', responses: { '200': plain('It does.') } } },
      '/readyz': { get: { operationId: 'readyz', summary: 'Requests are scored', responses: { '200': plain('They are.'), '503': plain('Nothing is loaded, or the server is going down.') } } },
    },
    components: {
      schemas: { ...Object.fromEntries(surfaces.map((surface) => [refOf(surface).split('/').at(-1)!, requestSchema(surface)])), Response: RESPONSE, Error: ERROR },
      securitySchemes: { token: { type: 'http', scheme: 'bearer' } },
    },
    security: [{}, { token: [] }],
  };
};
