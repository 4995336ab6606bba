/** When a detector is not to be trusted: each reason by itself, with its figures and the way out. */
import type { CheckReport, Failure } from './report.ts';

/** Bounds of a check. */
export const BOUNDS = {
  /** Realised over nominal rate of false positives, either way. */
  rateFactor: 2,
  /** Share of scores that may equal the largest. */
  tied: 0.01,
  /** What a group may cost the recall of others' anomalies. */
  drowned: 0.05,
  /** Decades by which it must lift the bar to be called louder than it is sure. */
  lifted: 0.5,
  /** Share of a group's calls in state observe. */
  observed: 0.05,
  /** Chance that a planted anomaly stands above a normal segment, over the better half of the kinds; scores that say nothing give 0.5. */
  auroc: 0.75,
  /** Share of segments that may be real anomalies by their hard findings. */
  leftOut: 0.01,
} as const;

const percent = (share: number): string => `${Number((100 * share).toPrecision(3))} %`;

export function failuresOf(report: Omit<CheckReport, 'failures' | 'outcome' | 'notEnough'>): Failure[] {
  const failures: Failure[] = [];
  const { ranking, spread, traffic, leftOut, rules } = report;
  if (report.withoutMatch > 0)
    failures.push({
      check: 'match',
      reason: `${report.withoutMatch} verdicts of ${traffic.normal + ranking.planted} say nothing of what they were compared with`,
      wayOut: 'a verdict without a match explains nothing: report it, with the version; go back to the version before',
    });
  for (const [what, share] of [
    ['normal traffic', spread.tiedAtTop],
    ['the planted anomalies', spread.plantedTiedAtTop],
  ] as const) {
    if (share > BOUNDS.tied)
      failures.push({
        check: 'ties',
        reason: `${percent(share)} of the scores of ${what} are equal at the top: they order nothing there`,
        wayOut: 'the version scores next to nothing, or stops at a floor: learn again from more traffic, or go back',
      });
  }
  if (ranking.planted > 0 && ranking.betterHalf < BOUNDS.auroc)
    failures.push({
      check: 'ranking',
      reason:
        ranking.auroc < 1 - BOUNDS.auroc
          ? `it ranks backwards: a planted anomaly stands above a normal request in ${percent(ranking.auroc)} of cases`
          : `its scores hardly tell planted anomalies from normal requests: even of the kinds it sees best they stand above them in ${percent(ranking.betterHalf)} of cases, by chance it were 50 %`,
      wayOut: 'the version does not fit this traffic, or is broken: learn again from traffic like this, or go back',
    });
  for (const { nominal, of, segments, realised, interval, ok } of report.rates) {
    if (ok) continue;
    const high = realised > nominal;
    failures.push({
      check: 'rate',
      reason: `of ${segments} normal requests ${percent(realised)} have p ≤ ${nominal} (95 %: ${percent(interval[0])} to ${percent(interval[1])}), ${
        high ? 'over twice' : 'under half'
      } of what is promised${of === 'learned' ? ', in traffic it may have learned from' : ''}`,
      wayOut: high
        ? 'the traffic is not what was learned: let it learn on, or train again; if it is under attack, check a quiet time'
        : 'it is less sensitive than promised: train again, on traffic of the same kind as this',
    });
  }
  if (!leftOut.believed)
    failures.push({
      check: 'rate',
      reason: `${leftOut.hardFindings} of ${traffic.sampled} requests have hard findings, ${percent(leftOut.hardFindings / traffic.sampled)}: too many to be taken for real anomalies`,
      wayOut:
        'if they are real (spanwarden incidents list), check a quiet time; if not, the version does not fit: train again',
    });
  for (const { group, of, recallWith, recallWithout, lifts } of report.groups) {
    if (recallWithout - recallWith > BOUNDS.drowned && lifts > BOUNDS.lifted)
      failures.push({
        check: 'drowning',
        reason: `${group} drowns ${of}: at one false positive in a thousand ${percent(recallWith)} of anomalies of ${of} are found, without ${group} ${percent(recallWithout)}; it lifts the bar ${lifts.toFixed(1)} decades`,
        wayOut: `what the ${group} model says is louder than it is sure: train again; if it stays so, report it`,
      });
  }
  for (const { group, observe } of report.coverage) {
    if (observe > BOUNDS.observed)
      failures.push({
        check: 'observe',
        reason: `${percent(observe)} of the calls have keys that the ${group} model only observes: too little was learned of them to be judged`,
        wayOut: `let it learn on, from traffic with these operations: ${report.observed
          .filter(({ states }) => states[group] === 'observe')
          .slice(0, 3)
          .map(({ service, operation }) => `${service} ${operation}`)
          .join(', ')}`,
      });
  }
  if (rules.withRule < rules.operations)
    failures.push({
      check: 'rules',
      reason: `${rules.without.length} of ${rules.operations} active operations always make some call and have no rule that says so, as ${rules.without[0]!.operation} with ${rules.without[0]!.always}`,
      wayOut:
        'a check left out there would go unseen: learn from more clients and more traffic, or add the rule by an edit',
    });
  return failures;
}
