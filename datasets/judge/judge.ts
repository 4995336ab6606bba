/**
 * Holds the alerts that reached the webhook against the ground truth. Pure. An alert belongs to an attack when it shows one
 * of its traces, names who did it at its time, goes on with an incident that did, or, failing these, explains it rightly at
 * its time; then the attack is detected, and who it names is right or wrong. What belongs to no attack is a false alert.
 */
import type { Stage } from '../../schemas/log/kill-chain.ts';
import { attacksOf, type GroundTruth, type TruthEvent } from '../scenarios/truth.ts';
import type { ReceivedAlert } from './alert.ts';
import { attributionOf } from './attribution.ts';
import type { ResponseResult } from './response.ts';

export interface AttackResult {
  readonly name: string;
  readonly title: string;
  readonly detected: boolean;
  /** Whom the alerts named: an address, a range, a user; null when nobody. */
  readonly named: string | null;
  readonly namedExpected: string;
  readonly namedRight: boolean;
  /** What was wrong about it, in words. */
  readonly namedWrongly: string;
  /** From the attack's first request to the first alert at the receiver. */
  readonly secondsToAlert: number | null;
  readonly kind: string | null;
  readonly matchText: string | null;
  /** Alerts that belong to it. */
  readonly alerts: number;
  /** Incidents left of it, after merging: one story is one. */
  readonly incidents: number;
  /** As its last alert says. */
  readonly stages: readonly Stage[];
  readonly stagesRight: boolean;
  /** The highest its alerts said. */
  readonly risk: number;
}

export interface FalseAlert {
  readonly title: string;
  readonly class: string;
  readonly kind: string;
  readonly service: string;
  readonly client: string | null;
  readonly matchText: string;
  readonly receivedMs: number;
  readonly traceIds: readonly string[];
  /** Scenario that was running, '' when none. */
  readonly during: string;
}

export interface Judgement {
  readonly attacks: readonly AttackResult[];
  readonly falseAlerts: readonly FalseAlert[];
  /** Operational notices that are allowed: the peak's, and the slow query's victims. */
  readonly notices: number;
  /** Incidents that people heard of and that were not merged into others. */
  readonly incidents: number;
  /** Every attack detected, rightly attributed, one incident, its stages in order; nothing benign alerted. */
  readonly passed: boolean;
}

/** The report of `demo --report FILE`. */
export interface DemoReport extends Judgement {
  readonly response: ResponseResult;
  readonly seed: number;
  readonly traces: number;
  readonly spans: number;
}

const BEFORE_MS = 1_000;
/** Work that an attack queued, and clocks of its spans, may end this much later. */
const AFTER_MS = 15_000;
/** A collective window that began in the peak ends this much later. */
const PEAK_AFTER_MS = 45_000;
const MAX_PEAK_NOTICES = 1;
const TIMING_KINDS: readonly string[] = ['self-time', 'latency', 'collective'];
const PEAK = 'traffic-peak';

export function judge(truth: GroundTruth, received: readonly ReceivedAlert[]): Judgement {
  const attacks = attacksOf(truth);
  const mergedIds = new Set(received.filter(({ incident }) => incident.state === 'merged').map((a) => a.incident.id));
  const alerts = received.filter(({ type }) => type !== 'incident.closed').sort((a, b) => a.receivedMs - b.receivedMs);
  const belonging = new Map<TruthEvent, ReceivedAlert[]>(attacks.map((attack) => [attack, []]));
  const ownerOfIncident = new Map<string, TruthEvent>();
  const unclear: ReceivedAlert[] = [];
  let notices = 0;

  for (const alert of alerts) {
    const owner = ownerOf(alert, attacks) ?? ownerOfIncident.get(alert.incident.id);
    if (owner === undefined) unclear.push(alert);
    else {
      belonging.get(owner)!.push(alert);
      if (!ownerOfIncident.has(alert.incident.id)) ownerOfIncident.set(alert.incident.id, owner);
    }
  }
  const falseAlerts: FalseAlert[] = [];
  let peakNotices = 0;
  for (const alert of unclear) {
    const explained = attacks.find((attack) => explains(alert, attack));
    if (explained !== undefined && belonging.get(explained)!.length === 0) {
      belonging.get(explained)!.push(alert); // detected, though nobody or somebody else is named
      continue;
    }
    if (explained !== undefined && (alert.incident.client === null || isTiming(alert))) {
      notices++; // the same again without a name, or a victim of the slow query
      continue;
    }
    if (alert.incident.class === 'operational') {
      const peak = truth.events.find(({ name }) => name === PEAK);
      if (peak !== undefined && overlaps(alert, peak, PEAK_AFTER_MS) && ++peakNotices > MAX_PEAK_NOTICES) {
        falseAlerts.push(falseAlert(alert, truth));
      } else notices++;
      continue;
    }
    if (alert.incident.class === 'security') falseAlerts.push(falseAlert(alert, truth));
    else notices++;
  }

  const results = attacks.map((attack) => resultOf(attack, belonging.get(attack)!, mergedIds));
  return {
    attacks: results,
    falseAlerts,
    notices,
    incidents: incidentsOf(alerts, mergedIds),
    passed: falseAlerts.length === 0 && results.every(isRight),
  };
}

export const isRight = ({ detected, namedRight, incidents, stagesRight }: AttackResult): boolean =>
  detected && namedRight && incidents === 1 && stagesRight;

const incidentsOf = (alerts: readonly ReceivedAlert[], mergedIds: ReadonlySet<string>): number =>
  new Set(alerts.map(({ incident }) => incident.id).filter((id) => !mergedIds.has(id))).size;

function ownerOf(alert: ReceivedAlert, attacks: readonly TruthEvent[]): TruthEvent | undefined {
  const { traceIds, clients, user, entity } = alert.incident;
  const names = ({ named, clients: own }: TruthEvent): boolean =>
    own.some((address) => clients.includes(address)) ||
    (named.by === 'user' && user === named.key) ||
    (named.by === 'network' && entity === named.key);
  return (
    attacks.find((attack) => attack.traceIds.some((id) => traceIds.includes(id))) ??
    attacks.find((attack) => overlaps(alert, attack, AFTER_MS) && names(attack))
  );
}

const overlaps = ({ incident }: ReceivedAlert, event: TruthEvent, afterMs: number): boolean =>
  incident.startMs <= event.endMs + afterMs && incident.endMs >= event.startMs - BEFORE_MS;

const explains = (alert: ReceivedAlert, attack: TruthEvent): boolean =>
  overlaps(alert, attack, AFTER_MS) &&
  alert.incident.kinds.some((kind) => attack.expected.kinds.includes(kind)) &&
  alert.incident.services.some((service) => attack.expected.services.includes(service));

const isTiming = ({ incident }: ReceivedAlert): boolean => TIMING_KINDS.includes(incident.kind);

function resultOf(attack: TruthEvent, alerts: readonly ReceivedAlert[], mergedIds: ReadonlySet<string>): AttackResult {
  const first = alerts[0];
  const { named, wrong } = attributionOf(attack, alerts);
  const stages = alerts.findLast(({ incident }) => incident.stages.length > 0)?.incident.stages ?? [];
  return {
    name: attack.name,
    title: attack.title,
    detected: first !== undefined,
    named,
    namedExpected: attack.named.key,
    namedRight: named !== null && wrong === '',
    namedWrongly: wrong,
    secondsToAlert: first === undefined ? null : Math.round((first.receivedMs - attack.startMs) / 10) / 100,
    kind: first?.incident.kind ?? null,
    matchText: first?.incident.matchText ?? null,
    alerts: alerts.length,
    incidents: incidentsOf(alerts, mergedIds),
    stages,
    stagesRight: inOrder(attack.expected.stages ?? [], stages),
    risk: alerts.reduce((most, { incident }) => Math.max(most, incident.risk), 0),
  };
}

/** Whether `wanted` stand in `seen` in this order; others may come between. */
function inOrder(wanted: readonly Stage[], seen: readonly Stage[]): boolean {
  let at = 0;
  for (const stage of seen) if (stage === wanted[at]) at++;
  return at === wanted.length;
}

function falseAlert(alert: ReceivedAlert, truth: GroundTruth): FalseAlert {
  const { title, kind, service, client, matchText, traceIds } = alert.incident;
  const during = truth.events.find((event) => overlaps(alert, event, 0));
  return {
    title,
    class: alert.incident.class,
    kind,
    service,
    client,
    matchText,
    receivedMs: alert.receivedMs,
    traceIds,
    during: during?.name ?? '',
  };
}
