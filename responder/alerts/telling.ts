/** What destinations other than the webhook say of an alert, in words; each fits it to its own limits. */
import type { Alert } from '../../schemas/alerts/incident.ts';
import type { AlertBody, AlertData, BodyCall, BodyClient, BodyFinding } from './alert-body.ts';
import { line, plain } from './text.ts';

/** As PagerDuty and Alertmanager's users have them. */
export type SeverityWord = 'critical' | 'error' | 'warning' | 'info';

export function severityWord({ incident, digest }: AlertData): SeverityWord {
  if (digest !== undefined || incident === undefined) return 'info';
  if (incident.class === 'security') return incident.hard === false ? 'error' : 'critical';
  return incident.class === 'operational' ? 'warning' : 'info';
}

/** Whether it says that something ended. */
export const isOver = ({ type }: Pick<Alert, 'type'>): boolean => type === 'incident.closed';

export function clientWords(client: BodyClient | undefined): string {
  if (client === undefined) return '';
  const { address, source, confidence, reason, user, others } = client;
  const who =
    address === null
      ? `unknown${reason === '' ? '' : ` (${reason})`}`
      : `${address} (${source}, ${confidence} confidence)`;
  const as = user === null ? '' : `, user ${user}`;
  const also = others.length === 0 ? '' : `; also ${others.slice(0, 8).join(', ')}${others.length > 8 ? ', …' : ''}`;
  return line(`${who}${as}${also}`, 1_000);
}

export const stageWords = ({ story }: AlertData): string =>
  (story?.stages ?? [])
    .map(({ stage, technique }) => (technique === '' ? stage : `${stage} (${technique})`))
    .join(' → ');

export const findingWords = ({ kind, service, operation, expected, seen, count }: BodyFinding): string =>
  plain(`${kind} in ${service} ${operation} (${count}×): expected ${expected}; seen ${seen}`);

const MARKS: Readonly<Record<string, string>> = { missing: '- ', extra: '+ ', changed: '~ ' };

/** A call chain, one call a line, marked as a diff is. */
export const chainLines = (calls: readonly BodyCall[]): string[] =>
  calls.map(({ depth, call, count, mark }) =>
    line(`${MARKS[mark] ?? '  '}${'  '.repeat(Math.min(depth, 12))}${call}${count === 1 ? '' : ` × ${count}`}`, 200),
  );

/** Addresses of traces in the user's tracing tool, where the template makes them. */
export const linksOf = (body: AlertBody): { readonly href: string; readonly id: string }[] =>
  (body.data.traces ?? []).filter(({ link }) => isWebAddress(link)).map(({ link, id }) => ({ href: link, id }));

const isWebAddress = (text: string): boolean => /^https?:\/\/[^\s<>|"]+$/.test(text) && URL.canParse(text);
