/** PagerDuty Events API v2: an incident is one alert there, by its dedup key; triggered, acknowledged, resolved. */
import type { Alert } from '../../schemas/alerts/incident.ts';
import type { DestinationOf } from '../../schemas/config/alerts.ts';
import { type AlertBody, readBody } from './alert-body.ts';
import type { Format } from './post.ts';
import { chainLines, clientWords, findingWords, linksOf, severityWord, stageWords } from './telling.ts';
import { line } from './text.ts';

/** developer.pagerduty.com, Events API v2: sizes of the summary and the dedup key, and of a whole event (512 KB). */
const MAX_SUMMARY = 1_024;
const MAX_DEDUP_KEY = 255;
const MAX_EVENT_BYTES = 512_000;
const MAX_LINKS = 10;
const MAX_TEXT = 1_000;

const ACTIONS: Readonly<Partial<Record<Alert['type'], 'acknowledge' | 'resolve'>>> = {
  'incident.acknowledged': 'acknowledge',
  'incident.closed': 'resolve',
};

type Details = Record<string, unknown>;

function detailsOf(alert: Alert, { data }: AlertBody): Details {
  const { incident, story } = data;
  const all: Details = {
    why: line(data.why ?? '', 4 * MAX_TEXT),
    client: clientWords(data.client),
    incident: alert.incidentId,
    class: incident?.class,
    kind: incident?.kind,
    service: line(incident?.service ?? '', MAX_TEXT),
    operation: line(incident?.operation ?? '', MAX_TEXT),
    stages: stageWords(data),
    risk: story?.risk,
    sql: line(data.sql, 4 * MAX_TEXT),
    traces: data.traces?.map(({ id }) => id),
    reached: texts(story?.reached),
    tables: texts(story?.tables),
    fields: texts(story?.fields),
    reasons: texts(story?.reasons),
    findings: texts(data.findings?.map(findingWords)),
    members: texts(data.members?.map(({ id, title }) => `${id} ${title}`)),
    expected: chainLines(story?.expected ?? []),
    seen: chainLines(story?.seen ?? []),
    timeline: texts(story?.timeline.map(({ at, text }) => `${at} ${text}`)),
  };
  return Object.fromEntries(Object.entries(all).filter(([, value]) => !isEmpty(value)));
}

const texts = (all: readonly string[] = []): string[] => all.slice(0, 50).map((text) => line(text, MAX_TEXT));
const isEmpty = (value: unknown): boolean =>
  value === undefined || value === '' || value === 0 || (Array.isArray(value) && value.length === 0);

/** The last details go first when all of it would be too large. */
function fitted(event: { payload: { custom_details: Details } }): string {
  let text = JSON.stringify(event);
  const names = Object.keys(event.payload.custom_details);
  while (Buffer.byteLength(text) > MAX_EVENT_BYTES && names.length > 0) {
    delete event.payload.custom_details[names.pop()!];
    event.payload.custom_details.left_out = 'too large for an event: spanwarden incidents show tells all';
    text = JSON.stringify(event);
  }
  return text;
}

export function createPagerDuty({ url, routingKey }: DestinationOf<'pagerduty'>): Format {
  return (alert) => {
    const body = readBody(alert);
    const { data } = body;
    const action = ACTIONS[alert.type];
    const key = {
      routing_key: routingKey,
      event_action: action ?? 'trigger',
      dedup_key: `spanwarden-${alert.incidentId}`.slice(0, MAX_DEDUP_KEY),
    };
    const text =
      action !== undefined
        ? JSON.stringify(key)
        : fitted({
            ...key,
            payload: {
              summary: line(data.title, MAX_SUMMARY) || 'Spanwarden incident',
              source: line(data.incident?.service ?? '', MAX_TEXT) || 'spanwarden',
              severity: severityWord(data),
              timestamp: data.incident?.start ?? body.timestamp,
              component: line(data.incident?.service ?? '', MAX_TEXT),
              group: line(data.incident?.operation ?? '', MAX_TEXT),
              class: data.incident?.kind ?? alert.type,
              custom_details: detailsOf(alert, body),
            },
            client: 'Spanwarden',
            links: linksOf(body)
              .slice(0, MAX_LINKS)
              .map(({ href, id }) => ({ href, text: `Trace ${id}` })),
          } as { payload: { custom_details: Details } });
    return { url, headers: {}, body: text, refusals: [400], secrets: [routingKey] };
  };
}
