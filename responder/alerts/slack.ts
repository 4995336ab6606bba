/**
 * Slack incoming webhook, in blocks (docs.slack.dev, Block Kit). Whatever comes from requests is either plain text or a code span with
 * `& < >` escaped: it can neither mention, link, nor pass for our own words.
 */
import type { Alert } from '../../schemas/alerts/incident.ts';
import type { DestinationOf } from '../../schemas/config/alerts.ts';
import { type AlertBody, type AlertData, readBody } from './alert-body.ts';
import type { Format } from './post.ts';
import { chainLines, clientWords, linksOf, stageWords } from './telling.ts';
import { line, plain, when } from './text.ts';

const MAX_HEADER = 150;
const MAX_SECTION = 3_000;
const MAX_FIELD = 2_000;
const MAX_BLOCKS = 50;
const MAX_FINDINGS = 5;
const MAX_LINKS = 10;

export type Block =
  | { readonly type: 'header'; readonly text: PlainText }
  | { readonly type: 'section'; readonly text: PlainText | Mrkdwn }
  | { readonly type: 'section'; readonly fields: readonly Mrkdwn[] }
  | { readonly type: 'context'; readonly elements: readonly Mrkdwn[] };
interface PlainText {
  readonly type: 'plain_text';
  readonly text: string;
  readonly emoji: false;
}
interface Mrkdwn {
  readonly type: 'mrkdwn';
  readonly text: string;
  /** Addresses and names in it are not made links and mentions. */
  readonly verbatim: true;
}

const ESCAPES: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '`': 'ˋ' };

/** Escaped, at most `max` long with its escapes; backticks would end a code span. */
export function escapedLine(text: string, max: number): string {
  let out = '';
  for (const character of plain(text)) {
    const piece = ESCAPES[character] ?? character;
    if (out.length + piece.length > max - 1) return `${out}…`;
    out += piece;
  }
  return out;
}

const code = (text: string, max = 300): string => {
  const inside = escapedLine(text, max - 2);
  return inside.trim() === '' ? '–' : `\`${inside}\``;
};
const words = (text: string): PlainText => ({ type: 'plain_text', text, emoji: false });
const mrkdwn = (text: string): Mrkdwn => ({ type: 'mrkdwn', text, verbatim: true });
const sentence = (text: string): Block[] =>
  text.trim() === '' ? [] : [{ type: 'section', text: words(line(text, MAX_SECTION)) }];

/** As many whole lines as a section holds. */
function section(title: string, lines: readonly string[]): Block[] {
  if (lines.length === 0) return [];
  let text = `*${title}*`;
  let taken = 0;
  for (const one of lines) {
    if (text.length + one.length + 20 > MAX_SECTION) break;
    text += `\n${one}`;
    taken++;
  }
  if (taken < lines.length) text += `\n… ${lines.length - taken} more`;
  return [{ type: 'section', text: mrkdwn(text) }];
}

const EVENTS: Readonly<Record<Alert['type'], string>> = {
  'incident.opened': '',
  'incident.updated': 'Update: ',
  'incident.closed': 'Closed: ',
  'incident.acknowledged': 'Seen: ',
  storm: 'Storm: ',
  digest: '',
};

function factsOf({ incident, client, story, ...data }: AlertData): Mrkdwn[] {
  if (incident === undefined) return [];
  const facts: readonly (readonly [string, string])[] = [
    ['Client', clientWords(client)],
    ['Where', `${incident.service} ${incident.operation}`],
    ['Class', `${incident.class}, ${incident.kind}`],
    ['Requests', `${incident.traceCount} since ${when(incident.start)}`],
    ['Stages', stageWords({ ...data, ...(story !== undefined && { story }) })],
    ['Risk', story === undefined || story.risk === 0 ? '' : `${Math.round(story.risk)} of 100`],
    ['Reached', (story?.reached ?? []).join(', ')],
    ['Tables', (story?.tables ?? []).join(', ')],
    ['Sensitive fields', (story?.fields ?? []).join(', ')],
  ];
  return facts
    .filter(([, text]) => text.trim() !== '')
    .map(([title, text]) => mrkdwn(`*${title}*\n${code(text, MAX_FIELD - 40)}`));
}

const findingLines = ({ findings = [] }: AlertData): string[] =>
  findings
    .slice(0, MAX_FINDINGS)
    .map(
      ({ kind, service, operation, expected, seen, count }) =>
        `• ${code(kind, 60)} in ${code(`${service} ${operation}`, 120)}, ${count}×\n    expected ${code(expected, 200)}\n    seen ${code(seen, 200)}`,
    );

const calls = (title: string, lines: readonly string[]): Block[] =>
  section(
    title,
    lines.map((one) => code(one.replaceAll('  ', '· '), 200)),
  );

function incidentBlocks(body: AlertBody): Block[] {
  const { data } = body;
  const { story } = data;
  const fields = factsOf(data);
  const links = linksOf(body)
    .slice(0, MAX_LINKS)
    .map(({ href, id }) => `<${new URL(href).href.replaceAll('&', '&amp;')}|${id.slice(0, 8)}>`);
  const about = data.incident === undefined ? [] : [`incident ${code(data.incident.id, 80)}`];
  return [
    ...sentence(data.why ?? ''),
    ...(fields.length > 0 ? [{ type: 'section', fields } as const] : []),
    ...section('Found', findingLines(data)),
    ...calls('Expected calls', chainLines(story?.expected ?? [])),
    ...calls('Seen calls', chainLines(story?.seen ?? [])),
    ...section(
      'Why this actor',
      (story?.reasons ?? []).map((reason) => `• ${code(reason)}`),
    ),
    ...section(
      'What happened',
      (story?.timeline ?? []).slice(-10).map(({ at, text }) => `${when(at)} ${code(text)}`),
    ),
    ...section(
      'Incidents',
      (data.members ?? []).map(({ id, title, client }) => `• ${code(id, 40)} ${code(`${title} ${client ?? ''}`, 200)}`),
    ),
    ...(data.sql === '' ? [] : section('Spans behind it', [code(data.sql, MAX_SECTION - 100)])),
    ...(about.length + links.length > 0
      ? [{ type: 'context', elements: [mrkdwn([...about, ...links].join('  '))] } as const]
      : []),
  ];
}

function digestBlocks({ data }: AlertBody): Block[] {
  const { entries = [], leftOut = 0 } = data.digest ?? {};
  const room = MAX_BLOCKS - 3;
  const listed = entries
    .slice(0, room)
    .flatMap(({ kind, service, operation, count, clients, why }) =>
      section(`${count} requests`, [
        `${code(kind, 60)} in ${code(`${service} ${operation}`, 200)}`,
        ...(clients.length > 0 ? [`by ${code(clients.join(', '), 400)}`] : []),
        code(why, 1_000),
      ]),
    );
  const more = leftOut + Math.max(0, entries.length - room);
  return [...listed, ...(more > 0 ? sentence(`${more} more are left out`) : [])];
}

export function createSlack({ url }: DestinationOf<'slack'>): Format {
  return (alert) => {
    const body = readBody(alert);
    const title = `${EVENTS[alert.type]}${body.data.title}`.trim() || 'Spanwarden incident';
    const blocks: Block[] = [
      { type: 'header', text: words(line(title, MAX_HEADER)) },
      ...(alert.type === 'digest' ? digestBlocks(body) : incidentBlocks(body)),
    ];
    return {
      url,
      headers: {},
      body: JSON.stringify({ text: escapedLine(title, MAX_SECTION), blocks: blocks.slice(0, MAX_BLOCKS) }),
      refusals: [400],
      secrets: [url, new URL(url).pathname],
    };
  };
}
