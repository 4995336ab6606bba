/** Records of the findings topic, as bytes: what is known of actors reaches incidents, what cannot be read is counted. */
import { expect, it } from 'vitest';
import { createFindings } from '../../../responder/findings.ts';
import { createLogger } from '../../../runtime/telemetry/logger.ts';
import { createMetrics } from '../../../runtime/telemetry/metrics.ts';
import type { Incident } from '../../../schemas/alerts/incident.ts';
import type { ActorRecord } from '../../../schemas/log/actor-record.ts';
import { encodeJson } from '../../../schemas/log/codecs.ts';
import { RecordKind } from '../../../schemas/log/topics.ts';
import type { FindingRecord } from '../../../schemas/log/verdict.ts';
import { actorOf } from './actors.ts';
import { CONFIG } from './keeping.ts';
import { clientOf, DAY, verdictOf } from './verdicts.ts';

function open(stateText: string | null = null) {
  const told: string[] = [];
  const rows = new Map<string, Incident>();
  const metrics = createMetrics();
  const findings = createFindings(
    CONFIG,
    {
      sink: {
        incident: (incident) => rows.set(incident.id, incident),
        alert: (event, { kind }) => told.push(`${event} ${kind}`),
      },
      createCollective: () => ({ add: () => {}, judge: () => [], snapshot: () => null }),
      metrics,
      logger: createLogger({ name: 'test', level: 'silent' }),
      word: () => {},
      judged: () => {},
      digest: null,
    },
    stateText,
  );
  let offset = 0;
  const take = (kind: RecordKind, value: Uint8Array | ActorRecord | FindingRecord, appendMs: number) =>
    findings.take({
      partition: 0,
      offset: offset++,
      appendMs,
      key: '',
      kind,
      value: value instanceof Uint8Array ? value : encodeJson(value),
    });
  return { findings, take, told, rows };
}

it('a record of an actor opens an incident, joins one, or is part of the story of one; also after a restart', () => {
  const { findings, take, told, rows } = open();
  take(RecordKind.actor, actorOf(), DAY);
  take(RecordKind.verdict, { verdict: verdictOf({}), segmentsPerDay: 1_000 }, DAY + 1);
  take(RecordKind.actor, new Uint8Array([1, 2, 3]), DAY + 2);
  take(RecordKind.actor, actorOf({ id: 'a9', abuse: '', risk: 93 }), DAY + 3);
  expect(told).toEqual(['opened actor']);
  expect([...rows.values()].map(({ kind, story }) => [kind, story.risk])).toEqual([['actor', 93]]);
  const restarted = open([...findings.stateParts()].join(''));
  restarted.take(RecordKind.actor, actorOf(), DAY + 4);
  restarted.take(RecordKind.actor, actorOf({ id: 'a9', abuse: '', risk: 93 }), DAY + 5);
  expect([restarted.told, restarted.rows.size]).toEqual([[], 0]);
});

it('the text of its state is that of when it was asked for, whatever comes while it is made, and comes in small parts', () => {
  const { findings, take } = open();
  const verdict = (i: number) =>
    take(
      RecordKind.verdict,
      { verdict: verdictOf({ client: `203.0.113.${i % 200}` }), segmentsPerDay: 1_000 },
      DAY + i,
    );
  const other = (i: number) =>
    take(RecordKind.actor, actorOf({ id: `a${i}`, client: clientOf(`198.51.100.${i}`), traceIds: [] }), DAY + i);
  for (let i = 0; i < 40; i++) verdict(i);
  for (let i = 0; i < 20; i++) other(i);
  const text = [...findings.stateParts()].join('');
  const parts: string[] = [];
  for (const part of findings.stateParts()) {
    parts.push(part);
    verdict(100 + parts.length);
    other(100 + parts.length);
  }
  expect(parts.join('')).toBe(text);
  expect(Math.max(...parts.map(({ length }) => length))).toBeLessThan(30_000);
  expect([...open(text).findings.stateParts()].join('')).toBe(text);
});
