/** Tensors to the peer: the safetensors format, float32 and int32. */
import { writeFileSync } from 'node:fs';

/** @param {Record<string, { shape: readonly number[], data: Float32Array | Int32Array }>} tensors */
export const writeTensors = (path, tensors) => {
  const header = {};
  let end = 0;
  for (const [name, { shape, data }] of Object.entries(tensors)) {
    header[name] = { dtype: data instanceof Int32Array ? 'I32' : 'F32', shape, data_offsets: [end, (end += data.byteLength)] };
  }
  const text = Buffer.from(JSON.stringify(header));
  const size = Buffer.alloc(8);
  size.writeBigUInt64LE(BigInt(text.length));
  writeFileSync(path, Buffer.concat([size, text, ...Object.values(tensors).map(({ data }) => Buffer.from(data.buffer, data.byteOffset, data.byteLength))]));
};
