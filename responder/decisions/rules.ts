/** Which rules an incident meets: by class, kind, stage, risk and how sure its client is. Pure. */
import type { Incident } from '../../schemas/alerts/incident.ts';
import type { ResponseRule } from '../../schemas/config/response.ts';
import { STAGES, type Stage } from '../../schemas/log/kill-chain.ts';
import type { ClientRecord } from '../../schemas/log/verdict.ts';

/** What of an incident decides about one client of it: small, as it is kept while the incident is open. */
export interface Case {
  readonly key: string;
  readonly id: string;
  readonly class: Incident['class'];
  readonly kind: Incident['kind'];
  readonly hard: boolean;
  readonly title: string;
  /** Whom the incident is held against: of abuse spread over a network, that. */
  readonly entity: string;
  /** What the incident tells of whom it names; of another client of it nothing: what is known of that one itself counts. */
  readonly risk: number;
  readonly stages: readonly Stage[];
  readonly client: Pick<ClientRecord, 'address' | 'confidence' | 'user'> & Partial<Pick<ClientRecord, 'reason'>>;
  readonly openedMs: number;
  /** Log time of this client's last hit; 0 = none since it is known here. */
  readonly hitMs: number;
}

export const caseKey = (incidentId: string, client: Pick<ClientRecord, 'address'>): string =>
  `${incidentId} ${client.address ?? ''}`;

export function caseOf(incident: Incident, client: ClientRecord, hitMs: number): Case {
  const isNamed = client.address === incident.client.address;
  const { story } = incident;
  return {
    key: caseKey(incident.id, client),
    id: incident.id,
    class: incident.class,
    kind: incident.kind,
    hard: incident.hard,
    title: incident.title,
    entity: incident.entity,
    risk: isNamed ? story.risk : 0,
    stages: isNamed ? STAGES.filter((stage) => story.stages.some((mark) => mark.stage === stage)) : [],
    client: { address: client.address, confidence: client.confidence, reason: client.reason, user: client.user },
    openedMs: incident.openedMs,
    hitMs,
  };
}

/** Whether it may ever be for incidents of this class, kind and certainty: what is left may still grow. */
export const concerns = (rule: ResponseRule, { class: incidentClass, kind, hard }: Case): boolean =>
  kind !== 'release' && // what a new version of ours brought is no matter of a client's
  rule.classes.includes(incidentClass) &&
  (rule.kinds.length === 0 || rule.kinds.some((one) => one === kind)) &&
  (hard || !rule.hard);

/** All but how sure its client is: that is a rail, so that people hear of it. */
export const meets = (rule: ResponseRule, one: Case): boolean =>
  concerns(rule, one) &&
  one.risk >= rule.minRisk &&
  (rule.minStage === '' || one.stages.some((stage) => STAGES.indexOf(stage) >= STAGES.indexOf(rule.minStage as Stage)));
