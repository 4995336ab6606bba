/** JSON records of the log: what is written is read, and garbage is null, never an exception. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import {
  decodeCollectiveCounts,
  decodeFindingRecord,
  decodeOriginAnswer,
  decodeOriginAsk,
  decodeVerdict,
  decodeVersionAnnouncement,
  encodeJson,
} from '../../../schemas/log/codecs.ts';
import type { CollectiveCounts } from '../../../schemas/log/collective.ts';
import type { OriginAnswer, OriginAsk } from '../../../schemas/log/origin.ts';
import { type ClientRecord, type Verdict, verdictId } from '../../../schemas/log/verdict.ts';
import type { VersionAnnouncement } from '../../../schemas/log/version.ts';

const traceId = '0123456789abcdef0123456789abcdef';
const spanId = 'fedcba9876543210';

const client: ClientRecord = {
  address: '203.0.113.9',
  source: 'x-forwarded-for',
  confidence: 'high',
  reason: '',
  hops: ['10.0.0.1'],
  entrySpanId: spanId,
  entryTraceId: traceId,
  user: null,
  session: null,
};

const verdict: Verdict = {
  id: verdictId(1_700_000_000_000, traceId, spanId),
  traceId,
  entrySpanId: spanId,
  partition: 3,
  firstOffset: 12,
  appendMs: 1_700_000_000_000,
  revision: 115,
  stage: 1,
  state: 'scored',
  version: 'v7',
  asynchronous: false,
  service: 'checkout',
  operation: 'POST /checkout',
  startMs: 1_700_000_000_000,
  endMs: 1_700_000_000_120,
  spanCount: 14,
  truncated: false,
  score: 7.2,
  p: 1e-7,
  anomalous: true,
  groups: { structure: 1e-7, timing: 1, parameters: 0.3, status: 1 },
  match: {
    family: 'POST /checkout',
    signature: 'POST /checkout #3',
    version: 'v7',
    learnedFrom: 900,
    similarity: { structure: 0.86, timing: 1, parameters: 1 },
    threshold: { structure: 0.98, timing: 0.5, parameters: 0.5 },
    deviation: { structure: 7, timing: 0, parameters: 0, max: 7 },
    worst: 'structure',
    exact: true,
    unseenEntry: false,
    text: "similarity 0.86 to 'POST /checkout #3'",
  },
  client,
  origins: [client],
  originState: 'none',
  findings: [
    {
      kind: 'required-child',
      group: 'structure',
      hard: true,
      evidence: 'absence',
      explanationKey: 'checkout → payment',
      service: 'checkout',
      operation: 'POST /checkout',
      spanId,
      parameter: '',
      expected: 'payment.charge in 900 of 900',
      seen: 'no payment.charge',
      support: 900,
      severity: 3.5,
      p: 1e-7,
      share: 1,
      candidate: false,
      startMs: 1,
      endMs: 2,
    },
  ],
};

const ask: OriginAsk = { traceId, entrySpanId: spanId, depth: 2, producerTraceId: traceId, producerSpanId: spanId };
const answer: OriginAnswer = {
  traceId,
  entrySpanId: spanId,
  producerTraceId: traceId,
  producerSpanId: spanId,
  clients: [client],
  state: 'known',
};
/** With every field there is: what a form does not know it drops. */
const counts: CollectiveCounts = {
  partition: 0,
  window: 85_000_000,
  windowMs: 20_000,
  version: 'v7',
  keys: [
    {
      service: 'cart',
      label: 'cart server GET /cart',
      feature: 'self',
      count: 40,
      exceedances: 9,
      expected: 0.4,
      dispersion: 1.5,
      wide: 14,
      wideExpected: 4.1,
      wideDispersion: 1.2,
      wideMs: 1_700_000_000_001,
      aboveMaximum: 2,
      aboveExpected: 0.1,
      shift: 1.2,
      exceedanceMs: 1_700_000_000_000,
      caller: 'gateway',
    },
    {
      service: 'cart',
      label: 'l',
      feature: 'total',
      count: 1,
      exceedances: 0,
      expected: 0.1,
      aboveMaximum: 0,
      shift: 0,
    },
  ],
  traces: { l: [traceId] },
};
const announcement: VersionAnnouncement = { version: 'v8', parent: '', offsets: [1, 2], segments: 9, alerting: true };

const forms = [
  ['verdict', verdict, decodeVerdict],
  ['finding record', { verdict, segmentsPerDay: 86_400 }, decodeFindingRecord],
  ['collective counts', counts, decodeCollectiveCounts],
  ['origin ask', ask, decodeOriginAsk],
  ['origin answer', answer, decodeOriginAnswer],
  ['version', announcement, decodeVersionAnnouncement],
] as const;

test.each(forms)('%s comes back as it was', (_name, value, decode) => {
  expect(decode(encodeJson(value))).toEqual(value);
});

test.each(forms)('%s: cut off, emptied or with a field of another type is null', (_name, value, decode) => {
  const bytes = encodeJson(value);
  for (const length of [0, 1, bytes.length >> 1, bytes.length - 1])
    expect(decode(bytes.subarray(0, length))).toBeNull();
  for (const key of Object.keys(value)) {
    expect(decode(encodeJson({ ...value, [key]: { not: 'this' } })), key).toBeNull();
    const { [key as keyof typeof value]: _gone, ...rest } = value;
    expect(decode(encodeJson(rest as typeof value)), `without ${key}`).toBeNull();
  }
});

test.each(forms)('%s: any bytes give null, not an exception', (_name, _value, decode) => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 60 }), (bytes) => decode(bytes) === null),
    { numRuns: 200 },
  );
  fc.assert(
    fc.property(fc.json(), (json) => decode(new TextEncoder().encode(json)) === null),
    { numRuns: 200 },
  );
});

test('fields of a newer version are ignored', () => {
  expect(decodeOriginAsk(encodeJson({ ...ask, later: 1 } as OriginAsk))).toEqual(ask);
});
