/**
 * Lays plain ONNX exports out as a model repository of Triton, one model per surface.
 *
 *   node deploy/triton/model_repository.mjs EXPORT... --output DIR
 *
 * DIR/<surface>/config.pbtxt, and DIR/<surface>/1/ with model.onnx and tables.bin, which are hard links where DIR is on the same
 * file system. DIR gets its name when it is whole, and must not be there before. docs/triton-kserve.md tells the rest.
 */
import { copyFileSync, existsSync, linkSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { parseArgs } from 'node:util';

const DATA_TYPES = { int64: 'TYPE_INT64', float32: 'TYPE_FP32' };
/** `model.onnx` refers to `tables.bin` beside it. */
const FILES = ['model.onnx', 'tables.bin'];

class LayoutError extends Error {}

const readManifest = (exported) => {
  const path = join(exported, 'manifest.json');
  try {
    return JSON.parse(readFileSync(path, 'utf8'));
  } catch (cause) {
    throw new LayoutError(`${path} cannot be read: ${exported} is no export`, { cause });
  }
};

/** Text format of a tensor; dims that differ from request to request have a name in the manifest, and are −1 here. */
const tensorText = ({ name, dtype, shape }) => {
  const dims = shape.map((dim) => (typeof dim === 'number' ? dim : -1)).join(', ');
  return `  { name: ${JSON.stringify(name)} data_type: ${DATA_TYPES[dtype]} dims: [ ${dims} ] }`;
};

/** `config.pbtxt` of an export. */
const configText = ({ surface, tasks, inputs }) => `name: ${JSON.stringify(surface)}
backend: "onnxruntime"
# Inputs of the requests and of the candidates differ in their first dimension: there is no batch dimension that Triton could add to.
max_batch_size: 0
input [
${inputs.map(tensorText).join(',\n')}
]
output [
${tasks.map((task) => tensorText({ name: task, dtype: 'float32', shape: ['candidates'] })).join(',\n')}
]
instance_group [ { kind: KIND_CPU count: 1 } ]
`;

const linkOrCopy = (from, to) => {
  try {
    linkSync(from, to);
  } catch (error) {
    // Another file system, or one without links.
    if (!['EXDEV', 'EPERM', 'ENOTSUP', 'EMLINK'].includes(error.code)) throw error;
    copyFileSync(from, to);
  }
};

const layOut = (exports, output) => {
  if (existsSync(output)) throw new LayoutError(`${output} is there already: name a folder that is not`);
  const aside = `${output}.${process.pid}.partial`;
  try {
    for (const exported of exports) {
      const manifest = readManifest(exported);
      const model = join(aside, manifest.surface);
      if (existsSync(model)) throw new LayoutError(`${exported} is the second export of "${manifest.surface}": name one per surface`);
      mkdirSync(join(model, '1'), { recursive: true });
      for (const file of FILES) linkOrCopy(join(exported, file), join(model, '1', file));
      writeFileSync(join(model, 'config.pbtxt'), configText(manifest));
    }
    mkdirSync(dirname(output), { recursive: true });
    renameSync(aside, output);
  } catch (error) {
    rmSync(aside, { recursive: true, force: true });
    throw error;
  }
};

const { values, positionals } = parseArgs({ allowPositionals: true, options: { output: { type: 'string', short: 'o' } } });
try {
  if (positionals.length === 0 || values.output === undefined) throw new LayoutError('usage: node deploy/triton/model_repository.mjs EXPORT... --output DIR');
  layOut(positionals, resolve(values.output));
  console.log(values.output);
} catch (error) {
  if (!(error instanceof LayoutError)) throw error;
  console.error(error.message);
  process.exitCode = 2;
}
