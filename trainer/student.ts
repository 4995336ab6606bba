/** Score first, learn after: each settled segment is judged by the present version, then counted (DETECTION §7). */
import type { Baseline } from '../baseline/baseline.ts';
import type { Learning } from '../baseline/learning/learning.ts';
import { JudgementStage } from '../baseline/model.ts';
import type { Metrics } from '../runtime/telemetry/metrics.ts';
import type { PathTemplates } from '../traces/operations/learned-templates.ts';
import type { PathTrie } from '../traces/operations/path-trie.ts';
import type { Segment, SegmentSpans } from '../traces/segment.ts';
import type { Desk } from './desk.ts';
import type { TemplateBook } from './templates.ts';

export interface StudentDeps {
  readonly learning: Learning;
  /** What segments are learned with; calibration must read them with the same. */
  readonly templates: TemplateBook;
  readonly metrics: Metrics;
  readonly segment: Segment;
  read(spans: SegmentSpans, into: Segment, templates: PathTemplates, paths?: PathTrie): boolean;
}

export interface Student {
  learn(spans: SegmentSpans, present: Baseline | null, desk: Desk): void;
  /** Latest append time of what was learned. */
  readonly learnedMs: number;
}

/** p* below which a segment is counted in quarantine (DETECTION §7). */
const QUARANTINE_P = 1e-4;

/**
 * Nothing is learned of a segment that is next to impossible, nor of one with a hard finding once any version raised alerts:
 * such a finding opens or joins an incident, and what belongs to an open incident is not admitted (docs/adr/023). Before
 * there are alerts there are no incidents, and what looks hard to a version of few minutes is mostly traffic not seen yet.
 */
export function isSuspect(baseline: Baseline, segment: Segment): boolean {
  const { alerting, alerted } = baseline.manifest;
  const { p, findings } = baseline.judge(segment, JudgementStage.absence);
  return p < QUARANTINE_P || ((alerting || alerted === true) && findings.some((finding) => finding.hard));
}

export function createStudent({ learning, templates, metrics, segment, read }: StudentDeps): Student {
  const learned = metrics.counter(
    'trainer_segments_learned_total',
    'Segments learned, by whether they were quarantined',
  );
  const learnedPlain = learned.with({ quarantined: 'no' });
  const learnedQuarantined = learned.with({ quarantined: 'yes' });
  const unreadable = metrics.counter('trainer_segments_unreadable_total', 'Segments that could not be read');
  let learnedMs = 0;

  return {
    get learnedMs() {
      return learnedMs;
    },
    learn(spans, present, desk) {
      const { current } = templates;
      const { candidate } = desk;
      if (candidate !== undefined && read(spans, segment, candidate.templates)) {
        desk.heard(candidate.judge(segment, JudgementStage.absence));
      }
      // judged as the version reads it, learned as the next one will
      const differs = present !== null && present.templates.key !== current.key;
      let quarantined = differs && read(spans, segment, present.templates) && isSuspect(present, segment);
      if (!read(spans, segment, current, templates.pathsOf(spans.partition))) {
        unreadable.add(1);
        return;
      }
      if (present !== null && !differs) quarantined = isSuspect(present, segment);
      learnedMs = Math.max(learnedMs, spans.appendMs);
      learning.learn(segment, spans, quarantined);
      (quarantined ? learnedQuarantined : learnedPlain).add(1);
    },
  };
}
