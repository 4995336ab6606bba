/**
 * Prometheus Alertmanager: `POST /api/v2/alerts`, and the body that its webhook receivers get (version 4). An incident is one alert:
 * firing while it is open, resolved when it is closed.
 */
import { createHash } from 'node:crypto';
import type { Alert } from '../../schemas/alerts/incident.ts';
import type { DestinationOf } from '../../schemas/config/alerts.ts';
import { type AlertBody, readBody } from './alert-body.ts';
import type { Format } from './post.ts';
import { secretsOf, signedHeaders } from './signature.ts';
import { chainLines, clientWords, findingWords, isOver, linksOf, severityWord, stageWords } from './telling.ts';
import { cut, line } from './text.ts';

type Labels = Readonly<Record<string, string>>;

const ALERTS_PATH = '/api/v2/alerts';
const MAX_ANNOTATION = 4_000;
/** Go's zero time: what Alertmanager sends for an alert without an end. */
const NO_END = '0001-01-01T00:00:00Z';

/**
 * Alertmanager knows an alert by all its labels: they must be the same when it ends as when it began, so nothing that may
 * change while an incident is open is among them. What may is in the annotations.
 */
const identity = (alert: Alert): Labels => ({ alertname: 'SpanwardenIncident', incident: alert.incidentId });

function annotationsOf({ data }: AlertBody): Labels {
  const { incident, story } = data;
  const lines = (texts: readonly string[], most: number): string =>
    texts
      .slice(0, most)
      .map((text) => line(text, 500))
      .join('\n');
  const all: Labels = {
    summary: line(data.title, 1_024),
    description: line(data.why ?? '', MAX_ANNOTATION),
    class: incident?.class ?? '',
    kind: incident?.kind ?? '',
    severity: severityWord(data),
    service: line(incident?.service ?? '', 256),
    operation: line(incident?.operation ?? '', 256),
    client: clientWords(data.client),
    findings: lines((data.findings ?? []).map(findingWords), 8),
    stages: stageWords(data),
    risk: story === undefined || story.risk === 0 ? '' : String(Math.round(story.risk)),
    reasons: lines(story?.reasons ?? [], 8),
    expected: chainLines(story?.expected ?? []).join('\n'),
    seen: chainLines(story?.seen ?? []).join('\n'),
    reached: line((story?.reached ?? []).join(', '), 1_000),
    tables: line((story?.tables ?? []).join(', '), 1_000),
    fields: line((story?.fields ?? []).join(', '), 1_000),
    timeline: lines(
      (story?.timeline ?? []).map(({ at, text }) => `${at} ${text}`),
      16,
    ),
    traces: (data.traces ?? []).map(({ id }) => id).join(', '),
    members: lines(
      (data.members ?? []).map(({ id, title }) => `${id} ${title}`),
      20,
    ),
    sql: line(data.sql, MAX_ANNOTATION),
  };
  return Object.fromEntries(
    Object.entries(all)
      .filter(([, text]) => text !== '')
      .map(([name, text]) => [name, cut(text, MAX_ANNOTATION)]),
  );
}

interface Span {
  readonly startsAt: string;
  /** When it ended; null while it is open. */
  readonly endedAt: string | null;
}

/** Evidence may be dated later than it was told, where clocks differ: an alert may not end before it starts. */
function spanOf(alert: Alert, body: AlertBody): Span {
  const toldAt = body.timestamp;
  const start = Date.parse(body.data.incident?.start ?? toldAt);
  const startsAt = new Date(Math.min(start, Date.parse(toldAt))).toISOString();
  return { startsAt, endedAt: isOver(alert) ? toldAt : null };
}

export function createAlertmanager(destination: DestinationOf<'alertmanager'>): Format {
  const { headers, labels, holdMs } = destination;
  const url = new URL(destination.url);
  const path = url.pathname.replace(/\/+$/, '');
  if (!path.endsWith(ALERTS_PATH)) url.pathname = `${path}${ALERTS_PATH}`;
  return (alert, nowMs) => {
    const body = readBody(alert);
    const { startsAt, endedAt } = spanOf(alert, body);
    const [link] = linksOf(body);
    return {
      url: url.href,
      headers,
      body: JSON.stringify([
        {
          labels: { ...labels, ...identity(alert) },
          annotations: annotationsOf(body),
          startsAt,
          endsAt: endedAt ?? new Date(nowMs + holdMs).toISOString(),
          ...(link !== undefined && { generatorURL: link.href }),
        },
      ]),
      refusals: [400],
      secrets: Object.values(headers),
    };
  };
}

export function createAlertmanagerWebhook(destination: DestinationOf<'alertmanager-webhook'>): Format {
  const { url, name, headers } = destination;
  const secrets = secretsOf(destination.secret);
  return (alert, nowMs) => {
    const body = readBody(alert);
    const { startsAt, endedAt } = spanOf(alert, body);
    const status = endedAt === null ? 'firing' : 'resolved';
    const labels = { ...destination.labels, ...identity(alert) };
    const annotations = annotationsOf(body);
    const text = JSON.stringify({
      version: '4',
      groupKey: `{}:{incident="${alert.incidentId}"}`,
      truncatedAlerts: 0,
      status,
      receiver: name,
      groupLabels: { incident: alert.incidentId },
      commonLabels: labels,
      commonAnnotations: annotations,
      externalURL: '',
      alerts: [
        {
          status,
          labels,
          annotations,
          startsAt,
          endsAt: endedAt ?? NO_END,
          generatorURL: linksOf(body)[0]?.href ?? '',
          fingerprint: createHash('sha256').update(alert.incidentId).digest('hex').slice(0, 16),
        },
      ],
    });
    return {
      url,
      headers: { ...headers, ...(secrets.length > 0 && signedHeaders(secrets, alert.id, text, nowMs)) },
      body: text,
      secrets: [...secrets, ...Object.values(headers)],
    };
  };
}
