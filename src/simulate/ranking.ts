import type { Random } from './random.js';
import { MAX_CANDIDATES } from './request-state.js';
import type { RequestState } from './request-state.js';

/** How far the product's ranker sees the truth, and how noisy it is: positions tell of appeal, but only in part. */
const RANKER_SIGHT = 0.6;
const RANKER_NOISE = 0.9;

const permute = <T extends Float64Array | Int32Array>(values: T, order: Uint8Array, count: number, scratch: T): void => {
  scratch.set(values.subarray(0, count) as never);
  for (let i = 0; i < count; i++) values[i] = scratch[order[i]!]!;
};

/** Orders a request's candidates as shown, best score of an imperfect ranker first. */
export const createRanking = (): ((request: RequestState, random: Random) => void) => {
  const score = new Float64Array(MAX_CANDIDATES);
  const order = new Uint8Array(MAX_CANDIDATES);
  const ads = new Int32Array(MAX_CANDIDATES);
  const numbers = new Float64Array(MAX_CANDIDATES);
  return (request, random) => {
    const { count } = request;
    for (let i = 0; i < count; i++) {
      score[i] = RANKER_SIGHT * request.appeal[i]! + RANKER_NOISE * random.normal();
      // Insertion sort: lists are short, and equal scores keep their order.
      let place = i;
      while (place > 0 && score[order[place - 1]!]! < score[i]!) {
        order[place] = order[place - 1]!;
        place--;
      }
      order[place] = i;
    }
    permute(request.ad, order, count, ads);
    permute(request.match, order, count, numbers);
    permute(request.appeal, order, count, numbers);
  };
};
