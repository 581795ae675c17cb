/** Scores as JSON: most of what an answer is made of. */

/** From here on ten decimals tell neighbouring float32 apart, which are 1.16e-10 from each other and more. */
const LEAST_ROUNDED = 2 ** -10;

const DECIMALS = 1e10;
/** Half of the decimals: as many as an integer of 32 bits can hold, which is divided faster than a double. */
const HALF = 1e5;

/** Bytes of the longest text of a number, with its comma: a double's has 24 at most. */
const LONGEST = 25;

const [ZERO, POINT, COMMA, OPEN, CLOSE] = Buffer.from('0.,[]') as unknown as readonly [number, number, number, number, number];

/** Grows to the longest list there was. */
let bytes = Buffer.alloc(0);

/** Writes five digits. */
const writeHalf = (value: number, at: number): void => {
  let left = value | 0;
  for (let place = at + 4; place >= at; place -= 1) {
    const tenth = (left / 10) | 0;
    bytes[place] = ZERO + left - 10 * tenth;
    left = tenth;
  }
};

/** Writes `scaled / 1e10`, more than 0 and less than 1; returns where it ends. */
const writeDecimals = (scaled: number, at: number): number => {
  const high = Math.floor(scaled / HALF);
  bytes[at] = ZERO;
  bytes[at + 1] = POINT;
  writeHalf(high, at + 2);
  writeHalf(scaled - high * HALF, at + 7);
  let end = at + 12;
  while (bytes[end - 1] === ZERO) end -= 1;
  return end;
};

/** A JSON list of scores, every one of which reads back to the same float32; null stands for what is no number. */
export const scoresText = (scores: Float32Array): string => {
  const most = LONGEST * scores.length + 2;
  if (bytes.length < most) bytes = Buffer.alloc(most);
  bytes[0] = OPEN;
  let at = 1;
  for (let row = 0; row < scores.length; row += 1) {
    const value = scores[row]!;
    if (row > 0) {
      bytes[at] = COMMA;
      at += 1;
    }
    const scaled = Math.round(value * DECIMALS);
    if (value >= LEAST_ROUNDED && scaled < DECIMALS) at = writeDecimals(scaled, at);
    else at += bytes.write(Number.isFinite(value) ? String(value) : 'null', at, 'latin1');
  }
  bytes[at] = CLOSE;
  return bytes.toString('latin1', 0, at + 1);
};
