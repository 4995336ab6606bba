/** Attack strings planted into parameters that a request has already. */
import { SpanKind } from '../../../schemas/otlp/fields.ts';
import { callTreeOf } from './call-tree.ts';
import type { Plant } from './mutation.ts';
import { type AttackFamily, PAYLOADS } from './payloads.ts';
import type { Random } from './random.ts';
import { attributeOf, type CopiedSpan, withAttribute } from './trace-copy.ts';

/** A place for a value: what it is called, and the span's attributes with another value in it. */
interface Slot {
  readonly span: CopiedSpan;
  readonly name: string;
  readonly value: string;
  set(value: string): void;
}

/** Attributes whose query part is read, the most exact first. */
const QUERIES = ['url.query', 'http.target', 'url.full', 'http.url'];
const BODIES =
  /^(?:http\.request\.body\.|rpc\.request\.(?!metadata\.)|graphql\.variables?\.|messaging\.(?:message\.)?header\.)./;
const HEADERS = /^(?:http\.request\.header\.|rpc(?:\.grpc)?\.request\.metadata\.)./;
/** Headers that say who the client is, and are not parameters. */
const IDENTITY = /forwarded|real-ip|client-ip|connecting-ip|traceparent|tracestate/;

/** Places of the kind of parameters that is attacked first: query and body, else the path, else headers. */
function slotsOf(spans: readonly CopiedSpan[]): Slot[] {
  const inside = spans.flatMap((span) => [...querySlots(span), ...attributeSlots(span, BODIES)]);
  if (inside.length > 0) return inside;
  const paths = spans.flatMap((span) => [...pathSlots(span)]);
  return paths.length > 0 ? paths : spans.flatMap((span) => [...attributeSlots(span, HEADERS)]);
}

function* querySlots(span: CopiedSpan): Iterable<Slot> {
  const key = QUERIES.find((one) => attributeOf(span.attributes, one) !== undefined);
  if (key === undefined) return;
  const text = attributeOf(span.attributes, key)!;
  const from = key === 'url.query' ? 0 : text.indexOf('?') + 1;
  if (from === 0 && key !== 'url.query') return;
  const fragment = text.indexOf('#', from);
  const to = fragment < 0 ? text.length : fragment;
  const pairs = text.slice(from, to).split('&');
  for (const [i, pair] of pairs.entries()) {
    const equals = pair.indexOf('=');
    if (equals < 1) continue;
    yield {
      span,
      name: pair.slice(0, equals),
      value: decoded(pair.slice(equals + 1)),
      set(value) {
        const query = pairs.with(i, `${pair.slice(0, equals + 1)}${encodeURIComponent(value)}`).join('&');
        span.attributes = withAttribute(span.attributes, key, {
          stringValue: text.slice(0, from) + query + text.slice(to),
        });
      },
    };
  }
}

function* attributeSlots(span: CopiedSpan, keys: RegExp): Iterable<Slot> {
  for (const { key } of span.attributes) {
    if (!keys.test(key) || IDENTITY.test(key)) continue;
    const own = span.attributes.find((one) => one.key === key)!.value;
    const inArray = (own.arrayValue as { values?: readonly { stringValue?: unknown }[] } | undefined)?.values?.[0];
    const value = inArray === undefined ? attributeOf(span.attributes, key) : inArray.stringValue;
    if (typeof value !== 'string') continue;
    yield {
      span,
      name: key,
      value,
      set(text) {
        const changed = { stringValue: text };
        span.attributes = withAttribute(
          span.attributes,
          key,
          inArray === undefined ? changed : { arrayValue: { values: [changed] } },
        );
      },
    };
  }
}

/** The segments of a path that a route has as parameters: `/users/{id}`, `/users/:id`. */
function* pathSlots(span: CopiedSpan): Iterable<Slot> {
  const route = attributeOf(span.attributes, 'http.route', 'url.template')?.split('/');
  const key = ['url.path', 'http.target'].find((one) => attributeOf(span.attributes, one) !== undefined);
  if (route === undefined || key === undefined) return;
  const text = attributeOf(span.attributes, key)!;
  const end = text.search(/[?#]|$/);
  const path = text.slice(0, end).split('/');
  if (path.length !== route.length) return;
  for (const [i, part] of route.entries()) {
    if (!/^(?::.|\{.+\}|<.+>)/.test(part)) continue;
    yield {
      span,
      name: part,
      value: decoded(path[i]!),
      set(value) {
        span.attributes = withAttribute(span.attributes, key, {
          stringValue: path.with(i, encodeURIComponent(value)).join('/') + text.slice(end),
        });
      },
    };
  }
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text.replaceAll('+', ' '));
  } catch {
    return text;
  }
}

const fill = (payload: string, random: Random): string =>
  payload.replaceAll('*', () => String(1 + random.below(9_999)));

/** An attack string in place of a value, or behind it, in a parameter of the request nearest to the entry that has one. */
export const attack =
  (family: AttackFamily): Plant =>
  (trace, { random }) => {
    const tree = callTreeOf(trace);
    const served = trace.spans.filter(({ kind }) => kind !== SpanKind.client && kind !== SpanKind.producer);
    const depth = (span: CopiedSpan): number => {
      let steps = 0;
      for (let at = tree.parentOf(span); at !== undefined; at = tree.parentOf(at)) steps++;
      return steps;
    };
    const slots = slotsOf(served);
    const nearest = Math.min(...slots.map(({ span }) => depth(span)));
    const slot = random.of(slots.filter(({ span }) => depth(span) === nearest));
    if (slot === undefined) return undefined;
    const payload = fill(random.of(PAYLOADS[family])!, random);
    const behind = random.next() < 0.5 && !/^[<{$/.]|^[a-z]+:\/\/|^[rgO]/.test(payload);
    slot.set(behind ? slot.value + payload : payload);
    return { trace, at: slot.span, words: `an attack in ${slot.name} of ${slot.span.label}` };
  };
