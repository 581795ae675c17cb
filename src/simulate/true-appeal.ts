import type { World } from './marketplace-world.js';
import type { RequestState } from './request-state.js';
import { FORMATS, SURFACES } from './surface-definitions.js';
import { LATENT_SIZE } from './topics.js';

/** Daily rhythm: how strongly tastes turn with the hour. */
const HOUR_SWING = 0.5;
/** Slow drift of a topic's appeal over the log. */
const APPEAL_SWING = 0.1;
const APPEAL_PERIOD_DAYS = 31;
const PRICE_SENSITIVITY = 0.4;
const PRICE = 0.1;
const ACCOUNT_AGE = 0.1;
const SEARCH = SURFACES.findIndex((surface) => surface.name === 'search');

/** Weight of a query by its words: longer ones are more specific. */
const querySpecificity = (words: number): number => 0.85 + 0.06 * words;

/** Tastes turn once around a circle in latent space a day: what is about one thing peaks at noon, another at night. */
const hourTaste = (hour: number, dimension: number): number => {
  const angle = (2 * Math.PI * hour) / 24;
  if (dimension === 0) return HOUR_SWING * Math.cos(angle);
  return dimension === 1 ? HOUR_SWING * Math.sin(angle) : 0;
};

/** Fills a request's `match` and `appeal`: the click log-odds of its candidates but for position and intercept. */
export type AppealModel = (request: RequestState) => void;

/**
 * The truth about clicks. What an ad is worth is the sum of its own appeal and of interactions that no linear model of
 * the logged columns can hold: interest × ad, query or subject × ad, age × ad, price × sensitivity, hour × ad,
 * device and view type × format. All of it shows in the logs, but for each user's small hidden appetite.
 */
export const createAppealModel = (world: World): AppealModel => {
  const { topics, catalogue, audience, effects } = world;
  const topicCount = topics.names.length;
  const drift = new Float64Array(topicCount);
  let driftHour = -1;
  const followDrift = (day: number): void => {
    const hour = Math.floor(day * 24);
    if (hour === driftHour) return;
    driftHour = hour;
    for (let topic = 0; topic < topicCount; topic++) {
      drift[topic] = APPEAL_SWING * Math.sin((2 * Math.PI * day) / APPEAL_PERIOD_DAYS + topics.appealPhase[topic]!);
    }
  };
  const matchDirection = new Float64Array(LATENT_SIZE);

  return (request) => {
    followDrift(request.day);
    const { user, device, day, hour } = request;
    const surface = SURFACES[request.surface]!;
    const contextScale = request.surface === SEARCH ? surface.contextScale * querySpecificity(catalogue.queryLength[request.query]!) : surface.contextScale;
    const age = audience.age[user]!;
    for (let d = 0; d < LATENT_SIZE; d++) {
      const context = request.contextTopic < 0 ? 0 : contextScale * topics.latents[request.contextTopic * LATENT_SIZE + d]!;
      matchDirection[d] =
        surface.interestScale * request.interest[d]! + context + effects.ageTaste[age * LATENT_SIZE + d]! + hourTaste(hour, d);
    }
    const viewFormat = effects.viewFormat[request.surface]!;
    const sensitivity = PRICE + PRICE_SENSITIVITY * audience.priceSensitivity[user]!;
    const ofUser =
      audience.appetite[user]! +
      effects.country[audience.country[user]!]! +
      effects.device[device]! -
      ACCOUNT_AGE * Math.log1p((audience.accountAgeDays[user]! + day) / 30);
    for (let i = 0; i < request.count; i++) {
      const ad = request.ad[i]!;
      const topic = catalogue.topic[ad]!;
      const format = catalogue.format[ad]!;
      let match = 0;
      for (let d = 0; d < LATENT_SIZE; d++) match += matchDirection[d]! * catalogue.latents[ad * LATENT_SIZE + d]!;
      request.match[i] = match;
      request.appeal[i] =
        match +
        ofUser +
        effects.ad[ad]! +
        drift[topic]! +
        effects.deviceFormat[device * FORMATS.length + format]! +
        viewFormat[request.viewType * FORMATS.length + format]! -
        sensitivity * catalogue.priceLevel[ad]! -
        effects.wear[format]! * Math.log1p((day - catalogue.launchDay[ad]!) / 7);
    }
  };
};
