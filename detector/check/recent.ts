/**
 * The operator's own recent traffic, as whole segments: read, never stored and never produced to the log. For checking a
 * detector, and for telling what another version would have said of it.
 */
import type { Baseline } from '../../baseline/baseline.ts';
import { type Judgement, JudgementStage } from '../../baseline/model.ts';
import type { PathTemplates } from '../../traces/operations/learned-templates.ts';
import type { Segment, SegmentSpans } from '../../traces/segment.ts';
import type { SegmentSample } from './sample.ts';

export interface RecentOptions {
  /** Segments at most: a uniform sample of those there are. */
  readonly most: number;
  /** Chooses the sample: the same seed over the same traffic gives the same one. */
  readonly seed: number;
  /** Only what the log got so many milliseconds ago or later; files are read whole. */
  readonly sinceMs?: number;
  readonly signal?: AbortSignal;
  readonly progress?: (segments: number) => void;
}

/** What was looked at; complete when `segments` has ended. */
export interface RecentCovered {
  /** Append times of the first and the last segment given, milliseconds since the epoch; NaN of none. */
  fromMs: number;
  toMs: number;
  /** Whole segments read, of which at most `most` were given. */
  segments: number;
  given: number;
  records: number;
  /** Segments that had not ended where reading did. */
  unfinished: number;
  /** False where there was more in the time than was read: parts of it, spread over it evenly, stand for the whole. */
  whole: boolean;
}

export interface RecentTraffic {
  /** Settled segments in the order of their first records. Each is the caller's to keep. */
  segments(options: RecentOptions): AsyncIterable<SegmentSpans>;
  /** Of the last call of `segments`. */
  readonly covered: Readonly<RecentCovered>;
}

export const nothingCovered = (): RecentCovered => ({
  fromMs: Number.NaN,
  toMs: Number.NaN,
  segments: 0,
  given: 0,
  records: 0,
  unfinished: 0,
  whole: true,
});

/** What the sample kept, and so given, as `covered` says. */
export function givenOf(sample: SegmentSample, covered: RecentCovered): readonly SegmentSpans[] {
  const given = sample.take();
  covered.segments = sample.seen;
  covered.given = given.length;
  covered.fromMs = given[0]?.appendMs ?? Number.NaN;
  covered.toMs = given.at(-1)?.appendMs ?? Number.NaN;
  return given;
}

export interface SideBySideDeps {
  readonly segment: Segment;
  read(spans: SegmentSpans, into: Segment, templates: PathTemplates): boolean;
}

/** One segment under several versions. */
export interface SideBySide {
  readonly spans: SegmentSpans;
  /** One a version, in their order; all are the caller's to keep. */
  readonly judgements: readonly Judgement[];
}

/**
 * What each of these versions says of the traffic, all spans being in. They must have been loaded with the symbols of the
 * reader. Segments that cannot be read are left out.
 */
export async function* judgeSideBySide(
  traffic: AsyncIterable<SegmentSpans>,
  baselines: readonly Baseline[],
  { segment, read }: SideBySideDeps,
): AsyncGenerator<SideBySide> {
  for await (const spans of traffic) {
    const judgements: Judgement[] = [];
    let templates: PathTemplates | undefined;
    for (const baseline of baselines) {
      if (baseline.templates !== templates && !read(spans, segment, baseline.templates)) break;
      templates = baseline.templates;
      judgements.push(baseline.judge(segment, JudgementStage.absence));
    }
    if (judgements.length === baselines.length) yield { spans, judgements };
  }
}
