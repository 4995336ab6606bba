/** Small records of actors for the responder's tests. */
import type { ActorRecord } from '../../../schemas/log/actor-record.ts';
import { clientOf, DAY } from './verdicts.ts';

export const actorOf = (fields: Partial<ActorRecord> = {}): ActorRecord => {
  const client = fields.client ?? clientOf('203.0.113.7');
  return {
    id: 'a1',
    revision: 1,
    subject: { kind: 'client', key: client.address ?? 'nobody' },
    abuse: 'object-enumeration',
    evidence: 7,
    bound: 5,
    client,
    clients: client.address === null ? [] : [client.address],
    clientCount: 1,
    users: [],
    accounts: [],
    risk: 60,
    reasons: ['30 objects of others in 40 requests'],
    stages: [],
    facts: { users: 1, requests: 40, firstSeenMs: DAY - 60_000 },
    service: 'gateway',
    operation: 'GET /orders/{id}',
    expected: 'a client of its class names 1.2 objects it did not name before in 40 requests',
    seen: '30 objects it did not name before, 28 of them in a run',
    traceIds: ['e'.repeat(32)],
    startMs: DAY - 30_000,
    endMs: DAY,
    atMs: DAY,
    ...fields,
  };
};
