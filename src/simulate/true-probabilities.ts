import type { World } from './marketplace-world.js';
import type { RequestState } from './request-state.js';
import { DEVICES, SURFACES } from './surface-definitions.js';

const STAY = 0.5;
const STAY_MATCH = 0.35;
const SAVE_AFTER_CLICK = -1.3;
const SAVE_WITHOUT_CLICK = -5.6;
const SAVE_MATCH = 0.5;
const HIDE = -4.6;
const HIDE_MATCH = -0.5;
const PHONE = DEVICES.indexOf('phone');
const STAY_ON_PHONE = -0.4;
const SENSITIVE_SAVE = 0.25;

export const sigmoid = (logit: number): number => 1 / (1 + Math.exp(-logit));

/** Log-odds a position adds to a click. */
export const positionEffect = (slope: number, position: number): number => -slope * Math.log(position);

/** Fills a request's true probabilities of every task from its `appeal`. */
export type ProbabilityModel = (request: RequestState) => void;

/**
 * The tasks hang together: a long click is a click on which the user stays, most saves follow a click, only ads that
 * were not clicked are hidden.
 *
 * @param intercepts log-odds per surface and view-independent, chosen so that the surface's click rate is as defined
 */
export const createProbabilityModel = (world: World, intercepts: Float64Array): ProbabilityModel => {
  const { catalogue, audience, effects } = world;
  return (request) => {
    const surface = SURFACES[request.surface]!;
    const view = surface.viewTypes[request.viewType]!;
    const [click, longClick, save, hide] = request.probability;
    const base = intercepts[request.surface]! + view.offset;
    const stayBase = STAY + (request.device === PHONE ? STAY_ON_PHONE : 0);
    const saveUser = SENSITIVE_SAVE * audience.priceSensitivity[request.user]!;
    for (let i = 0; i < request.count; i++) {
      const ad = request.ad[i]!;
      const match = request.match[i]!;
      const format = catalogue.format[ad]!;
      const clicked = sigmoid(base + request.appeal[i]! + positionEffect(view.positionSlope, i + 1));
      const stays = sigmoid(stayBase + STAY_MATCH * match + catalogue.advertiserStay[catalogue.advertiser[ad]!]! + effects.stayFormat[format]!);
      const saves = saveUser + effects.saveTopic[catalogue.topic[ad]!]! + SAVE_MATCH * match;
      const savedAfterClick = sigmoid(SAVE_AFTER_CLICK + saves);
      request.saveAfterClick[i] = savedAfterClick;
      click![i] = clicked;
      longClick![i] = clicked * stays;
      save![i] = clicked * savedAfterClick + (1 - clicked) * sigmoid(SAVE_WITHOUT_CLICK + saves);
      hide![i] = surface.hasHide ? (1 - clicked) * sigmoid(HIDE + HIDE_MATCH * match + effects.hideFormat[format]!) : 0;
    }
  };
};
