/** Incidents for the tests of alerts: one with everything, one that is as hostile as names and values can be, one that is huge. */
import { type Alert, type Incident, NO_STORY } from '../../../schemas/alerts/incident.ts';
import { clientOf, DAY } from '../responder/verdicts.ts';

export const CONTEXT = { traceLink: 'https://traces.example.com/{traceId}?a=1&b=2', database: 'spanwarden' };
export const traceId = (n: number): string => n.toString(16).padStart(32, '0');

export function incidentOf(fields: Partial<Incident> = {}): Incident {
  return {
    id: '5c0f0a5b9d1e7a42',
    revision: 3,
    state: 'open',
    mergedInto: '',
    class: 'security',
    kind: 'statement',
    explanationKey: 'GET /search · SELECT products',
    entity: 'catalog GET /search',
    service: 'catalog',
    operation: 'GET /search',
    title: 'Database statement never seen before: GET /search · SELECT products',
    matchText: "similarity 0.50 to 'GET /search #1' (baseline ≥ 0.95, learned from 2,000), deviation 10.0×",
    severity: 3,
    p: 1e-4,
    client: clientOf('203.0.113.7'),
    clients: ['203.0.113.7', '203.0.113.8'],
    users: [],
    services: ['gateway', 'catalog'],
    startMs: DAY,
    endMs: DAY + 500,
    openedMs: DAY + 600,
    closedMs: 0,
    traceCount: 2,
    traceIds: [traceId(1), traceId(2)],
    occurrences: 1,
    version: 'f3b1c2d4e5a60718',
    release: '',
    hard: true,
    findings: [
      {
        kind: 'statement',
        explanationKey: 'GET /search · SELECT products',
        group: 'parameters',
        hard: true,
        service: 'catalog',
        operation: 'GET /search',
        parameter: 'db.query.text',
        expected: '4 statements in 2,000 calls',
        seen: 'another statement',
        severity: 3,
        count: 2,
      },
    ],
    story: {
      ...NO_STORY,
      stages: [
        { stage: 'probing', technique: 'T1595', by: 'scanning', firstMs: DAY - 9_000, lastMs: DAY, count: 12 },
        { stage: 'exploitation', technique: 'T1190', by: 'statement', firstMs: DAY, lastMs: DAY + 500, count: 2 },
      ],
      risk: 72.4,
      reasons: ['exploitation after probing within a minute', '12 requests for pages that do not exist'],
      timeline: Array.from({ length: 20 }, (_, i) => ({
        atMs: DAY + i,
        what: 'finding' as const,
        text: `request ${i}`,
        traceId: traceId(1),
        client: '203.0.113.7',
      })),
      expected: [
        { depth: 0, call: 'gateway server GET /search', count: 1, mark: '' },
        { depth: 1, call: 'catalog client SELECT products', count: 1, mark: '' },
      ],
      seen: [
        { depth: 0, call: 'gateway server GET /search', count: 1, mark: '' },
        { depth: 1, call: 'catalog client SELECT users', count: 1, mark: 'extra' },
      ],
      evidence: [
        {
          traceId: traceId(1),
          entrySpanId: '1'.repeat(16),
          spanId: '2'.repeat(16),
          kind: 'statement',
          service: 'catalog',
          operation: 'GET /search',
          client: '203.0.113.7',
          atMs: DAY,
        },
      ],
      reached: ['gateway', 'catalog', 'postgresql'],
      tables: ['products', 'users'],
      fields: ['password_hash'],
      similar: [{ id: '00000000000000aa', why: 'same operation, another client' }],
    },
    ...fields,
  };
}

/** What an attacker would like to say: mentions, links, markup, escapes of terminals, turned writing, halves of characters. */
export const HOSTILE = [
  '<!channel> <@U1> <https://evil.example|click> & <script>alert(1)</script>',
  '\u001b[31mred\u001b[0m\r\nLocation: x\u0000\u0007\u009b2J',
  '\u202egnirts\u202c \u2066iso\u2069 \u200bzero\u200d\ufeff \u{e0041}\u{e007f} \u2028line \ud800 half',
  '`end of code` *bold* _x_ ~y~ "]}',
].join(' ');

/** Every text that comes from outside is `text`. */
export function saying(text: string, many = 1): Incident {
  const plain = incidentOf();
  const [finding] = plain.findings;
  const [evidence] = plain.story.evidence;
  return {
    ...plain,
    title: text,
    matchText: text,
    service: text,
    operation: text,
    explanationKey: text,
    services: [text],
    users: [text],
    clients: Array.from({ length: Math.min(64, many * 8) }, () => text),
    client: { ...plain.client, user: text, reason: text, address: text },
    findings: Array.from({ length: many * 20 }, () => ({
      ...finding!,
      service: text,
      operation: text,
      parameter: text,
      expected: text,
      seen: text,
    })),
    traceIds: Array.from({ length: 20 }, (_, i) => traceId(i)),
    story: {
      ...plain.story,
      reasons: Array.from({ length: 8 }, () => text),
      timeline: Array.from({ length: 64 }, (_, i) => ({
        atMs: DAY + i,
        what: 'finding',
        text,
        traceId: '',
        client: text,
      })),
      expected: Array.from({ length: 40 }, (_, depth) => ({ depth, call: text, count: 2, mark: 'missing' })),
      seen: Array.from({ length: 40 }, (_, depth) => ({ depth, call: text, count: 1, mark: 'extra' })),
      evidence: Array.from({ length: 20 }, () => ({ ...evidence!, service: text, operation: text, client: text })),
      reached: Array.from({ length: 32 }, () => text),
      tables: Array.from({ length: 32 }, () => text),
      fields: Array.from({ length: 32 }, () => text),
      similar: [{ id: '00000000000000aa', why: text }],
    },
  };
}

export const alertOf = (id: string, more: Partial<Alert> = {}): Alert => ({
  id,
  type: 'incident.opened',
  incidentId: '5c0f0a5b9d1e7a42',
  createdMs: DAY,
  body: `{"type":"incident.opened","timestamp":"${new Date(DAY).toISOString()}","data":{"title":"${id}","sql":""}}`,
  ...more,
});
