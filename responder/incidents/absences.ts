/**
 * Lost or left out? A call that stands as a single span can always be lost, so its absence is a candidate: near-certain only if
 * whoever sees many requests agrees (docs/adr/021). Spans get lost for everybody; a call is left out by somebody. So it counts as
 * left out while absences of others at the same service, each rule counted once, are rarer than the false alerts a day that chance may
 * cause, and no more than so many rules are told of by that, or where one client stands out.
 */
import { type Finding, type FindingRecord, type Verdict, VerdictStage } from '../../schemas/log/verdict.ts';
import { clientOf } from '../actors/learned/addresses.ts';
import { noveltyKey } from './explanation.ts';

export interface Absences {
  /** Notes what a verdict lacks, each trace once. */
  note(verdict: Verdict, findings: readonly Finding[], appendMs: number): void;
  /**
   * Waits until what others lack at the same time is in; an amendment keeps its place. Returns who waited longest where too
   * many would wait: to be judged at once, since what many others lack is known by then.
   */
  add(record: FindingRecord, dueMs: number): FindingRecord | undefined;
  withdraw(verdict: Verdict): void;
  /**
   * Takes out those that may be of the same client, or trace, and began before `verdict`: they are judged before it, however late and close
   * together both were heard of.
   */
  before(verdict: Verdict): readonly FindingRecord[];
  /** Takes out those that are due, in the order in which they began. */
  due(nowMs: number): readonly { readonly record: FindingRecord; readonly dueMs: number }[];
  /** The candidate was left out, not lost. */
  agrees(verdict: Verdict, finding: Finding, nowMs: number): boolean;
  snapshot(): AbsencesSnapshot;
}

interface Noted {
  readonly atMs: number;
  /** Client (of IPv6 its /64: one machine may have a whole one), or the trace where nobody is known. */
  readonly who: string;
  readonly key: string;
  /** Whose spans do not come; not in a snapshot of an earlier release. */
  readonly service?: string;
  readonly traceId: string;
}

/** A rule that is told of as nobody else lacks anything. */
type Agreed = readonly [key: string, atMs: number];

interface Waiting {
  readonly record: FindingRecord;
  readonly dueMs: number;
}

export interface AbsencesSnapshot {
  readonly noted: readonly Noted[];
  readonly waiting: readonly Waiting[];
  readonly agreed?: readonly Agreed[];
}

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
const MAX_NOTED = 1_000;
const MAX_WAITING = 2_000;
/** Requests in an hour in which a client left the same call out before it stands out. */
const LEAST_REPEATED = 3;

export function createAbsences(budgetPerDay: number, snapshot?: AbsencesSnapshot): Absences {
  let noted: Noted[] = [...(snapshot?.noted ?? [])];
  let waiting = [...(snapshot?.waiting ?? [])];
  let agreed = [...(snapshot?.agreed ?? [])];

  return {
    note(verdict, findings, appendMs) {
      const lacking = findings.find(isAbsence) ?? findings.find(({ kind }) => kind === 'missing-telemetry');
      if (lacking === undefined || noted.some(({ traceId }) => traceId === verdict.traceId)) return;
      const { traceId } = verdict;
      noted.push({ atMs: appendMs, who: whoOf(verdict), key: noveltyKey(lacking), service: lacking.service, traceId });
      if (noted.length > MAX_NOTED) noted.shift();
    },
    add(record, dueMs) {
      const at = waiting.findIndex((one) => one.record.verdict.id === record.verdict.id);
      if (at < 0) waiting.push({ record, dueMs });
      else waiting[at] = { record, dueMs: waiting[at]!.dueMs };
      return waiting.length > MAX_WAITING ? waiting.shift()?.record : undefined;
    },
    withdraw({ id, stage, traceId }) {
      waiting = waiting.filter(({ record }) => record.verdict.id !== id);
      if (stage === VerdictStage.withdrawn) noted = noted.filter((one) => one.traceId !== traceId);
    },
    before(verdict) {
      if (waiting.length === 0) return [];
      const isBefore = ({ record: { verdict: other } }: Waiting): boolean =>
        inStreamOrder(other, verdict) < 0 && mayBeOfOne(other, verdict);
      const found = waiting.filter(isBefore);
      if (found.length > 0) waiting = waiting.filter((one) => !found.includes(one));
      return found.map(({ record }) => record).sort((a, b) => inStreamOrder(a.verdict, b.verdict));
    },
    due(nowMs) {
      const due = waiting.filter(({ dueMs }) => dueMs <= nowMs);
      if (due.length > 0) waiting = waiting.filter(({ dueMs }) => dueMs > nowMs);
      return due.sort((a, b) => inStreamOrder(a.record.verdict, b.record.verdict));
    },
    agrees(verdict, finding, nowMs) {
      const who = whoOf(verdict);
      const key = noveltyKey(finding);
      const { service } = finding;
      const there = noted.filter((one) => (one.service ?? service) === service);
      const others = there.filter((one) => one.who !== who && one.atMs > nowMs - DAY_MS);
      // what gets lost is this or that; one call that many leave out speaks for itself alone
      const losses = new Set(others.map((one) => (one.key === key ? `who ${one.who}` : one.key))).size;
      agreed = agreed.filter(([, atMs]) => atMs > nowMs - DAY_MS);
      const isKnown = agreed.some(([known]) => known === key);
      if (losses < budgetPerDay && (isKnown || agreed.length < budgetPerDay)) {
        if (!isKnown) agreed.push([key, nowMs]);
        return true;
      }
      const lately = there.filter(({ atMs }) => atMs > nowMs - HOUR_MS);
      const own = lately.filter((one) => one.who === who && one.key === key).length;
      return own >= LEAST_REPEATED && own > lately.filter((one) => one.who !== who).length;
    },
    snapshot: () => ({ noted, waiting, agreed }),
  };
}

function whoOf({ client: { address }, traceId }: Verdict): string {
  if (address === null) return traceId;
  return clientOf(address);
}

/** A candidate for what did not come, not for what came slowly. */
export const isAbsence = ({ candidate, evidence }: Finding): boolean => candidate && evidence === 'absence';

/** By the log-append time of the first record: the same whenever they are heard of. */
export const inStreamOrder = (a: Verdict, b: Verdict): number => a.appendMs - b.appendMs || (a.id < b.id ? -1 : 1);

/** Of one story, as far as can be known by now: whose message it was, work behind a queue may say later. */
function mayBeOfOne(a: Verdict, b: Verdict): boolean {
  if (a.traceId === b.traceId || (a.client.address !== null && a.client.address === b.client.address)) return true;
  return (a.asynchronous && a.client.address === null) || (b.asynchronous && b.client.address === null);
}
