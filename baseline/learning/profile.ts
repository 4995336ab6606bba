/** The numbers behind a learning profile, and what must be learned before alerting starts (DETECTION §7). */
import type { LearningConfig } from '../../schemas/config/learning.ts';
import type { LearningProfile } from '../model.ts';

const PRODUCTION: LearningProfile = {
  name: 'production',
  ruleSupport: 100,
  admitOccurrences: 5,
  admitBuckets: 5,
  admitClients: 3,
  observeBelow: 30,
  observeBuckets: 3,
  activeFrom: 200,
  influenceShare: 0.1,
  influenceFree: 20,
};

const PROFILES: Readonly<Record<LearningProfile['name'], LearningProfile>> = {
  production: PRODUCTION,
  demo: { ...PRODUCTION, name: 'demo', ruleSupport: 60, activeFrom: 100 },
  export: { ...PRODUCTION, name: 'export' },
};

/** What must have been seen before a version may raise alerts. */
export interface Readiness {
  readonly minSegments: number;
  readonly minBuckets: number;
  readonly minClients: number;
  readonly maxObserved: number;
}

const READINESS = {
  production: { minSegments: 5_000, minBuckets: 20, minClients: 0, spanMs: 86_400_000 },
  demo: { minSegments: 6_000, minBuckets: 18, minClients: 100, spanMs: 100_000 },
  export: { minSegments: 200, minBuckets: 5, minClients: 0, spanMs: 3_600_000 },
} as const;

export const profileOf = (config: LearningConfig): LearningProfile => PROFILES[config.profile];

export const readinessOf = (config: LearningConfig): Readiness => {
  const base = READINESS[config.profile];
  return {
    minSegments: config.minSegments ?? base.minSegments,
    minBuckets: config.minBuckets ?? base.minBuckets,
    minClients: config.minClients ?? base.minClients,
    maxObserved: config.maxObserved,
  };
};

/** Width of a time bucket: a hundredth of the learning span, at least 5 s and at most an hour (DETECTION §7). */
export const bucketMs = (config: LearningConfig): number => {
  const span = config.spanMs ?? READINESS[config.profile].spanMs;
  return Math.min(3_600_000, Math.max(5_000, Math.round(span / 100)));
};
