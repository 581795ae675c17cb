import type { Pointer } from '../serve/registry/registry.js';
import type { Output } from './output.js';

/** Says what serves now. */
export const showPointer = (output: Output, pointer: Pointer): void => {
  for (const [surface, { version, previous }] of Object.entries(pointer.surfaces)) output.text(`${surface}  ${version}${previous === undefined ? '' : `  (before: ${previous})`}`);
  output.result(pointer);
};
