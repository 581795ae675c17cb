const bytes: Uint8Array = new Uint8Array(4096);
const encoder = new TextEncoder();

/** UTF-8 bytes of `value`: in the shared buffer where they fit. */
const utf8 = (value: string): { readonly data: Uint8Array; readonly length: number } => {
  if (value.length * 3 > bytes.length) {
    const data = encoder.encode(value);
    return { data, length: data.length };
  }
  return { data: bytes, length: encoder.encodeInto(value, bytes).written };
};

/**
 * MurmurHash3 (x86, 32 bits, seed 0) of a string's UTF-8 bytes: an unsigned 32-bit integer, the same on every platform
 * and in every language that has MurmurHash3, so that other systems can reproduce hashed ids.
 */
export const hashText = (value: string): number => {
  let data = bytes;
  let length = value.length;
  if (length <= bytes.length) {
    for (let i = 0; i < length; i += 1) {
      const code = value.charCodeAt(i);
      if (code > 127) {
        ({ data, length } = utf8(value));
        break;
      }
      bytes[i] = code;
    }
  } else {
    ({ data, length } = utf8(value));
  }

  let hash = 0;
  const whole = length & ~3;
  for (let i = 0; i < whole; i += 4) {
    let word = data[i]! | (data[i + 1]! << 8) | (data[i + 2]! << 16) | (data[i + 3]! << 24);
    word = Math.imul(word, 0xcc9e2d51);
    word = (word << 15) | (word >>> 17);
    hash ^= Math.imul(word, 0x1b873593);
    hash = (hash << 13) | (hash >>> 19);
    hash = (Math.imul(hash, 5) + 0xe6546b64) | 0;
  }
  let tail = 0;
  for (let i = length - 1; i >= whole; i -= 1) tail = (tail << 8) | data[i]!;
  if (whole < length) {
    tail = Math.imul(tail, 0xcc9e2d51);
    tail = (tail << 15) | (tail >>> 17);
    hash ^= Math.imul(tail, 0x1b873593);
  }
  hash ^= length;
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
};
