/** How many of everything a marketplace of some size has. */
export interface MarketplaceSizes {
  readonly users: number;
  readonly ads: number;
  readonly advertisers: number;
  /** Pins that are not ads: subjects of `related_pins` and what users engage with besides ads. */
  readonly organicPins: number;
  readonly topics: number;
  readonly queriesPerTopic: number;
  /** Events of all users before the log starts. */
  readonly burnInEvents: number;
}

const clamp = (value: number, low: number, high: number): number => Math.min(high, Math.max(low, Math.round(value)));

/** Average candidates a user sees over the log: enough for a history to form. */
const CANDIDATES_PER_USER = 400;
const BURN_IN_EVENTS_PER_USER = 40;

/**
 * Users grow with the log and the catalogue with its square root, so that both users and ads keep enough impressions
 * to be learnt from.
 */
export const sizesFor = (candidates: number): MarketplaceSizes => {
  const users = clamp(candidates / CANDIDATES_PER_USER, 40, 50_000_000);
  const ads = clamp(1.7 * Math.sqrt(candidates), 120, 1_000_000);
  return {
    users,
    ads,
    advertisers: clamp(ads / 15, 10, 50_000),
    organicPins: ads,
    topics: clamp(20 + 10 * Math.log10(candidates / 300_000), 12, 40),
    queriesPerTopic: clamp(2 * (candidates / 300_000) ** 0.3, 2, 30),
    burnInEvents: users * BURN_IN_EVENTS_PER_USER,
  };
};
