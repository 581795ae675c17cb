import { ArtifactError } from '../config/errors.js';
import { rowRanges, rowSize, type NamedTensor, type WritableTensor } from './named-tensor.js';
import { SafetensorsFile } from './safetensors.js';

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

/** Overwrites a tensor with that of its name, which has its shape. */
export const fillTensor = (file: SafetensorsFile, tensor: WritableTensor): void => {
  let piece = new Float32Array(0);
  for (const { first, floats } of rowRanges(tensor)) {
    if (piece.length < floats) piece = new Float32Array(floats);
    const values = piece.subarray(0, floats);
    file.readInto(tensor.name, values, first * rowSize(tensor));
    tensor.write(first, values);
  }
};

/**
 * Overwrites tensors with those of safetensors files. Every shape is compared before the first value is read, so that a
 * model is loaded whole or not at all.
 *
 * @throws ArtifactError when a file lacks a tensor or has another shape.
 */
export const fillFromFiles = (sources: readonly { readonly path: string; readonly tensors: readonly WritableTensor[] }[]): void => {
  const opened: { readonly file: SafetensorsFile; readonly tensors: readonly WritableTensor[] }[] = [];
  try {
    for (const { path, tensors } of sources) opened.push({ file: new SafetensorsFile(path), tensors });
    for (const { file, tensors } of opened) for (const tensor of tensors) checkShape(file, tensor);
    for (const { file, tensors } of opened) for (const tensor of tensors) fillTensor(file, tensor);
  } finally {
    for (const { file } of opened) file.close();
  }
};
