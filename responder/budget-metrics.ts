/** Target and realised rates as metrics: what chance may cause, what it does cause, and what moved the threshold. */
import type { Metrics } from '../runtime/telemetry/metrics.ts';
import type { BudgetState } from '../schemas/alerts/budget.ts';
import { JUDGED_LEVELS, type JudgedCounts } from '../schemas/log/judged.ts';

export interface BudgetMetrics {
  judged(counts: JudgedCounts): void;
  /** No more shown. */
  stop(): void;
}

/** `state`: null while somebody else owns the findings. */
export function createBudgetMetrics(metrics: Metrics, state: () => BudgetState | null): BudgetMetrics {
  const segments = metrics.counter('responder_judged_segments_total', 'Segments that detectors judged');
  const below = metrics.counter(
    'responder_judged_below_total',
    'Of the segments judged, those with p at or below the nominal share: over judged_segments it is the realised rate',
  );
  const shown: readonly (readonly [string, string, (state: BudgetState) => number])[] = [
    ['responder_budget_alerts', 'False alerts a day that chance may cause', (s) => s.targetPerDay],
    [
      'responder_expected_false_alerts',
      'False alerts that chance causes in a day like the last',
      (s) => s.expectedLastDay,
    ],
    ['responder_soft_incidents', 'Incidents without a hard finding opened in the last day', (s) => s.softLastDay],
    ['responder_soft_threshold', 'p at or below which a soft finding opens an incident', (s) => s.threshold],
    ['responder_threshold_shift', 'Decades by which drift and operators moved that threshold', (s) => s.shift],
    ['responder_calibration_ratio', 'Realised over nominal share of unlikely segments, recent hours', (s) => s.drift],
  ];
  const stops = shown.map(([name, help, of]) =>
    metrics.gauge(name, help, () => {
      const now = state();
      return now === null ? [] : of(now);
    }),
  );
  return {
    judged(counts) {
      segments.add(counts.segments);
      for (let i = 0; i < JUDGED_LEVELS.length; i++) below.add(counts.below[i]!, { nominal: JUDGED_LEVELS[i]! });
    },
    stop() {
      for (const stop of stops) stop();
    },
  };
}
