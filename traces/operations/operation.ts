/**
 * What a span does, as a template that is the same from request to request: `GET /users/{id}`, `shop.Cart/Add`,
 * `SELECT orders`, `publish invoices` (DETECTION §1, §3.1). Composed as bytes and interned; capped per service.
 */

import { SpanKind } from '../../schemas/otlp/fields.ts';
import type { SpanHead } from '../../schemas/otlp/read-span.ts';
import { type ByteTable, createByteTable } from '../byte-table.ts';
import { Attribute } from '../reading/keys.ts';
import { isHttp } from '../reading/outcome.ts';
import { type AttributeSlots, hasText, isTrue } from '../reading/slots.ts';
import type { UrlRanges } from '../reading/url.ts';
import type { Symbols } from '../segment.ts';
import { OVERFLOW } from '../symbols.ts';
import { type LevelWalk, NO_TEMPLATES, type PathTemplates } from './learned-templates.ts';
import { appendName, appendNameTemplate } from './name-template.ts';
import { createPathParts, type PathParts } from './path-parts.ts';
import { appendPathTemplate, matchRoute } from './path-template.ts';
import { appendAll, appendByte, ascii, createSink } from './sink.ts';
import { appendStatementOperation } from './statement-operation.ts';

export interface OperationOptions {
  readonly maxOperationsPerService: number;
}

/** Operations known under one set of templates. */
interface Known {
  readonly table: ByteTable;
  symbolOf: Int32Array<ArrayBuffer>;
  /** By service. */
  countOf: Int32Array<ArrayBuffer>;
}

export interface Operations {
  /** Applies these learned templates from now on. */
  use(templates: PathTemplates): void;
  /** Operation of the span in `slots` and `head`; sets `peer` and `parts`. */
  of(slots: AttributeSlots, head: SpanHead, url: UrlRanges, kind: number, service: number): number;
  /** Peer system of the last span, a symbol; 0 when it has none. */
  peer: number;
  /** Path segments of the last span that are parameters; ranges into its bytes. */
  readonly parts: PathParts;
  /** Whether the last operation was read off the URL's path. */
  byPath: boolean;
  /** Spans whose operation was new past its service's cap. */
  overflowed: number;
}

const MAX_TEXT_BYTES = 256;
/** Versions in use at a time: before and after one takes effect, and what a trainer learns with. */
const MAX_SETS = 4;
const HTTP = ascii('HTTP');
const OTHER = ascii('_OTHER');
const SEND = ascii('send');
const PROCESS = ascii('process');
const TEMPORARY = ascii('(temporary)');
const ANONYMOUS = ascii('(anonymous)');
const UNNAMED = ascii('(unnamed)');

export function createOperations(symbols: Symbols, options: OperationOptions): Operations {
  const { maxOperationsPerService } = options;
  let templates = NO_TEMPLATES;
  // By templates: what one set of them made many of must not use up the caps of another.
  const sets = new Map<string, Known>();
  let known = knownUnder(templates);
  const sink = createSink();
  const parts = createPathParts();
  const walk: LevelWalk = { node: -1 };
  const encoder = new TextEncoder();
  let serviceBytes = new Uint8Array(0);
  let serviceOfBytes = -1;

  /** A name that others chose, as a template: conventions say it has few values, and instrumentation puts ids into it. */
  function appendSlot(slots: AttributeSlots, slot: Attribute): void {
    appendName(
      sink,
      slots.bytes,
      slots.starts[slot]!,
      Math.min(slots.ends[slot]!, slots.starts[slot]! + MAX_TEXT_BYTES),
    );
  }

  /** Two such names with a mark between them. */
  function appendSlots(slots: AttributeSlots, one: Attribute, mark: number, other: Attribute): void {
    appendSlot(slots, one);
    appendByte(sink, mark);
    appendSlot(slots, other);
  }

  function appendMessaging(slots: AttributeSlots, kind: number): void {
    if (hasText(slots, Attribute.messagingOperation)) appendSlot(slots, Attribute.messagingOperation);
    else appendAll(sink, kind === SpanKind.consumer ? PROCESS : SEND);
    appendByte(sink, 0x20);
    if (isTrue(slots, Attribute.messagingTemporary)) appendAll(sink, TEMPORARY);
    else if (isTrue(slots, Attribute.messagingAnonymous)) appendAll(sink, ANONYMOUS);
    else if (hasText(slots, Attribute.messagingTemplate)) appendSlot(slots, Attribute.messagingTemplate);
    else if (hasText(slots, Attribute.messagingDestination)) appendSlot(slots, Attribute.messagingDestination);
    else sink.length--;
  }

  function appendDatabase(slots: AttributeSlots): void {
    if (hasText(slots, Attribute.dbSummary)) appendSlot(slots, Attribute.dbSummary);
    else if (hasText(slots, Attribute.dbOperation) && hasText(slots, Attribute.dbCollection)) {
      appendSlots(slots, Attribute.dbOperation, 0x20, Attribute.dbCollection);
    } else if (hasText(slots, Attribute.dbText)) {
      const slot = Attribute.dbText;
      appendStatementOperation(sink, slots.bytes, slots.starts[slot]!, slots.ends[slot]!);
    } else if (hasText(slots, Attribute.dbOperation)) appendSlot(slots, Attribute.dbOperation);
  }

  function appendRpc(slots: AttributeSlots): void {
    if (!hasText(slots, Attribute.rpcMethod)) return;
    const { bytes, starts, ends } = slots;
    let start = starts[Attribute.rpcMethod]!;
    const end = ends[Attribute.rpcMethod]!;
    let qualified = false;
    for (let i = start + 1; i < end && !qualified; i++) qualified = bytes[i] === 0x2f;
    if (!qualified && hasText(slots, Attribute.rpcService)) {
      appendSlot(slots, Attribute.rpcService);
      appendByte(sink, 0x2f);
    }
    if (bytes[start] === 0x2f) start++;
    appendName(sink, bytes, start, Math.min(end, start + MAX_TEXT_BYTES));
  }

  function appendMethod(slots: AttributeSlots): void {
    if (!hasText(slots, Attribute.httpMethod)) {
      appendAll(sink, HTTP);
      return;
    }
    const start = slots.starts[Attribute.httpMethod]!;
    const end = slots.ends[Attribute.httpMethod]!;
    if (end - start > 10) {
      appendAll(sink, OTHER); // no registered method is longer than that, and a client chooses it
      return;
    }
    for (let i = start; i < end; i++) {
      const byte = slots.bytes[i]!;
      appendByte(sink, byte >= 0x61 && byte <= 0x7a ? byte - 0x20 : byte);
    }
  }

  function appendHttp(slots: AttributeSlots, head: SpanHead, url: UrlRanges, service: number): void {
    appendMethod(slots);
    const { bytes, starts, ends } = slots;
    const route = hasText(slots, Attribute.httpRoute)
      ? Attribute.httpRoute
      : hasText(slots, Attribute.urlTemplate)
        ? Attribute.urlTemplate
        : -1;
    if (route >= 0) {
      appendByte(sink, 0x20);
      appendSlot(slots, route as Attribute);
      if (url.pathEnd > url.pathStart) {
        matchRoute(bytes, starts[route]!, ends[route]!, bytes, url.pathStart, url.pathEnd, parts);
      }
    } else if (url.pathEnd > url.pathStart) {
      appendByte(sink, 0x20);
      operations.byPath = true;
      if (templates.key !== '') enterTemplates(service);
      else walk.node = -1;
      appendPathTemplate(sink, bytes, url.pathStart, url.pathEnd, templates, walk, parts);
    } else {
      // Frameworks that name spans `GET /users/:id` but set no route.
      let slash = head.nameStart;
      while (slash < head.nameEnd && bytes[slash] !== 0x2f) slash++;
      if (slash === head.nameEnd) return;
      appendByte(sink, 0x20);
      appendNameTemplate(sink, bytes, slash, head.nameEnd);
    }
  }

  function enterTemplates(service: number): void {
    if (service !== serviceOfBytes) {
      serviceBytes = encoder.encode(symbols.text(service));
      serviceOfBytes = service;
    }
    templates.enter(walk, serviceBytes, 0, serviceBytes.length);
  }

  function knownUnder({ key }: PathTemplates): Known {
    let found = sets.get(key);
    if (found === undefined) {
      found = {
        table: createByteTable({ maxEntries: 1_000_000, maxBytes: 128_000_000 }),
        symbolOf: new Int32Array(1024),
        countOf: new Int32Array(256),
      };
      if (sets.size >= MAX_SETS) sets.delete(sets.keys().next().value!);
    } else sets.delete(key);
    sets.set(key, found); // the one used last goes last
    return found;
  }

  /** Symbol of the text after the service's four bytes in the sink, within the service's cap. */
  function intern(service: number): number {
    const at = known.table.find(sink.bytes, 0, sink.length);
    if (at >= 0) return known.symbolOf[at]!;
    if (service >= known.countOf.length) {
      const longer = new Int32Array(Math.max(known.countOf.length * 2, service + 1));
      longer.set(known.countOf);
      known.countOf = longer;
    }
    if (known.countOf[service]! >= maxOperationsPerService) {
      operations.overflowed++;
      return OVERFLOW;
    }
    const symbol = symbols.internBytes(sink.bytes, 4, sink.length);
    const id = known.table.add(sink.bytes, 0, sink.length);
    if (id < 0) return symbol;
    if (id >= known.symbolOf.length) {
      const longer = new Int32Array(known.symbolOf.length * 2);
      longer.set(known.symbolOf);
      known.symbolOf = longer;
    }
    known.symbolOf[id] = symbol;
    known.countOf[service]!++;
    return symbol;
  }

  const operations: Operations = {
    peer: 0,
    parts,
    byPath: false,
    overflowed: 0,
    use(given) {
      if (given === templates) return;
      templates = given;
      known = knownUnder(given);
    },
    of(slots, head, url, kind, service) {
      parts.count = 0;
      operations.peer = 0;
      operations.byPath = false;
      sink.bytes[0] = service & 0xff;
      sink.bytes[1] = (service >> 8) & 0xff;
      sink.bytes[2] = (service >> 16) & 0xff;
      sink.bytes[3] = service >>> 24;
      sink.length = 4;
      if (hasText(slots, Attribute.messagingSystem) || hasText(slots, Attribute.messagingDestination)) {
        operations.peer = peerOf(slots, Attribute.messagingSystem);
        appendMessaging(slots, kind);
      } else if (hasText(slots, Attribute.dbSystem) || hasText(slots, Attribute.dbText)) {
        operations.peer = peerOf(slots, Attribute.dbSystem);
        appendDatabase(slots);
      } else if (hasText(slots, Attribute.rpcSystem) || hasText(slots, Attribute.rpcMethod)) appendRpc(slots);
      else if (isHttp(slots)) appendHttp(slots, head, url, service);
      else if (hasText(slots, Attribute.graphqlType)) {
        if (hasText(slots, Attribute.graphqlName))
          appendSlots(slots, Attribute.graphqlType, 0x20, Attribute.graphqlName);
        else appendSlot(slots, Attribute.graphqlType);
      }
      if (sink.length === 4) appendNameTemplate(sink, head.bytes, head.nameStart, head.nameEnd);
      if (sink.length === 4) appendAll(sink, UNNAMED);
      return intern(service);
    },
  };

  function peerOf(slots: AttributeSlots, slot: Attribute): number {
    if (!hasText(slots, slot)) return 0;
    const start = slots.starts[slot]!;
    return symbols.internBytes(slots.bytes, start, Math.min(slots.ends[slot]!, start + 64));
  }

  return operations;
}
