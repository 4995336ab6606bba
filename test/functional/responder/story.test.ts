/** The story of incidents in ClickHouse: read back as it was written, in order in the timeline, and as events of OCSF. */
import { readFileSync } from 'node:fs';
import { Ajv2020 } from 'ajv/dist/2020.js';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type IncidentRow, incidentLine, incidentObject, incidentStory } from '../../../cli/incidents/story.ts';
import { jsonText, linesText } from '../../../cli/terminal.ts';
import type { Incident } from '../../../schemas/alerts/incident.ts';
import { hasSteering } from '../../../traces/steering.ts';
import { actorOf } from '../../unit/responder/actors.ts';
import { keeperOf } from '../../unit/responder/keeping.ts';
import { playStages, STAGED } from '../../unit/responder/staged.ts';
import { clientOf, DAY, findingOf, verdictOf } from '../../unit/responder/verdicts.ts';
import { noClickHouse, startTestServer, type TestServer } from '../clickhouse/server.ts';

let server: TestServer;
let attack: Incident;
const others = new Map<string, Incident>();
const OCSF = new URL('./ocsf/detection_finding-1.5.0.json', import.meta.url);

interface OcsfRow {
  readonly id: string;
  readonly event: string;
  readonly [column: string]: unknown;
}

interface OcsfEvent {
  readonly finding_info: {
    readonly uid: string;
    readonly kill_chain?: readonly { readonly phase: string }[];
    readonly attacks?: readonly object[];
    readonly related_events?: readonly object[];
  };
  readonly anomaly_analyses: readonly {
    readonly anomalies: readonly object[];
    readonly baselines: readonly object[];
  }[];
  readonly observables: readonly { readonly name?: string; readonly value: string }[];
  readonly evidences: readonly { readonly src_endpoint?: { readonly ip: string } }[];
  readonly [name: string]: unknown;
}

describe.skipIf(noClickHouse)('the story of an incident in ClickHouse', () => {
  beforeAll(async () => {
    server = await startTestServer({ incidentsTtlDays: 18_250, verdictsTtlDays: 18_250 });
    const { keeper, rows, feed, say } = playStages(keeperOf());
    keeper.actor(
      actorOf({
        client: clientOf(STAGED.client),
        risk: 91,
        startMs: DAY + 6 * 60_000,
        subject: { kind: 'client', key: STAGED.client },
      }),
      DAY + 9e5,
    );
    feed(
      verdictOf({ client: null, findings: [findingOf({ kind: 'status', hard: true, explanationKey: 'errors' })] }),
      DAY,
    );
    const hostile = '"} \u009b2J \u202e \u001b[2J \u0000 \ud800 </script> \\';
    feed(
      verdictOf({
        client: '2001:db8::7',
        findings: [findingOf({ explanationKey: hostile, seen: hostile, expected: hostile, operation: hostile })],
      }),
      DAY,
    );
    feed(
      verdictOf({
        client: '198.51.100.4',
        findings: [findingOf({ kind: 'egress', hard: false, explanationKey: 'soft' })],
        p: 1e-7,
      }),
      DAY,
    );
    feed({
      ...verdictOf({ findings: [findingOf({ explanationKey: 'forged' })] }),
      client: { ...clientOf('192.0.2.9'), source: 'client.address', confidence: 'low', reason: 'no-header-capture' },
    });
    // two that became one
    const [one, two] = ['kept', 'taken in'].map((explanationKey) => findingOf({ explanationKey }));
    feed(verdictOf({ client: '192.0.2.21', findings: [one!] }), DAY);
    feed({ ...verdictOf({ findings: [two!] }), client: { ...clientOf('192.0.2.22'), user: 'ann' } }, DAY + 1);
    feed(verdictOf({ client: '192.0.2.22', findings: [one!] }), DAY + 2);
    for (const incident of rows.values()) others.set(incident.explanationKey, incident);
    say(others.get('errors')!.id, 'expect-once', DAY + 5);
    attack = [...rows.values()].find(({ client }) => client.address === STAGED.client)!;
    for (let i = 0; i < 2; i++) await server.store.insertIncidents([...rows.values()]);
  });
  afterAll(() => server?.stop());

  it('is read back as it was written', async () => {
    const [read] = await server.store.incidents({ id: attack.id });
    const { match: _, lastHitMs: __, lastHitBy: ___, ...written } = attack;
    expect(read).toEqual({ ...written, review: { is: 'new', by: '', atMs: 0, comment: '' } });
    const [brief] = await server.store.incidents({ idStart: attack.id.slice(0, 12), brief: true });
    expect(brief!.story).toEqual({ ...attack.story, timeline: [], expected: [], seen: [], evidence: [], similar: [] });
  });

  it('stands in the timeline in order, how far it got among what else happened', async () => {
    const events = await server.rows<{ event: string; what: string }>(
      `SELECT event, what FROM ${server.clickhouse.database}.incident_timeline WHERE incident_id = '${attack.id}' ORDER BY at, event`,
    );
    const stages = events.filter(({ event }) => event === 'stage').map(({ what }) => what.split(' ', 1)[0]);
    expect(stages).toEqual(attack.story.stages.map(({ stage }) => stage));
    expect(events.map(({ event }) => event)).toContain('actor');
  });

  it('is told on a terminal: stages, chains side by side, evidence; nothing in it steers the terminal', async () => {
    const rows = await server.rows<IncidentRow>(
      `SELECT * FROM ${server.clickhouse.database}.incidents_latest ORDER BY opened SETTINGS output_format_json_quote_64bit_integers = 0`,
    );
    expect(rows).toHaveLength(others.size - 1); // without the one that became part of another
    for (const row of rows) {
      const told = linesText([...incidentStory(row), incidentLine(row)]).replaceAll('\n', '');
      const json = jsonText(incidentObject(row));
      expect([told, json].filter(hasSteering)).toEqual([]);
      expect(JSON.parse(json)).toMatchObject({ title: row.title });
    }
    const story = incidentStory(rows.find(({ id }) => id === attack.id)!).join('\n');
    for (const told of [
      /stages {4}reconnaissance → probing → exploitation → lateral-movement → access → exfiltration/,
      /risk {6}91 of 100/,
      /− {5}catalog client SELECT products +│ \+ {5}catalog client SELECT customers ×40/,
      /timeline\n(.*\n)* +\S+ \S+ +stage +203\.0\.113\.66 +lateral-movement \(T1552\.005\), shown by egress/,
      /tables {4}customers/,
      /fields {4}email, password_hash/,
      /client {4}203\.0\.113\.66 \(x-forwarded-for, high confidence\)/,
    ])
      expect(story).toMatch(told);
    expect(incidentStory(rows.find(({ explanation_key: key }) => key === 'forged')!).join('\n')).toContain(
      'perhaps 192.0.2.9, not to be relied on: no-header-capture',
    );
    expect(incidentLine(rows.find(({ id }) => id === attack.id)!)).toMatch(/exfiltration +risk 91 +\d+ traces/);
  });

  it('is a Detection Finding of OCSF as its published schema says, whatever is in it', async () => {
    const ajv = new Ajv2020({ strict: false, allErrors: true });
    const validate = ajv.compile(JSON.parse(readFileSync(OCSF, 'utf8')) as object);
    const rows = await server.rows<OcsfRow>(
      `SELECT * FROM ${server.clickhouse.database}.ocsf_detection_finding SETTINGS output_format_json_quote_64bit_integers = 0`,
    );
    expect(rows).toHaveLength(others.size);
    const events = rows.map(({ event }) => JSON.parse(event) as OcsfEvent);
    for (const [i, event] of events.entries()) {
      expect(validate(event) ? [] : validate.errors).toEqual([]);
      for (const [name, value] of Object.entries(rows[i]!)) {
        if (['event', 'revision', 'written'].includes(name)) continue;
        expect([name, typeof event[name] === 'object' ? JSON.parse(value as string) : value]).toEqual([
          name,
          event[name],
        ]);
      }
    }
    // the validator does refuse
    expect(validate({ ...events[0], severity_id: 17 })).toBe(false);
    expect(validate({ ...events[0], not_of_ocsf: 1 })).toBe(false);

    const eventOf = ({ id }: Incident) => events.find(({ finding_info }) => finding_info.uid === id)!;
    const staged = eventOf(attack);
    expect(staged).toMatchObject({
      class_uid: 2004,
      type_uid: 200402,
      severity_id: 5,
      status_id: 1,
      confidence_id: 3,
      risk_score: 91,
      is_alert: true,
    });
    expect(staged.finding_info.kill_chain!.map(({ phase }) => phase)).toEqual([
      'Reconnaissance',
      'Delivery',
      'Exploitation',
      'Actions on Objectives',
    ]);
    expect(staged.finding_info.attacks).toContainEqual({
      tactic: { uid: 'TA0006', name: 'Credential Access' },
      technique: { uid: 'T1552', name: 'Unsecured Credentials' },
      sub_technique: { uid: 'T1552.005' },
    });
    expect(staged.anomaly_analyses[0]!.anomalies).toHaveLength(attack.findings.length);
    expect(staged.anomaly_analyses[0]!.baselines[0]).toMatchObject({ observed_pattern: attack.findings[0]!.expected });
    expect(eventOf(others.get('errors')!)).toMatchObject({
      activity_id: 3,
      status_id: 3,
      severity_id: 2,
      is_alert: false,
    });
    expect(eventOf(others.get('soft')!)).toMatchObject({ activity_id: 1, confidence_id: 2, severity_id: 3 });
    const merged = eventOf(others.get('taken in')!);
    expect(merged).toMatchObject({ activity_id: 3, status_id: 4, is_alert: false });
    expect(merged.finding_info.related_events).toMatchObject([{ uid: others.get('kept')!.id }]);
    expect(eventOf(others.get('kept')!).finding_info.related_events).toBeUndefined();
    for (const { observables, evidences } of events) {
      for (const { name, value } of observables) {
        if (name === undefined) continue;
        expect([name, evidences.map(({ src_endpoint: from }) => from?.ip)]).toEqual([
          'evidences[].src_endpoint.ip',
          expect.arrayContaining([value]),
        ]);
      }
    }
    expect(eventOf(others.get('kept')!).observables).toContainEqual({ type_id: 4, type: 'User Name', value: 'ann' });
  });
});
