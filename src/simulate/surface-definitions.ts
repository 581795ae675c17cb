export type SurfaceName = 'home_feed' | 'search' | 'related_pins';

/** A view type's share of its surface's requests, its calibration offset (log-odds) and how fast clicks fall with ln(position). */
export interface ViewTypeDefinition {
  readonly name: string;
  readonly share: number;
  readonly offset: number;
  readonly positionSlope: number;
}

/** What makes one surface different from the others. */
export interface SurfaceDefinition {
  readonly name: SurfaceName;
  /** Share of all candidates. */
  readonly candidateShare: number;
  readonly meanCandidates: number;
  /** Candidates a request has: `meanCandidates` ± this, uniformly. */
  readonly candidateSpread: number;
  readonly clickRate: number;
  readonly viewTypes: readonly ViewTypeDefinition[];
  /** Weight of the user's interest in the click log-odds. */
  readonly interestScale: number;
  /** Weight of the query's or subject pin's match; 0 on a surface without context. */
  readonly contextScale: number;
  /** Share of candidates retrieved by the user's interests, and by the query or subject; the others are popular ones. */
  readonly retrieval: { readonly interest: number; readonly context: number };
  readonly hasHide: boolean;
}

export const SURFACES: readonly SurfaceDefinition[] = [
  {
    name: 'home_feed',
    candidateShare: 0.42,
    meanCandidates: 16,
    candidateSpread: 8,
    clickRate: 0.028,
    viewTypes: [
      { name: 'grid', share: 0.75, offset: 0, positionSlope: 0.25 },
      { name: 'carousel', share: 0.25, offset: -0.45, positionSlope: 0.5 },
    ],
    interestScale: 2.3,
    contextScale: 0,
    retrieval: { interest: 0.4, context: 0 },
    hasHide: true,
  },
  {
    name: 'search',
    candidateShare: 0.25,
    meanCandidates: 10,
    candidateSpread: 6,
    clickRate: 0.08,
    viewTypes: [
      { name: 'results', share: 0.8, offset: 0, positionSlope: 0.4 },
      { name: 'autocomplete', share: 0.2, offset: -0.7, positionSlope: 0.65 },
    ],
    interestScale: 1.1,
    contextScale: 1.5,
    retrieval: { interest: 0.1, context: 0.45 },
    hasHide: true,
  },
  {
    name: 'related_pins',
    candidateShare: 0.33,
    meanCandidates: 24,
    candidateSpread: 12,
    clickRate: 0.04,
    viewTypes: [
      { name: 'closeup', share: 0.6, offset: 0, positionSlope: 0.3 },
      { name: 'feed', share: 0.4, offset: -0.5, positionSlope: 0.2 },
    ],
    interestScale: 1.65,
    contextScale: 1.2,
    retrieval: { interest: 0.15, context: 0.35 },
    hasHide: false,
  },
];

export const TASKS = ['click', 'long_click', 'save', 'hide'] as const;
export type SimulatedTask = (typeof TASKS)[number];

/** Tasks a surface has labels of. */
export const tasksOf = (surface: SurfaceDefinition): readonly SimulatedTask[] =>
  surface.hasHide ? TASKS : TASKS.filter((task) => task !== 'hide');

export const COUNTRIES = ['us', 'gb', 'de', 'fr', 'es', 'it', 'nl', 'pl'] as const;
export const DEVICES = ['phone', 'tablet', 'desktop'] as const;
export const AGE_BUCKETS = ['18-24', '25-34', '35-44', '45-54', '55-64', '65+'] as const;
export const FORMATS = ['image', 'video', 'carousel', 'collection'] as const;
/** Tags of style; every topic has tags of its own besides. */
export const STYLE_TAGS = ['handmade', 'minimal', 'vintage', 'luxury', 'diy', 'seasonal', 'vegan', 'sale'] as const;
export const TAGS_PER_TOPIC = 4;
export const ACTIONS = ['click', 'long_click', 'save'] as const;
