/**
 * Holds the alerts that reached the webhook against the ground truth. Pure. An alert belongs to an attack when it shows one
 * of its traces, or names its client at its time, or, failing both, explains it rightly at its time; then the attack is
 * detected, and the client is right or wrong. What belongs to no attack is a false alert.
 */
import { attacksOf, type GroundTruth, type TruthEvent } from '../scenarios/truth.ts';
import type { ReceivedAlert } from './alert.ts';

export interface AttackResult {
  readonly name: string;
  readonly title: string;
  readonly detected: boolean;
  /** The client that the alert named; null when none was named. */
  readonly client: string | null;
  readonly clientExpected: string;
  readonly clientRight: boolean;
  /** From the attack's first request to the first alert at the receiver. */
  readonly secondsToAlert: number | null;
  readonly kind: string | null;
  readonly matchText: string | null;
  /** Alerts that belong to it. */
  readonly alerts: number;
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
  /** All attacks detected and rightly attributed, nothing benign alerted. */
  readonly passed: boolean;
}

/** The report of `demo --report FILE`. */
export interface DemoReport extends Judgement {
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
  const alerts = [...received]
    .filter(({ type }) => type !== 'incident.closed')
    .sort((a, b) => a.receivedMs - b.receivedMs);
  const belonging = new Map<TruthEvent, ReceivedAlert[]>(attacks.map((attack) => [attack, []]));
  const unclear: ReceivedAlert[] = [];
  let notices = 0;

  for (const alert of alerts) {
    const owner = ownerOf(alert, attacks);
    if (owner !== undefined) belonging.get(owner)!.push(alert);
    else unclear.push(alert);
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

  const results = attacks.map((attack) => resultOf(attack, belonging.get(attack)!));
  return {
    attacks: results,
    falseAlerts,
    notices,
    passed: falseAlerts.length === 0 && results.every(({ detected, clientRight }) => detected && clientRight),
  };
}

function ownerOf(alert: ReceivedAlert, attacks: readonly TruthEvent[]): TruthEvent | undefined {
  const { traceIds, clients } = alert.incident;
  return (
    attacks.find((attack) => attack.traceIds.some((id) => traceIds.includes(id))) ??
    attacks.find((attack) => overlaps(alert, attack, AFTER_MS) && clients.includes(attack.clients[0] ?? ''))
  );
}

const overlaps = ({ incident }: ReceivedAlert, event: TruthEvent, afterMs: number): boolean =>
  incident.startMs <= event.endMs + afterMs && incident.endMs >= event.startMs - BEFORE_MS;

const explains = (alert: ReceivedAlert, attack: TruthEvent): boolean =>
  overlaps(alert, attack, AFTER_MS) &&
  alert.incident.kinds.some((kind) => attack.expected.kinds.includes(kind)) &&
  alert.incident.services.some((service) => attack.expected.services.includes(service));

const isTiming = ({ incident }: ReceivedAlert): boolean => TIMING_KINDS.includes(incident.kind);

function resultOf(attack: TruthEvent, alerts: readonly ReceivedAlert[]): AttackResult {
  const first = alerts[0];
  const naming = alerts.find(({ incident }) => incident.client !== null);
  const client = naming?.incident.client ?? null;
  const clientExpected = attack.clients[0] ?? '';
  return {
    name: attack.name,
    title: attack.title,
    detected: first !== undefined,
    client,
    clientExpected,
    clientRight: client === clientExpected,
    secondsToAlert: first === undefined ? null : Math.round((first.receivedMs - attack.startMs) / 10) / 100,
    kind: first?.incident.kind ?? null,
    matchText: first?.incident.matchText ?? null,
    alerts: alerts.length,
  };
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
