import { crc32c } from '@node-rs/crc32';

/** TFRecord's mask: a checksum stored beside its data must not look like data with a checksum. */
const maskedCrc = (bytes: Uint8Array): number => {
  const crc = crc32c(bytes) >>> 0;
  return (((crc >>> 15) | (crc << 17)) + 0xa282ead8) >>> 0;
};

/** Frames one record as TFRecord files do: length, its checksum, the data, its checksum. */
export const encodeRecord = (data: Uint8Array): Uint8Array => {
  const framed = Buffer.alloc(16 + data.byteLength);
  framed.writeBigUInt64LE(BigInt(data.byteLength), 0);
  framed.writeUInt32LE(maskedCrc(framed.subarray(0, 8)), 8);
  framed.set(data, 12);
  framed.writeUInt32LE(maskedCrc(data), 12 + data.byteLength);
  return framed;
};
