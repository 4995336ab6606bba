/**
 * Zipkin's tracers let the server use the client's span id (B3 propagation, `shared: true`): one id, two spans. OTLP knows one
 * span an id, so the receiving side gets an id of its own and the sending side as parent, and children go to the side of the
 * place that reported them. The Collector's Zipkin receiver leaves such ids alone; Jaeger's query service splits them like
 * this (its adjuster DeduplicateClientServerSpanIDs).
 */
import { createHash } from 'node:crypto';
import { type ImportedSpan, Kind } from './otlp-shape.ts';

const isSending = ({ span: { kind } }: ImportedSpan): boolean => kind === Kind.client || kind === Kind.producer;

/** Changes ids and parents of the spans of one trace where spans of several places share an id. */
export function splitShared(spans: readonly ImportedSpan[]): void {
  const byId = new Map<string, ImportedSpan[]>();
  for (const one of spans) {
    const same = byId.get(one.span.spanId);
    if (same === undefined) byId.set(one.span.spanId, [one]);
    else same.push(one);
  }
  if (byId.size === spans.length) return;
  /** Shared id → its sides, by side the id it has now. */
  const split = new Map<string, Side[]>();
  for (const [id, same] of byId) {
    const sides = same.length === 1 ? [] : sidesOf(id, same);
    if (sides.length > 1) split.set(id, sides);
  }
  if (split.size === 0) return;
  const own = new Set<ImportedSpan>(); // receiving sides: their parent is said
  for (const [id, sides] of split) {
    for (const { spans: members, newId, receives } of sides) {
      for (const one of members) {
        one.span.spanId = newId;
        if (!receives) continue;
        one.span.parentSpanId = id;
        own.add(one);
      }
    }
  }
  for (const one of spans) {
    const sides = one.span.parentSpanId === undefined ? undefined : split.get(one.span.parentSpanId);
    if (sides !== undefined && !own.has(one)) one.span.parentSpanId = parentSide(sides, one).newId;
  }
}

interface Side {
  readonly place: string;
  readonly spans: readonly ImportedSpan[];
  readonly newId: string;
  /** A sending side has the same id: that one is the parent. */
  readonly receives: boolean;
}

/** What has one place and one kind is one side, however often it was sent. The sending side keeps the id. */
function sidesOf(id: string, same: readonly ImportedSpan[]): Side[] {
  const bySide = new Map<string, ImportedSpan[]>();
  for (const one of same) {
    const key = `${one.place}\n${one.span.kind}`;
    const members = bySide.get(key);
    if (members === undefined) bySide.set(key, [one]);
    else members.push(one);
  }
  const groups = [...bySide].sort(([a], [b]) => (a < b ? -1 : 1)); // the same ids, however the file is ordered
  const keeper = groups.find(([, [first]]) => isSending(first!)) ?? groups[0]!;
  const sent = isSending(keeper[1][0]!);
  return groups.map((group) => {
    const [key, members] = group;
    const first = members[0]!;
    return {
      place: first.place,
      spans: members,
      newId: group === keeper ? id : idOfSide(first.span.traceId, id, key),
      receives: sent && !isSending(first),
    };
  });
}

/** A child was reported where its parent was; one from elsewhere was received by a receiving side. */
function parentSide(sides: readonly Side[], child: ImportedSpan): Side {
  const service = child.place.slice(0, child.place.indexOf('\n'));
  const near = (side: Side): boolean => side.place.slice(0, side.place.indexOf('\n')) === service;
  return (
    sides.find((side) => side.place === child.place && side.receives) ??
    sides.find((side) => side.place === child.place) ??
    sides.find((side) => near(side) && side.receives) ??
    sides.find(near) ??
    sides.find((side) => side.receives) ??
    sides[0]!
  );
}

const idOfSide = (traceId: string, id: string, side: string): string =>
  createHash('sha256').update(`${traceId}\n${id}\n${side}`).digest('hex').slice(0, 16);
