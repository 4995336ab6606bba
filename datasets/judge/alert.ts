/** What the judge reads out of a webhook's body (schemas/alerts/alert.schema.json), as a stranger's program would. */
import { z } from 'zod';
import type { IncidentClass } from '../../schemas/alerts/incident.ts';
import { STAGES, type Stage } from '../../schemas/log/kill-chain.ts';
import type { FindingKind } from '../../schemas/log/verdict.ts';

export interface ReceivedAlert {
  /** `webhook-id`. */
  readonly id: string;
  readonly receivedMs: number;
  readonly type: string;
  readonly incident: {
    readonly id: string;
    /** `open`, `closed`, `merged` …; '' when the body does not say. */
    readonly state: string;
    /** The incident that took it in, ''. */
    readonly mergedInto: string;
    /** Against whom or what it is held: an address, a range, `user 17`, or a service and operation; '' when not said. */
    readonly entity: string;
    readonly class: IncidentClass;
    readonly kind: FindingKind;
    readonly service: string;
    readonly title: string;
    /** What it was compared with; of what many requests show, what they did. */
    readonly matchText: string;
    /** The client it names; null when it says that it does not know. */
    readonly client: string | null;
    /** The named one and the others. */
    readonly clients: readonly string[];
    /** The account it names, null when none. */
    readonly user: string | null;
    /** How far it got, in the order of first evidence. */
    readonly stages: readonly Stage[];
    /** 0…100 of its worst actor. */
    readonly risk: number;
    readonly startMs: number;
    readonly endMs: number;
    readonly traceIds: readonly string[];
    /** Kinds and services of the incident and of its findings. */
    readonly kinds: readonly FindingKind[];
    readonly services: readonly string[];
  };
}

const time = z.string().transform((text, context) => {
  const ms = Date.parse(text);
  if (Number.isNaN(ms)) context.addIssue({ code: 'custom', message: 'not a time' });
  return ms;
});

const bodyForm = z.object({
  type: z.string(),
  data: z.object({
    incident: z.object({
      id: z.string().min(1),
      state: z.string().default(''),
      mergedInto: z.string().default(''),
      entity: z.string().default(''),
      class: z.enum(['security', 'operational', 'telemetry', 'inventory']),
      kind: z.string().min(1),
      service: z.string(),
      start: time,
      end: time,
    }),
    title: z.string(),
    why: z.string(),
    client: z.object({ address: z.string().nullable(), user: z.string().nullable(), others: z.array(z.string()) }),
    findings: z.array(z.object({ kind: z.string(), service: z.string(), seen: z.string().default('') })),
    traces: z.array(z.object({ id: z.string() })),
    story: z
      .object({ stages: z.array(z.object({ stage: z.enum(STAGES) })), risk: z.number().min(0).max(100) })
      .default({ stages: [], risk: 0 }),
  }),
});

/** Null: the body is no alert about an incident. */
export function readAlert(id: string, receivedMs: number, body: string): ReceivedAlert | null {
  let json: unknown;
  try {
    json = JSON.parse(body);
  } catch {
    return null;
  }
  const parsed = bodyForm.safeParse(json);
  if (!parsed.success) return null;
  const { type, data } = parsed.data;
  const { incident, client, findings, story } = data;
  return {
    id,
    receivedMs,
    type,
    incident: {
      id: incident.id,
      state: incident.state,
      mergedInto: incident.mergedInto,
      entity: incident.entity,
      class: incident.class,
      kind: incident.kind as FindingKind,
      service: incident.service,
      title: data.title,
      matchText: data.why === '' ? (findings[0]?.seen ?? '') : data.why,
      client: client.address,
      clients: [...(client.address === null ? [] : [client.address]), ...client.others],
      user: client.user,
      stages: story.stages.map(({ stage }) => stage),
      risk: story.risk,
      startMs: incident.start,
      endMs: incident.end,
      traceIds: data.traces.map((trace) => trace.id),
      kinds: [...new Set([incident.kind, ...findings.map((finding) => finding.kind)])] as FindingKind[],
      services: [...new Set([incident.service, ...findings.map((finding) => finding.service)])],
    },
  };
}
