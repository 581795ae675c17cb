/** The surfaces of a running server, read from the OpenAPI document it gives. */
import { z } from 'zod';
import { ArtifactError } from '../../config/errors.js';
import type { RawInput } from '../raw-request.js';
import { askServer, type AddressHelp, type ServerAddress } from './ask-server.js';
import type { DescribedSurface } from './generate-client.js';

const HELP: AddressHelp = { where: 'EXPORTS', example: 'http://127.0.0.1:8080', expected: 'a running `onefold serve`', fix: 'start the server, or name folders of exports' };

const EXPECTED = 'an OpenAPI document of `onefold serve`';

const names = z.array(z.string());
const scalar = z.object({ type: names });
const value = z.object({ type: names, items: scalar.optional(), minItems: z.number().optional() });
const valuesByName = z.record(z.string(), value);
/** A sequence is as rows, or as a list for each field: the second has what both have. */
const sequence = z.object({ oneOf: z.tuple([z.unknown(), z.object({ properties: valuesByName })], z.unknown()) });
const side = z.record(z.string(), z.union([value, sequence]));

/** What `openapi.ts` writes, as far as it is read here. */
const requestSchema = z.object({
  properties: z.object({
    surface: z.object({ const: z.string() }),
    viewType: z.object({ examples: names.optional() }),
    tasks: z.object({ items: z.object({ enum: names }) }),
    features: z.object({ properties: side }),
    candidates: z.object({ oneOf: z.tuple([z.object({ items: z.object({ properties: side }) })], z.unknown()) }),
  }),
});

const openApi = z.object({ components: z.object({ schemas: z.record(z.string(), z.unknown()) }) });

const typeOf = ({ type }: z.infer<typeof scalar>): RawInput['type'] => (type.includes('string') ? 'text' : 'number');

const formOf = ({ type, items, minItems }: z.infer<typeof value>): Pick<RawInput, 'type' | 'form'> => {
  if (items === undefined) return { type: typeOf({ type }), form: 'scalar' };
  return { type: typeOf(items), form: minItems === undefined ? 'list' : { vector: minItems } };
};

const inputsOf = (of: RawInput['side'], properties: z.infer<typeof side>): readonly RawInput[] =>
  Object.entries(properties).flatMap(([name, schema]): RawInput[] => {
    if ('type' in schema) return [{ name, side: of, ...formOf(schema) }];
    return Object.entries(schema.oneOf[1].properties).map(([field, list]) => ({ name: `${name}.${field}`, side: of, ...formOf(list), sequence: name }));
  });

/**
 * The surfaces that a document of `openapi.ts` describes: names and types of their features, tasks and view types.
 *
 * @param source what errors call it
 * @throws ArtifactError when it is another document
 */
export const readOpenApi = (document: unknown, source: string): readonly DescribedSurface[] => {
  const parsed = openApi.safeParse(document);
  const requests = parsed.success ? Object.entries(parsed.data.components.schemas).filter(([name]) => name.endsWith('.Request')) : [];
  const surfaces = requests.map(([name, schema]) => {
    const read = requestSchema.safeParse(schema);
    if (!read.success) throw new ArtifactError(`${source}: the schema ${name} cannot be read: ${z.prettifyError(read.error)}`, { where: source, expected: EXPECTED, fix: 'use the version of onefold that serves there' });
    const { surface, viewType, tasks, features, candidates } = read.data.properties;
    return {
      surface: surface.const,
      viewTypes: viewType.examples ?? [],
      tasks: tasks.items.enum,
      inputs: [...inputsOf('request', features.properties), ...inputsOf('candidate', candidates.oneOf[0].items.properties)],
    };
  });
  if (surfaces.length === 0) throw new ArtifactError(`${source} describes no surface`, { where: source, expected: EXPECTED, fix: HELP.fix });
  return surfaces;
};

/**
 * Asks a server what it serves.
 *
 * @throws UsageError, IoError when nobody answers; ArtifactError when it is no server of ours
 */
export const fetchSurfaces = async (address: ServerAddress): Promise<readonly DescribedSurface[]> => {
  const url = `${address.url.replace(/\/+$/, '')}/openapi.json`;
  const text = await askServer({ ...address, url }, HELP);
  let document: unknown;
  try {
    document = JSON.parse(text);
  } catch (cause) {
    throw new ArtifactError(`${url} is no JSON: ${(cause as Error).message}`, { where: url, expected: EXPECTED, fix: HELP.fix, cause });
  }
  return readOpenApi(document, url);
};
