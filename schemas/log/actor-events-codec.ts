/**
 * Records of `actor-events`: how far a partition of `spans` had been read, then events, with a table of the texts that they share.
 * Binary: a record is a fifth of its JSON, and read in a quarter of the time (docs/adr/035). A checksum stands at the end, so that what
 * was cut or altered is null and no other event.
 *
 * Layout: format (1 byte) · reached (partition, position, step: varints) · texts (count, then length and UTF-8) · events (count, then
 * each) · CRC-32 of all before. Numbers of unknown size are float64, little endian; a text is its index in the table.
 */
import { crc32 } from 'node:zlib';
import type { ActorEvent, EventFinding, LoginAttempt, TouchedObject } from './actor-event.ts';
import { type ClientRecord, FINDING_KINDS, type FindingKind } from './verdict.ts';

/** How far the partition of `spans` had been read: what came up to there is said in this record and those before it. */
export interface Reached {
  readonly partition: number;
  /** Offset of the next record. */
  readonly position: number;
  /** Stream time, in steps of the detector. */
  readonly step: number;
}

export interface ActorEventsRecord {
  readonly reached: Reached;
  readonly events: ActorEvent[];
}

const FORMAT = 1;
const SOURCES = ['none', 'peer', 'forwarded', 'x-forwarded-for', 'header', 'client.address', 'origin'] as const;
const CONFIDENCES = ['none', 'low', 'medium', 'high'] as const;

const Flag = {
  findings: 1,
  asynchronous: 2,
  anomalous: 4,
  login: 8,
  succeeded: 16,
  /** Sample weight is not 1; p is not 1. */
  weight: 32,
  p: 64,
  /** The entry of the client is the one that the id names. */
  ownEntry: 128,
} as const;

/** Bounds: a damaged length must not make us allocate. */
const MAX_EVENTS = 10_000;
const MAX_LIST = 1_024;

// ——— writing ———

let bytes = Buffer.allocUnsafe(65_536);
let at = 0;

function reserve(count: number): void {
  if (at + count <= bytes.length) return;
  const larger = Buffer.allocUnsafe(Math.max(bytes.length * 2, at + count));
  bytes.copy(larger, 0, 0, at);
  bytes = larger;
}

function writeByte(value: number): void {
  reserve(1);
  bytes[at++] = value;
}

/** Of an integer from 0 up to 2^53. */
function writeVarint(value: number): void {
  reserve(9);
  let rest = value;
  while (rest >= 128) {
    bytes[at++] = (rest % 128) + 128;
    rest = Math.floor(rest / 128);
  }
  bytes[at++] = rest;
}

const double = new Float64Array(1);
const doubleBytes = new Uint8Array(double.buffer);

/** What is no number would make the whole record unreadable. */
function writeDouble(value: number): void {
  reserve(8);
  double[0] = Number.isNaN(value) ? 0 : Math.max(-Number.MAX_VALUE, Math.min(Number.MAX_VALUE, value));
  for (let i = 0; i < 8; i++) bytes[at++] = doubleBytes[i]!;
}

function writeText(text: string): void {
  const most = text.length * 3;
  reserve(most + 9);
  const length = Buffer.byteLength(text);
  writeVarint(length);
  at += bytes.write(text, at, length, 'utf8');
}

/** Index 0 is null, 1 is ''. */
const tableOf = (): Map<string, number> => new Map([['', 1]]);

export function encodeActorEvents(reached: Reached, events: readonly ActorEvent[]): Uint8Array {
  const table = tableOf();
  const indexOf = (text: string): number => {
    let index = table.get(text);
    if (index === undefined) {
      index = table.size + 1;
      table.set(text, index);
    }
    return index;
  };
  const ref = (text: string | null | undefined): void =>
    writeVarint(text === null || text === undefined ? 0 : indexOf(text));

  // events first, as they fill the table; then both are put in order
  at = 0;
  writeVarint(events.length);
  for (const event of events) writeEvent(event, ref);
  const body = Buffer.from(bytes.subarray(0, at));
  at = 0;
  writeByte(FORMAT);
  writeVarint(reached.partition);
  writeVarint(reached.position);
  writeVarint(reached.step);
  writeVarint(table.size - 1);
  for (const [text, index] of table) if (index > 1) writeText(text);
  reserve(body.length + 4);
  body.copy(bytes, at);
  at += body.length;
  bytes.writeUInt32LE(crc32(bytes.subarray(0, at)), at);
  return Uint8Array.prototype.slice.call(bytes, 0, at + 4);
}

/** Bytes that an event takes at most: what goes into one record is cut by it. */
export function mostBytes({ id, service, operation, client, login, objects, findings }: ActorEvent): number {
  const { address, reason, hops, entrySpanId, entryTraceId, user, session, peer } = client;
  let characters = id.length + service.length + operation.length + reason.length;
  characters += (address?.length ?? 0) + (user?.length ?? 0) + (session?.length ?? 0) + (peer?.length ?? 0);
  characters += entrySpanId.length + entryTraceId.length + (login?.account.length ?? 0);
  for (const hop of hops) characters += hop.length + LENGTH_BYTES;
  for (const { kind } of objects) characters += kind.length;
  for (const finding of findings)
    characters += finding.explanationKey.length + finding.service.length + finding.operation.length;
  return 3 * characters + EVENT_BYTES + OBJECT_BYTES * objects.length + FINDING_BYTES * findings.length;
}

/** Of numbers, flags and lengths. */
const LENGTH_BYTES = 4;
const EVENT_BYTES = 160;
const OBJECT_BYTES = 24;
const FINDING_BYTES = 40;

function writeEvent(event: ActorEvent, ref: (text: string | null | undefined) => void): void {
  const { client, login, objects, findings } = event;
  const ownEntry = isOwnEntry(event.id, client);
  writeByte(
    (event.part === 'findings' ? Flag.findings : 0) |
      (event.asynchronous ? Flag.asynchronous : 0) |
      (event.anomalous ? Flag.anomalous : 0) |
      (login !== null ? Flag.login : 0) |
      (login?.succeeded ? Flag.succeeded : 0) |
      (event.sampleWeight !== 1 ? Flag.weight : 0) |
      (event.p !== 1 ? Flag.p : 0) |
      (ownEntry ? Flag.ownEntry : 0),
  );
  writeText(event.id);
  writeVarint(event.revision);
  writeDouble(event.atMs);
  writeDouble(event.startMs);
  ref(event.service);
  ref(event.operation);
  writeClient(client, ownEntry, ref);
  writeByte(event.outcome);
  writeVarint(event.httpStatus);
  if (event.sampleWeight !== 1) writeDouble(event.sampleWeight);
  if (event.p !== 1) writeDouble(event.p);
  writeVarint(event.responseBytes + 1);
  if (login !== null) ref(login.account);
  writeVarint(objects.length);
  for (const { kind, hash, number } of objects) {
    ref(kind);
    writeDouble(hash);
    writeVarint(number === null ? 0 : number + 1);
  }
  writeVarint(findings.length);
  for (const finding of findings) {
    writeByte(FINDING_KINDS.indexOf(finding.kind) * 2 + (finding.hard ? 1 : 0));
    ref(finding.explanationKey);
    ref(finding.service);
    ref(finding.operation);
    writeDouble(finding.severity);
    writeDouble(finding.startMs);
  }
}

function writeClient(client: ClientRecord, ownEntry: boolean, ref: (text: string | null | undefined) => void): void {
  ref(client.address);
  writeByte(SOURCES.indexOf(client.source) * 4 + CONFIDENCES.indexOf(client.confidence));
  ref(client.reason);
  const hopCount = Math.min(client.hops.length, MAX_LIST);
  writeVarint(hopCount);
  for (let i = 0; i < hopCount; i++) ref(client.hops[i]);
  if (!ownEntry) {
    ref(client.entrySpanId);
    ref(client.entryTraceId);
  }
  ref(client.user);
  ref(client.session);
  ref(client.peer);
}

/** `YYYYMMDD-<trace id>-<entry span id>`. */
const isOwnEntry = (id: string, { entryTraceId, entrySpanId }: ClientRecord): boolean =>
  id.length === 58 &&
  id.startsWith(entryTraceId, 9) &&
  entryTraceId.length === 32 &&
  id.endsWith(entrySpanId) &&
  entrySpanId.length === 16;

// ——— reading ———

/** A range, and what is wrong with it: nothing is thrown, as damaged bytes are data. */
interface Cursor {
  readonly bytes: Buffer;
  at: number;
  readonly end: number;
  failed: boolean;
}

const fail = (cursor: Cursor): number => {
  cursor.failed = true;
  cursor.at = cursor.end;
  return 0;
};

const readByte = (cursor: Cursor): number => (cursor.at < cursor.end ? cursor.bytes[cursor.at++]! : fail(cursor));

function readVarint(cursor: Cursor): number {
  let value = 0;
  let scale = 1;
  for (let i = 0; i < 8; i++) {
    const byte = readByte(cursor);
    value += (byte & 127) * scale;
    if (byte < 128) return value <= Number.MAX_SAFE_INTEGER + 1 ? value : fail(cursor);
    scale *= 128;
  }
  return fail(cursor);
}

function readDouble(cursor: Cursor): number {
  if (cursor.at + 8 > cursor.end) return fail(cursor);
  for (let i = 0; i < 8; i++) doubleBytes[i] = cursor.bytes[cursor.at++]!;
  const value = double[0]!;
  return Number.isFinite(value) ? value : fail(cursor);
}

function readText(cursor: Cursor): string {
  const length = readVarint(cursor);
  if (cursor.at + length > cursor.end) {
    fail(cursor);
    return '';
  }
  const text = cursor.bytes.toString('utf8', cursor.at, cursor.at + length);
  cursor.at += length;
  return text;
}

function listLength(cursor: Cursor, most: number): number {
  const length = readVarint(cursor);
  return length <= most ? length : fail(cursor);
}

function open(record: Uint8Array): Cursor | null {
  const end = record.length - 4;
  if (end < 1 || record[0] !== FORMAT) return null;
  const buffer = Buffer.from(record.buffer, record.byteOffset, record.length);
  if (crc32(buffer.subarray(0, end)) !== buffer.readUInt32LE(end)) return null;
  return { bytes: buffer, at: 1, end, failed: false };
}

const readReached = (cursor: Cursor): Reached => ({
  partition: readVarint(cursor),
  position: readVarint(cursor),
  step: readVarint(cursor),
});

/** How far its detector had come; null when the record is damaged. */
export function decodeReached(record: Uint8Array): Reached | null {
  const cursor = open(record);
  if (cursor === null) return null;
  const reached = readReached(cursor);
  return cursor.failed ? null : reached;
}

/** Null when the record is damaged or of another format. */
export function decodeActorEventsRecord(record: Uint8Array): ActorEventsRecord | null {
  const cursor = open(record);
  if (cursor === null) return null;
  const reached = readReached(cursor);
  const count = listLength(cursor, cursor.end);
  const texts: string[] = [''];
  for (let i = 0; i < count && !cursor.failed; i++) texts.push(readText(cursor));
  const eventCount = listLength(cursor, MAX_EVENTS);
  const events: ActorEvent[] = [];
  for (let i = 0; i < eventCount && !cursor.failed; i++) events.push(readEvent(cursor, texts));
  return cursor.failed || cursor.at !== cursor.end ? null : { reached, events };
}

export const decodeActorEvents = (record: Uint8Array): ActorEvent[] | null =>
  decodeActorEventsRecord(record)?.events ?? null;

function nullable(cursor: Cursor, texts: readonly string[]): string | null {
  const index = readVarint(cursor);
  if (index === 0) return null;
  const text = texts[index - 1];
  if (text !== undefined) return text;
  fail(cursor);
  return null;
}

function textIn(cursor: Cursor, texts: readonly string[]): string {
  const text = nullable(cursor, texts);
  if (text === null) fail(cursor);
  return text ?? '';
}

const NO_OBJECTS: readonly TouchedObject[] = Object.freeze([]);
const NO_FINDINGS: readonly EventFinding[] = Object.freeze([]);
const NO_HOPS: readonly string[] = Object.freeze([]);

function readEvent(cursor: Cursor, texts: readonly string[]): ActorEvent {
  const flags = readByte(cursor);
  const id = readText(cursor);
  const revision = readVarint(cursor);
  const atMs = readDouble(cursor);
  const startMs = readDouble(cursor);
  const service = textIn(cursor, texts);
  const operation = textIn(cursor, texts);
  const client = readClient(cursor, texts, (flags & Flag.ownEntry) !== 0 ? id : '');
  const outcome = readByte(cursor);
  const httpStatus = readVarint(cursor);
  const sampleWeight = (flags & Flag.weight) !== 0 ? readDouble(cursor) : 1;
  const p = (flags & Flag.p) !== 0 ? readDouble(cursor) : 1;
  const responseBytes = readVarint(cursor) - 1;
  const login: LoginAttempt | null =
    (flags & Flag.login) !== 0 ? { account: textIn(cursor, texts), succeeded: (flags & Flag.succeeded) !== 0 } : null;
  const objects = readObjects(cursor, texts);
  const findings = readFindings(cursor, texts);
  if (id === '' || outcome > 3 || sampleWeight <= 0 || p < 0 || p > 1) fail(cursor);
  return {
    id,
    part: (flags & Flag.findings) !== 0 ? 'findings' : 'request',
    revision,
    atMs,
    startMs,
    service,
    operation,
    asynchronous: (flags & Flag.asynchronous) !== 0,
    client,
    outcome,
    httpStatus,
    sampleWeight,
    responseBytes,
    objects,
    login,
    anomalous: (flags & Flag.anomalous) !== 0,
    p,
    findings,
  };
}

function readClient(cursor: Cursor, texts: readonly string[], id: string): ClientRecord {
  const address = nullable(cursor, texts);
  const marks = readByte(cursor);
  const source = SOURCES[marks >> 2];
  const reason = textIn(cursor, texts);
  const hopCount = listLength(cursor, MAX_LIST);
  let hops = NO_HOPS;
  if (hopCount > 0) {
    const found: string[] = [];
    for (let i = 0; i < hopCount; i++) found.push(textIn(cursor, texts));
    hops = found;
  }
  const entrySpanId = id === '' ? textIn(cursor, texts) : id.slice(42);
  const entryTraceId = id === '' ? textIn(cursor, texts) : id.slice(9, 41);
  const user = nullable(cursor, texts);
  const session = nullable(cursor, texts);
  const peer = nullable(cursor, texts);
  if (source === undefined) fail(cursor);
  return {
    address,
    source: source ?? 'none',
    confidence: CONFIDENCES[marks & 3]!,
    reason,
    hops,
    entrySpanId,
    entryTraceId,
    user,
    session,
    ...(peer !== null && { peer }),
  };
}

function readObjects(cursor: Cursor, texts: readonly string[]): readonly TouchedObject[] {
  const count = listLength(cursor, MAX_LIST);
  if (count === 0) return NO_OBJECTS;
  const objects: TouchedObject[] = [];
  for (let i = 0; i < count; i++) {
    const kind = textIn(cursor, texts);
    const hash = readDouble(cursor);
    const number = readVarint(cursor);
    if (!Number.isSafeInteger(hash) || hash < 0) fail(cursor);
    objects.push({ kind, hash, number: number === 0 ? null : number - 1 });
  }
  return objects;
}

function readFindings(cursor: Cursor, texts: readonly string[]): readonly EventFinding[] {
  const count = listLength(cursor, MAX_LIST);
  if (count === 0) return NO_FINDINGS;
  const findings: EventFinding[] = [];
  for (let i = 0; i < count; i++) {
    const marks = readByte(cursor);
    const kind: FindingKind | undefined = FINDING_KINDS[marks >> 1];
    if (kind === undefined) fail(cursor);
    findings.push({
      kind: kind ?? 'blocked',
      hard: (marks & 1) === 1,
      explanationKey: textIn(cursor, texts),
      service: textIn(cursor, texts),
      operation: textIn(cursor, texts),
      severity: readDouble(cursor),
      startMs: readDouble(cursor),
    });
  }
  return findings;
}
