/** TypeScript for the surfaces of a server: what names and types their features have. */
import { isTime, type RawInput, type ServedSurface } from '../raw-request.js';

/** What a client must know of a surface. */
export type DescribedSurface = Pick<ServedSurface, 'surface' | 'viewTypes' | 'tasks' | 'inputs'>;

const SCALARS: Readonly<Record<RawInput['type'], string>> = { text: 'string | number | boolean | null', number: 'number | boolean | null' };

const listOf = (type: string): string => `readonly (${type})[]`;

const scalarOf = (input: RawInput): string => (isTime(input) ? 'number | null' : SCALARS[input.type]);

const typeOf = (input: RawInput): string => {
  const { form } = input;
  const scalar = scalarOf(input);
  if (form === 'scalar') return scalar;
  if (form === 'list') return `${listOf(scalar)} | null`;
  // Longer ones are written as lists: a tuple of hundreds helps nobody.
  return form.vector <= 16 ? `readonly [${new Array<string>(form.vector).fill(scalar).join(', ')}] | null` : `${listOf(scalar)} | null`;
};

const key = (name: string): string => (/^[A-Za-z_$][\w$]*$/.test(name) ? name : JSON.stringify(name));

const property = (name: string, type: string, indent: string): string => `${indent}readonly ${key(name)}?: ${type};\n`;

const sequenceOf = (sequence: string, inputs: readonly RawInput[], indent: string): string => {
  const fields = inputs.filter((input) => input.sequence === sequence).map((input) => [input.name.slice(sequence.length + 1), input] as const);
  const rows = fields.map(([name, input]) => property(name, scalarOf(input), `${indent}  `)).join('');
  const lists = fields.map(([name, input]) => property(name, typeOf(input), `${indent}  `)).join('');
  return `${indent}/** Events, oldest first; "@time" in epoch ms. As rows, or as a list for each field. */\n${indent}readonly ${key(sequence)}?: readonly {\n${rows}${indent}}[] | {\n${lists}${indent}} | null;\n`;
};

const sideOf = ({ inputs }: DescribedSurface, side: RawInput['side'], indent: string): string => {
  const own = inputs.filter((input) => input.side === side);
  const sequences = [...new Set(own.flatMap(({ sequence }) => sequence ?? []))];
  const plain = own.filter(({ sequence }) => sequence === undefined).map((input) => property(input.name, typeOf(input), indent));
  return [...plain, ...sequences.map((sequence) => sequenceOf(sequence, own, indent))].join('');
};

const union = (names: readonly string[]): string => (names.length === 0 ? 'string' : names.map((name) => JSON.stringify(name)).join(' | '));

const surfaceOf = (surface: DescribedSurface): string =>
  `  readonly ${key(surface.surface)}: {
    readonly viewType: ${union(surface.viewTypes)};
    readonly task: ${union(surface.tasks)};
    readonly features: {
${sideOf(surface, 'request', '      ')}    };
    readonly candidate: {
${sideOf(surface, 'candidate', '      ')}    };
  };
`;

/** A TypeScript module with the types of these surfaces and a client that has them. */
export const generateClient = (surfaces: readonly DescribedSurface[]): string => `/** Written by \`onefold client\`: names and types of the features that each surface's model reads. */
import { createClient as createAnyClient, type Client, type ClientOptions } from 'onefold/serve/client/client';

export { ScoreError, type Client, type ClientOptions, type ScoreRequest, type ScoreResponse } from 'onefold/serve/client/client';

export interface Surfaces {
${[...surfaces].sort((a, b) => (a.surface < b.surface ? -1 : 1)).map(surfaceOf).join('')}}

/** A client of these surfaces. */
export const createClient = (options: ClientOptions): Client<Surfaces> => createAnyClient<Surfaces>(options);
`;
