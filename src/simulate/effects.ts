import type { Catalogue } from './catalogue.js';
import type { Random } from './random.js';
import { AGE_BUCKETS, COUNTRIES, DEVICES, FORMATS, STYLE_TAGS, SURFACES } from './surface-definitions.js';
import { LATENT_SIZE } from './topics.js';
import type { Topics } from './topics.js';

/** Standard deviations of the drawn effects on the click log-odds. */
const SPREAD = {
  country: 0.15,
  device: 0.15,
  format: 0.25,
  deviceFormat: 0.35,
  viewFormat: 0.35,
  style: 0.15,
  ageTaste: 0.5,
  topicAppeal: 0.25,
  staySave: 0.4,
} as const;

/** Every drawn number of the truth; log-odds unless said otherwise. */
export interface Effects {
  readonly country: Float64Array;
  readonly device: Float64Array;
  /** Per ad: topic, format, style, own quality; everything about it that no user or context changes. */
  readonly ad: Float64Array;
  /** `[devices, formats]` */
  readonly deviceFormat: Float64Array;
  /** Per surface: `[view types, formats]`. */
  readonly viewFormat: readonly Float64Array[];
  /** `[age buckets + 1, LATENT_SIZE]`: what an age likes; the last row is of users who do not tell theirs. */
  readonly ageTaste: Float64Array;
  /** Per format: how fast an ad wears out, per ln(1 + days / 7). */
  readonly wear: Float64Array;
  /** Per topic: propensity to save rather than click. */
  readonly saveTopic: Float64Array;
  /** Per format: propensity to stay, and to be hidden. */
  readonly stayFormat: Float64Array;
  readonly hideFormat: Float64Array;
}

export const createEffects = (topics: Topics, catalogue: Catalogue, random: Random): Effects => {
  const draw = (count: number, spread: number): Float64Array => new Float64Array(count).map(() => spread * random.normal());
  const topicAppeal = draw(topics.names.length, SPREAD.topicAppeal);
  const format = draw(FORMATS.length, SPREAD.format);
  const style = draw(STYLE_TAGS.length, SPREAD.style);
  const styleOf = (ad: number): number => {
    let sum = 0;
    for (let i = catalogue.tagOffsets[ad]!; i < catalogue.tagOffsets[ad + 1]!; i++) {
      const tag = catalogue.tags[i]!;
      if (tag < STYLE_TAGS.length) sum += style[tag]!;
    }
    return sum;
  };
  return {
    country: draw(COUNTRIES.length, SPREAD.country),
    device: draw(DEVICES.length, SPREAD.device),
    ad: Float64Array.from(
      catalogue.quality,
      (quality, ad) => quality + topicAppeal[catalogue.topic[ad]!]! + format[catalogue.format[ad]!]! + styleOf(ad),
    ),
    deviceFormat: draw(DEVICES.length * FORMATS.length, SPREAD.deviceFormat),
    viewFormat: SURFACES.map((surface) => draw(surface.viewTypes.length * FORMATS.length, SPREAD.viewFormat)),
    ageTaste: draw((AGE_BUCKETS.length + 1) * LATENT_SIZE, SPREAD.ageTaste / Math.sqrt(LATENT_SIZE)),
    wear: Float64Array.from([0.06, 0.22, 0.12, 0.1]),
    saveTopic: draw(topics.names.length, SPREAD.staySave),
    stayFormat: draw(FORMATS.length, SPREAD.staySave),
    hideFormat: draw(FORMATS.length, SPREAD.staySave),
  };
};
