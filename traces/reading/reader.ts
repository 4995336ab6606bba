/**
 * Reads a closed segment into its columns: one pass over the bytes of its spans, then the tree. Nothing is allocated per
 * span; attributes are recognised by their bytes; what cannot be used is counted.
 */

import type { ReadingConfig } from '../../schemas/config/reading.ts';
import type { ClientRecord } from '../../schemas/log/verdict.ts';
import { createCursor, nextField, resetCursor } from '../../schemas/otlp/cursor.ts';
import { SpanField, SpanKind } from '../../schemas/otlp/fields.ts';
import { createKeyValueView, readKeyValue } from '../../schemas/otlp/read-attributes.ts';
import {
  createEventView,
  createLinkView,
  createSpanHead,
  pairDifference,
  pairToMs,
  readEvent,
  readLink,
  readSpanHead,
} from '../../schemas/otlp/read-span.ts';
import { hexOf, hexOfPair, textOf } from '../../schemas/otlp/text.ts';
import type { Attribution, ResolvedClient } from '../attribution/client.ts';
import { hashText } from '../byte-table.ts';
import { NO_TEMPLATES, type PathTemplates } from '../operations/learned-templates.ts';
import { createOperations } from '../operations/operation.ts';
import { learnPath, type PathTrie } from '../operations/path-trie.ts';
import { ParameterSource, PLACE_STRIDE, type Segment, type SegmentSpans, type Symbols } from '../segment.ts';
import { withoutSteering } from '../steering.ts';
import { createCalledAddress } from './called-address.ts';
import { createEvidence } from './client-evidence.ts';
import { createEmitter } from './emit.ts';
import { Attribute, createKeyTable } from './keys.ts';
import { httpStatusOf, outcomeOf } from './outcome.ts';
import { createParameters } from './parameters.ts';
import { createRawParameters, createRawSpans, reserveRawSpans } from './raw.ts';
import { createResourceReader } from './resource.ts';
import { sampleWeightOf } from './sampling.ts';
import { clearSlots, createSlots, hasText, hasValue, numberIn, setSlot } from './slots.ts';
import { isPlausible, MAX_ODD_DURATION_NS } from './times.ts';
import { createTree } from './tree.ts';
import { createUrlRanges, readUrl } from './url.ts';

/** Counters since creation. */
export interface ReaderStats {
  segments: number;
  spans: number;
  /** Spans of an id that the segment has already. */
  duplicates: number;
  /** Spans that could not be decoded. */
  malformed: number;
  /** Spans inside whose parent is not in the segment; they hang under the entry. */
  orphans: number;
  /** Spans in a cycle of parents; they hang under the entry. */
  cyclic: number;
  /** Spans with a time out of range. */
  clampedTimes: number;
  /** Spans that end before they start. */
  negativeDurations: number;
  /** Spans whose duration is unknown: these, those without an end, those with one time out of range. */
  unknownDurations: number;
  truncatedValues: number;
  droppedParameters: number;
  overflowedNames: number;
  overflowedOperations: number;
}

export interface ReaderDeps {
  readonly symbols: Symbols;
  readonly config: ReadingConfig;
  readonly attribution: Attribution;
}

export interface Reader {
  /**
   * Fills `into` (of the same symbols); false when not even the entry could be decoded. `templates`: learned path templates
   * of the version that the segment is read for, without them types alone decide. `paths`: where the paths of spans that
   * name no route are counted.
   */
  read(spans: SegmentSpans, into: Segment, templates?: PathTemplates | null, paths?: PathTrie | null): boolean;
  /** Label of one span by itself; 0 when it cannot be decoded. Ranges as in `SegmentSpans.places`. */
  labelAt(
    bytes: Uint8Array,
    resourceStart: number,
    resourceEnd: number,
    spanStart: number,
    spanEnd: number,
    templates?: PathTemplates | null,
  ): number;
  /** Symbol of the service that a resource names. */
  serviceAt(bytes: Uint8Array, resourceStart: number, resourceEnd: number): number;
  /** Who made the request that one span served, by that span alone; null when it cannot be decoded. */
  clientAt(
    bytes: Uint8Array,
    resourceStart: number,
    resourceEnd: number,
    spanStart: number,
    spanEnd: number,
  ): (ResolvedClient & { readonly service: number }) | null;
  readonly stats: ReaderStats;
}

const NO_PRODUCERS: Segment['producers'] = Object.freeze([]);
const ORIGIN_PENDING: ResolvedClient = {
  address: null,
  source: 'none',
  confidence: 'none',
  reason: 'origin-pending',
  hops: [],
};
const EXCEPTION = new TextEncoder().encode('exception');
function isException(bytes: Uint8Array, start: number): boolean {
  for (let i = 0; i < EXCEPTION.length; i++) if (bytes[start + i] !== EXCEPTION[i]) return false;
  return true;
}
const MAX_PRODUCERS = 1024;
const MAX_HASH = 0x7fffffff;

export function createReader(deps: ReaderDeps): Reader {
  const { symbols, config, attribution } = deps;
  const keys = createKeyTable();
  const resources = createResourceReader(symbols, keys);
  const operations = createOperations(symbols, {
    maxOperationsPerService: config.maxOperationsPerService,
  });
  const parameters = createParameters(symbols, config);
  const evidence = createEvidence(symbols, attribution);
  // Known before any request: names that clients make up must not crowd these out.
  for (const name of evidence.names) {
    const bytes = new TextEncoder().encode(symbols.text(name));
    parameters.nameOf(bytes, 0, bytes.length, true);
  }
  const head = createSpanHead();
  const view = createKeyValueView();
  const event = createEventView();
  const link = createLinkView();
  const cursor = createCursor(new Uint8Array(0));
  const slots = createSlots();
  const url = createUrlRanges();
  const raw = createRawSpans();
  const rawParameters = createRawParameters();
  const tree = createTree();
  const calledAddress = createCalledAddress(slots, url, raw, rawParameters);
  const emit = createEmitter(symbols, raw, rawParameters, tree);
  const named = {
    userAgent: symbols.intern('user-agent'),
    statement: symbols.intern('db.query.text'),
    messageKey: symbols.intern('messaging.kafka.message.key'),
    document: symbols.intern('graphql.document'),
    size: symbols.intern('response'),
  };
  const contentLength = symbols.intern('content-length');
  const stats: ReaderStats = {
    segments: 0,
    spans: 0,
    duplicates: 0,
    malformed: 0,
    orphans: 0,
    cyclic: 0,
    clampedTimes: 0,
    negativeDurations: 0,
    unknownDurations: 0,
    truncatedValues: 0,
    droppedParameters: 0,
    overflowedNames: 0,
    overflowedOperations: 0,
  };

  // Of the segment being read.
  let baseHigh = 0;
  let baseLow = 0;
  let appendHigh = 0;
  let appendLow = 0;
  let client: ResolvedClient | null = null;
  let user: string | null = null;
  let session: string | null = null;
  /** The one user that spans below the entry name: a gateway often does not know whom a service behind it will sign in. */
  let userInside: string | null = null;
  let usersInside = 0;
  let account: string | null = null;
  let accountIsName = false;
  let trie: PathTrie | null = null;
  /** Hash of the client that the segment's paths are counted under; 0 = unknown. */
  let pathClient = 0;
  let handedOver = false;
  let producers: { traceId: string; spanId: string }[] = [];

  /** Sorts the attributes of `head` into slots and parameter families. */
  function readAttributes(bytes: Uint8Array, isEntry: boolean, into: Segment | null): void {
    clearSlots(slots, bytes);
    if (head.attributeCount === 0) return;
    resetCursor(cursor, bytes, head.firstAttribute, head.end);
    for (let left = head.attributeCount; left > 0; left--) {
      const at = nextField(cursor, SpanField.attributes);
      if (at < 0) return;
      if (!readKeyValue(bytes, at, cursor.position, view)) continue;
      const slot = keys.recognise(bytes, view.keyStart, view.keyEnd);
      if (slot < 0) continue;
      if (slot < Attribute.header) setSlot(slots, slot, keys.rank, view);
      else if (into !== null) readFamily(bytes, slot, isEntry);
    }
  }

  function readFamily(bytes: Uint8Array, slot: number, isEntry: boolean): void {
    const header = slot === Attribute.header || slot === Attribute.responseHeader;
    const name = parameters.nameOf(bytes, keys.nameStart, view.keyEnd, header);
    if (slot === Attribute.header) {
      if (evidence.names.has(name)) {
        if (isEntry) evidence.header(name, view, keys.nameStart);
      } else parameters.value(ParameterSource.header, name, view);
    } else if (slot === Attribute.responseHeader) {
      if (name === contentLength) parameters.value(ParameterSource.size, named.size, view);
    } else if (slot === Attribute.rpcArgument) parameters.value(ParameterSource.rpc, name, view);
    else if (slot === Attribute.messageHeader) parameters.value(ParameterSource.message, name, view);
    else parameters.value(ParameterSource.body, name, view);
  }

  function hasException(bytes: Uint8Array): boolean {
    resetCursor(cursor, bytes, head.firstEvent, head.end);
    for (let at = nextField(cursor, SpanField.events); at >= 0; at = nextField(cursor, SpanField.events)) {
      if (!readEvent(bytes, at, cursor.position, event)) continue;
      if (event.nameEnd - event.nameStart === 9 && isException(bytes, event.nameStart)) return true;
    }
    return false;
  }

  function readLinks(bytes: Uint8Array): void {
    resetCursor(cursor, bytes, head.firstLink, head.end);
    for (let at = nextField(cursor, SpanField.links); at >= 0; at = nextField(cursor, SpanField.links)) {
      if (producers.length >= MAX_PRODUCERS) return;
      if (!readLink(bytes, at, cursor.position, link)) continue;
      addProducer(hexOf(bytes, link.traceIdStart, 16), hexOfPair(link.spanIdHigh, link.spanIdLow));
    }
  }

  function addProducer(traceId: string, spanId: string): void {
    for (const known of producers) if (known.spanId === spanId && known.traceId === traceId) return;
    producers.push({ traceId, spanId });
  }

  /** Of the attributes of `head`, those that say who the client is. */
  function readEvidence(bytes: Uint8Array): void {
    clearSlots(slots, bytes);
    evidence.begin();
    if (head.attributeCount === 0) return;
    resetCursor(cursor, bytes, head.firstAttribute, head.end);
    for (let left = head.attributeCount; left > 0; left--) {
      const at = nextField(cursor, SpanField.attributes);
      if (at < 0) return;
      if (!readKeyValue(bytes, at, cursor.position, view)) continue;
      const slot = keys.recognise(bytes, view.keyStart, view.keyEnd);
      if (slot < 0) continue;
      if (slot < Attribute.header) setSlot(slots, slot, keys.rank, view);
      else if (slot === Attribute.header) {
        const name = parameters.nameOf(bytes, keys.nameStart, view.keyEnd, true);
        if (evidence.names.has(name)) evidence.header(name, view, keys.nameStart);
      }
    }
  }

  /** Start relative to the entry and duration of `head` into row `i`; a duration that cannot be known is NaN. */
  function readTimes(i: number): void {
    const startGood = isPlausible(head.startHigh);
    const endGood = isPlausible(head.endHigh);
    let duration = pairDifference(head.startHigh, head.startLow, head.endHigh, head.endLow);
    // An end of 0 is none: spans flushed before they ended, and importers of formats that need no duration.
    const ended = head.endHigh !== 0 || head.endLow !== 0;
    if (ended && duration < 0) stats.negativeDurations++;
    if (!ended || duration < 0) duration = Number.NaN;
    if (!startGood || (ended && !endGood)) {
      stats.clampedTimes++;
      if (startGood !== endGood || duration > MAX_ODD_DURATION_NS) duration = Number.NaN;
    }
    if (Number.isNaN(duration)) stats.unknownDurations++;
    raw.durationNs[i] = duration;
    raw.startNs[i] = startGood
      ? pairDifference(baseHigh, baseLow, head.startHigh, head.startLow)
      : pairDifference(baseHigh, baseLow, appendHigh, appendLow);
  }

  function readParameters(kind: number): void {
    const bytes = head.bytes;
    if (url.pathEnd > url.pathStart && (kind === SpanKind.server || kind === SpanKind.client)) {
      parameters.path(bytes, operations.parts);
      if (url.queryEnd > url.queryStart) parameters.query(bytes, url.queryStart, url.queryEnd);
    }
    if (kind === SpanKind.server) {
      if (hasText(slots, Attribute.userAgent)) {
        parameters.slot(ParameterSource.header, named.userAgent, slots, Attribute.userAgent);
      }
      if (hasValue(slots, Attribute.responseSize)) {
        parameters.number(ParameterSource.size, named.size, Math.max(0, numberIn(slots, Attribute.responseSize)));
      }
    }
    if (hasText(slots, Attribute.dbText)) {
      parameters.slot(ParameterSource.statement, named.statement, slots, Attribute.dbText);
    }
    if (hasValue(slots, Attribute.messagingKey)) {
      parameters.slot(ParameterSource.message, named.messageKey, slots, Attribute.messagingKey);
    }
    if (hasText(slots, Attribute.graphqlDocument)) {
      parameters.slot(ParameterSource.body, named.document, slots, Attribute.graphqlDocument);
    }
  }

  /** Decodes the span in `head` into row `i`. */
  function readSpan(i: number, service: number, into: Segment): void {
    const bytes = head.bytes;
    const kind = head.kind;
    const isEntry = i === 0;
    raw.parentHigh[i] = head.parentHigh;
    raw.parentLow[i] = head.parentLow;
    raw.kind[i] = kind;
    raw.service[i] = service;
    raw.parameterFrom[i] = rawParameters.count;
    parameters.begin(into, rawParameters);
    readTimes(i);
    readAttributes(bytes, isEntry, into);
    const status = httpStatusOf(slots);
    raw.httpStatus[i] = status;
    const exception = head.eventCount > 0 && hasException(bytes);
    raw.outcome[i] = outcomeOf(slots, head.statusCode, kind, status, exception);
    if (isEntry) {
      client = evidence.resolve(slots, service, kind);
      if (trie !== null && !handedOver && client.address !== null)
        pathClient = 1 + (hashText(client.address) % MAX_HASH);
      user = hasText(slots, Attribute.user) ? withoutSteering(textIn(Attribute.user)) : null;
      session = hasText(slots, Attribute.session) ? withoutSteering(textIn(Attribute.session)) : null;
      account = user;
    } else if (hasText(slots, Attribute.user)) {
      const named = withoutSteering(textIn(Attribute.user));
      if (named !== userInside) usersInside++;
      userInside = named;
      account ??= named;
    }
    if (!accountIsName && hasText(slots, Attribute.account)) {
      account = withoutSteering(textIn(Attribute.account));
      accountIsName = true;
    }
    readUrl(slots, url);
    const operation = operations.of(slots, head, url, kind, service);
    if (trie !== null && operations.byPath) countPath(service, status);
    raw.operation[i] = operation;
    raw.label[i] = symbols.label(service, kind, operation, operations.peer);
    readParameters(kind);
    calledAddress.read(i, kind, into);
    raw.parameterTo[i] = rawParameters.count;
    if (isEntry || kind === SpanKind.consumer) {
      if (head.linkCount > 0) readLinks(bytes);
    }
  }

  /** What a server does not have, or does not let in, is no path of it: a scanner must not make templates. */
  function countPath(service: number, status: number): void {
    if (status >= 400 && status < 500) return;
    learnPath(trie!, symbols.text(service), head.bytes, url.pathStart, url.pathEnd, pathClient);
  }

  const textIn = (slot: Attribute): string =>
    textOf(slots.bytes, slots.starts[slot]!, Math.min(slots.ends[slot]!, slots.starts[slot]! + 256));

  function begin(spans: SegmentSpans): void {
    raw.count = 0;
    rawParameters.count = 0;
    rawParameters.valueEnd = 0;
    producers = [];
    client = null;
    userInside = null;
    usersInside = 0;
    account = null;
    accountIsName = false;
    pathClient = 0;
    handedOver = spans.asynchronous;
    reserveRawSpans(raw, spans.spanCount);
    tree.begin(Math.max(1, spans.spanCount));
    evidence.begin();
    const appendNs = spans.appendMs * 1e6;
    appendHigh = Math.floor(appendNs / 4294967296);
    appendLow = appendNs - appendHigh * 4294967296;
  }

  function readAll(spans: SegmentSpans, into: Segment): void {
    const { places, records } = spans;
    for (let at = 0; at < spans.spanCount * PLACE_STRIDE; at += PLACE_STRIDE) {
      const bytes = records[places[at]!]!;
      if (!readSpanHead(bytes, places[at + 5]!, places[at + 6]!, head)) {
        stats.malformed++;
        if (at === 0) return;
        continue;
      }
      const i = raw.count;
      raw.idHigh[i] = head.spanIdHigh;
      raw.idLow[i] = head.spanIdLow;
      if (!tree.add(raw, i)) {
        stats.duplicates++;
        continue;
      }
      const service = resources.read(bytes, places[at + 1]!, places[at + 2]!);
      if (i === 0) {
        into.serviceVersion = resources.version;
        const good = isPlausible(head.startHigh);
        baseHigh = good ? head.startHigh : appendHigh;
        baseLow = good ? head.startLow : appendLow;
        // who came with a trace context wrote tracestate himself, and must not count for a million requests
        const ours = (head.parentHigh === 0 && head.parentLow === 0) || spans.asynchronous;
        into.sampleWeight =
          ours && head.traceStateEnd > head.traceStateStart
            ? sampleWeightOf(bytes, head.traceStateStart, head.traceStateEnd)
            : 1;
      }
      raw.version[i] = resources.version;
      raw.count = i + 1;
      readSpan(i, service, into);
    }
  }

  function emitHead(spans: SegmentSpans, into: Segment): void {
    into.traceId = spans.traceId;
    into.entrySpanId = spans.entrySpanId;
    into.entryReason = spans.entryReason;
    into.asynchronous = spans.asynchronous;
    into.appendMs = spans.appendMs;
    into.truncated = spans.truncated;
    into.startMs = pairToMs(baseHigh, baseLow);
    if (raw.kind[0] === SpanKind.consumer && (raw.parentHigh[0] !== 0 || raw.parentLow[0] !== 0)) {
      addProducer(spans.traceId, hexOfPair(raw.parentHigh[0]!, raw.parentLow[0]!));
    }
    into.account = account;
    into.producers = producers.length === 0 ? NO_PRODUCERS : producers;
    // Work that a queue handed over was not caused by whoever the socket names.
    const known = spans.asynchronous ? ORIGIN_PENDING : client!;
    const record: { -readonly [Field in keyof ClientRecord]: ClientRecord[Field] } = {
      address: known.address,
      source: known.source,
      confidence: known.confidence,
      reason: known.reason,
      hops: known.hops,
      entrySpanId: spans.entrySpanId,
      entryTraceId: spans.traceId,
      user: user ?? (usersInside === 1 ? userInside : null),
      session,
    };
    if (known.peer !== undefined) record.peer = known.peer;
    into.client = record;
  }

  return {
    stats,
    read(spans, into, templates, paths) {
      operations.use(templates ?? NO_TEMPLATES);
      trie = paths ?? null;
      begin(spans);
      readAll(spans, into);
      if (raw.count === 0) return false;
      tree.build(raw);
      emit.spans(into);
      emit.parameters(into);
      emitHead(spans, into);
      stats.segments++;
      stats.spans += raw.count;
      stats.orphans += tree.orphans;
      stats.cyclic += tree.cyclic;
      stats.truncatedValues = parameters.stats.truncatedValues;
      stats.droppedParameters = parameters.stats.droppedParameters;
      stats.overflowedNames = parameters.stats.overflowedNames;
      stats.overflowedOperations = operations.overflowed;
      return true;
    },
    clientAt(bytes, resourceStart, resourceEnd, spanStart, spanEnd) {
      if (!readSpanHead(bytes, spanStart, spanEnd, head)) return null;
      const service = resources.read(bytes, resourceStart, resourceEnd);
      readEvidence(bytes);
      return { ...evidence.resolve(slots, service, head.kind), service };
    },
    serviceAt: (bytes, resourceStart, resourceEnd) => resources.read(bytes, resourceStart, resourceEnd),
    labelAt(bytes, resourceStart, resourceEnd, spanStart, spanEnd, templates) {
      operations.use(templates ?? NO_TEMPLATES);
      if (!readSpanHead(bytes, spanStart, spanEnd, head)) return 0;
      const service = resources.read(bytes, resourceStart, resourceEnd);
      readAttributes(bytes, false, null);
      readUrl(slots, url);
      const operation = operations.of(slots, head, url, head.kind, service);
      return symbols.label(service, head.kind, operation, operations.peer);
    },
  };
}
