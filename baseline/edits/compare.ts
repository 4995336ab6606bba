/** What an edit would have changed: the same requests under a version without and with it, side by side (DETECTION §8). */
import type { Finding, Match } from '../../schemas/log/verdict.ts';

interface Judged {
  readonly p: number;
  readonly anomalous: boolean;
  readonly match: Match;
  readonly findings: readonly Finding[];
}

export interface NoveltyCount {
  readonly kind: string;
  readonly explanationKey: string;
  readonly service: string;
  readonly operation: string;
  readonly hard: boolean;
  readonly requests: number;
}

export interface ChangedExample {
  readonly traceId: string;
  readonly operation: string;
  readonly before: string;
  readonly after: string;
  readonly gone: readonly string[];
  readonly added: readonly string[];
}

export interface EditPreview {
  /** Versions without and with the edit. */
  readonly version: string;
  readonly edited: string;
  /** Log-append times of the first and last request judged; null of none. */
  readonly fromMs: number | null;
  readonly toMs: number | null;
  /** Requests of that time, how many of them were judged again, and whether all of the time was looked through. */
  readonly requests: number;
  readonly judged: number;
  readonly whole: boolean;
  /** Requests whose verdict would have been another. */
  readonly changed: number;
  readonly anomalous: { readonly before: number; readonly after: number };
  readonly gone: readonly NoveltyCount[];
  readonly added: readonly NoveltyCount[];
  /** Hard novelties, each once: what incidents would not have been opened for, and what ones would have been. */
  readonly incidents: { readonly keptAway: number; readonly made: number };
  readonly examples: readonly ChangedExample[];
}

const MOST_EXAMPLES = 10;
const MOST_LISTED = 50;

export interface Comparison {
  add(traceId: string, appendMs: number, operation: string, before: Judged, after: Judged): void;
  result(versions: Pick<EditPreview, 'version' | 'edited'>, covered: { requests: number; whole: boolean }): EditPreview;
}

const keyOf = ({ kind, explanationKey, service, operation }: Finding): string =>
  [kind, explanationKey, service, operation].join('\u0000');

export function createComparison(): Comparison {
  const gone = new Map<string, { finding: Finding; hard: boolean; requests: number }>();
  const added: typeof gone = new Map();
  /** Novelties that are hard in some request, without and with the edit. */
  const hardBefore = new Set<string>();
  const hardAfter = new Set<string>();
  const examples: ChangedExample[] = [];
  let judged = 0;
  let changed = 0;
  let anomalousBefore = 0;
  let anomalousAfter = 0;
  let fromMs = Number.POSITIVE_INFINITY;
  let toMs = Number.NEGATIVE_INFINITY;

  const count = (into: typeof gone, finding: Finding): void => {
    const known = into.get(keyOf(finding));
    if (known === undefined) into.set(keyOf(finding), { finding, hard: finding.hard, requests: 1 });
    else {
      known.requests++;
      known.hard ||= finding.hard;
    }
  };
  const note = (into: Set<string>, findings: readonly Finding[]): void => {
    for (const { hard, kind, explanationKey } of findings) if (hard) into.add(`${kind}\u0000${explanationKey}`);
  };
  const listed = (from: typeof gone): NoveltyCount[] =>
    [...from.values()]
      .sort((a, b) => Number(b.hard) - Number(a.hard) || b.requests - a.requests)
      .slice(0, MOST_LISTED)
      .map(({ finding: { kind, explanationKey, service, operation }, hard, requests }) => ({
        kind,
        explanationKey,
        service,
        operation,
        hard,
        requests,
      }));

  return {
    add(traceId, appendMs, operation, before, after) {
      judged++;
      fromMs = Math.min(fromMs, appendMs);
      toMs = Math.max(toMs, appendMs);
      if (before.anomalous) anomalousBefore++;
      if (after.anomalous) anomalousAfter++;
      note(hardBefore, before.findings);
      note(hardAfter, after.findings);
      const had = new Set(before.findings.map(keyOf));
      const has = new Set(after.findings.map(keyOf));
      const lost = before.findings.filter((finding) => !has.has(keyOf(finding)));
      const won = after.findings.filter((finding) => !had.has(keyOf(finding)));
      for (const finding of lost) count(gone, finding);
      for (const finding of won) count(added, finding);
      const same =
        lost.length + won.length === 0 &&
        before.anomalous === after.anomalous &&
        before.p === after.p &&
        before.match.deviation.max === after.match.deviation.max;
      if (same) return;
      changed++;
      if (examples.length >= MOST_EXAMPLES) return;
      const words = ({ kind, explanationKey }: Finding): string => `${kind} ${explanationKey}`;
      examples.push({
        traceId,
        operation,
        before: before.match.text,
        after: after.match.text,
        gone: lost.map(words),
        added: won.map(words),
      });
    },
    result: (versions, { requests, whole }) => ({
      ...versions,
      fromMs: judged === 0 ? null : fromMs,
      toMs: judged === 0 ? null : toMs,
      requests,
      judged,
      whole,
      changed,
      anomalous: { before: anomalousBefore, after: anomalousAfter },
      gone: listed(gone),
      added: listed(added),
      incidents: {
        keptAway: [...hardBefore].filter((key) => !hardAfter.has(key)).length,
        made: [...hardAfter].filter((key) => !hardBefore.has(key)).length,
      },
      examples,
    }),
  };
}
