import { ArtifactError } from '../config/errors.js';
import { type NamedTensor, SafetensorsFile } from './safetensors.js';

const checkShape = (file: SafetensorsFile, { name, shape }: NamedTensor): void => {
  const stored = file.names.includes(name) ? file.shape(name) : undefined;
  if (stored?.join() === shape.join()) return;
  const found = stored === undefined ? 'missing' : `[${stored.join(', ')}]`;
  throw new ArtifactError(`${file.path}: "${name}" is ${found}, the model has [${shape.join(', ')}]`, {
    where: file.path,
    expected: 'a checkpoint of this model on this prepared data',
    fix: 'Use the config and prepared data that the checkpoint was trained with, or train again.',
  });
};

/**
 * Overwrites tensors with those of safetensors files. Every shape is compared before the first value is read, so that a
 * model is loaded whole or not at all.
 *
 * @throws ArtifactError when a file lacks a tensor or has another shape.
 */
export const fillFromFiles = (sources: readonly { readonly path: string; readonly tensors: readonly NamedTensor[] }[]): void => {
  const opened: { readonly file: SafetensorsFile; readonly tensors: readonly NamedTensor[] }[] = [];
  try {
    for (const { path, tensors } of sources) opened.push({ file: new SafetensorsFile(path), tensors });
    for (const { file, tensors } of opened) for (const tensor of tensors) checkShape(file, tensor);
    for (const { file, tensors } of opened) for (const { name, data } of tensors) file.readInto(name, data);
  } finally {
    for (const { file } of opened) file.close();
  }
};
