/** A decision core with what it said, and small incidents and actors, for tests. */
import { createDecisionCore, type DecisionSnapshot } from '../../../responder/decisions/core.ts';
import type { Decision } from '../../../schemas/alerts/decision.ts';
import { type Incident, NO_STORY } from '../../../schemas/alerts/incident.ts';
import { attributionSection } from '../../../schemas/config/attribution.ts';
import { responseSection } from '../../../schemas/config/response.ts';
import type { ActorRecord } from '../../../schemas/log/actor-record.ts';
import type { Stage } from '../../../schemas/log/kill-chain.ts';
import type { ClientRecord } from '../../../schemas/log/verdict.ts';
import { clientOf, DAY } from '../responder/verdicts.ts';

export { DAY };
export const ATTACKER = '203.0.113.7';
export const MINUTE = 60_000;
export const HOUR = 60 * MINUTE;

/** One rule: certain security incidents ban the address for an hour. */
export const BAN = { name: 'ban', target: 'everything', durationMs: HOUR };

export const clientRecord = (address: string | null, more: Partial<ClientRecord> = {}): ClientRecord => ({
  ...clientOf(address),
  ...more,
});

export function incidentOf(fields: Partial<Incident> & { stages?: readonly Stage[]; risk?: number } = {}): Incident {
  const { stages = [], risk = 0, ...rest } = fields;
  const client = rest.client ?? clientRecord(ATTACKER);
  return {
    id: 'incident-1',
    revision: 1,
    state: 'open',
    mergedInto: '',
    class: 'security',
    kind: 'statement',
    explanationKey: 'GET /search · SELECT products',
    entity: client.address ?? 'gateway GET /search',
    service: 'gateway',
    operation: 'GET /search',
    title: 'Database statement never seen before',
    matchText: '',
    severity: 3,
    p: 1e-6,
    client,
    clients: client.address === null ? [] : [client.address],
    users: [],
    services: ['gateway'],
    startMs: DAY,
    endMs: DAY,
    openedMs: DAY,
    closedMs: 0,
    lastHitMs: DAY,
    traceCount: 1,
    traceIds: [],
    occurrences: 1,
    version: 'v1',
    release: '',
    hard: true,
    findings: [],
    ...rest,
    story: {
      ...NO_STORY,
      risk,
      stages: stages.map((stage) => ({ stage, technique: '', by: 'test', firstMs: DAY, lastMs: DAY, count: 1 })),
    },
  };
}

export function actorOf(
  fields: Partial<ActorRecord> & { users?: readonly string[]; shared?: number } = {},
): ActorRecord {
  const { shared = 1, ...rest } = fields;
  const subject = rest.subject ?? { kind: 'client', key: ATTACKER };
  return {
    id: `actor-${subject.key}`,
    revision: 1,
    subject,
    abuse: '',
    evidence: 0,
    bound: 6,
    // of what is spread over many nobody is named
    client: clientRecord(subject.kind === 'client' ? subject.key : null),
    clients: [],
    clientCount: 1,
    users: [],
    accounts: [],
    risk: 0,
    reasons: [],
    stages: [],
    facts: {
      users: shared,
      requests: 100,
      usersNamed: true,
      firstSeenMs: DAY,
      ...(subject.kind === 'network' && { confidence: 'high' as const }),
    },
    service: 'gateway',
    operation: 'POST /login',
    expected: '',
    seen: '',
    traceIds: [],
    startMs: DAY,
    endMs: DAY,
    atMs: DAY,
    ...rest,
  };
}

export interface Deciding {
  readonly core: ReturnType<typeof createDecisionCore>;
  /** Every row in its order. */
  readonly rows: Decision[];
  /** Newest row of each decision. */
  readonly newest: Map<string, Decision>;
  readonly states: () => string[];
  readonly snapshot: () => DecisionSnapshot;
}

export function decidingOf(
  settings: object = {},
  attribution: object = {},
  snapshot?: DecisionSnapshot,
  stored?: readonly Decision[],
): Deciding {
  const rows: Decision[] = [];
  const newest = new Map<string, Decision>();
  const core = createDecisionCore(
    {
      response: responseSection.parse({ mode: 'enforce', rules: [BAN], ...settings }),
      attribution: attributionSection.parse(attribution),
    },
    (decision) => {
      rows.push(decision);
      newest.set(decision.id, decision);
    },
    snapshot,
    stored,
  );
  return {
    core,
    rows,
    newest,
    states: () => rows.map(({ state, reason }) => (state === 'refused' ? `refused ${reason.split(':')[0]}` : state)),
    snapshot: () => JSON.parse(JSON.stringify(core.snapshot())) as DecisionSnapshot,
  };
}
