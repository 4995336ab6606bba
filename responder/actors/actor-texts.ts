/**
 * What is kept of texts from outside: plain, short, and of each actor together no more than some bytes, whatever their letters are. A list
 * is one text, its parts between line ends: a string costs as much by itself as what is in most of these.
 */
import type { ClientRecord } from '../../schemas/log/verdict.ts';
import { withoutSteering } from '../../traces/steering.ts';

/** Longest text kept of a name. */
const LONGEST = 64;
/** Characters kept of all names in a list, and of all clients. */
const NAME_CHARACTERS = 160;
const CLIENT_CHARACTERS = 320;
const MOST_NAMES = 16;
const MOST_CLIENTS = 64;
const REASON = 72;

/** Bytes of the texts of an actor, as V8 keeps them: lists get what key, service, operation and client leave at their largest. */
const TEXT_BYTES = 1_344;
const SERVICE_BYTES = 80;
const OPERATION_BYTES = 144;
const CLIENT_BYTES = 272;
const HEADER = 16;

// biome-ignore lint/suspicious/noControlCharactersInRegex: all of one byte
const ONE_BYTE = /^[\u0000-\u00ff]*$/;

/** A copy: a part of a long text would keep all of it in memory. */
const flat = (text: string): string => Buffer.from(text).toString();

const plain = (text: string, longest: number): string => withoutSteering(text.slice(0, longest));

/** Of a text from outside: without characters that steer what shows it, and no more than some of it. */
export const plainText = (text: string, longest = LONGEST): string => flat(plain(text, longest));

/** Bytes of a string: one a character, or two as soon as one of them needs it. */
export function textBytes(text: string): number {
  if (text === '') return 0;
  return HEADER + ((text.length * (ONE_BYTE.test(text) ? 1 : 2) + 7) & ~7);
}

/** What is left of a text in so many bytes. */
function within(text: string, bytes: number): string {
  if (textBytes(text) <= bytes) return text;
  return flat(text.slice(0, (bytes - HEADER) >> (ONE_BYTE.test(text) ? 0 : 1)));
}

export const serviceText = (service: string): string => within(plainText(service), SERVICE_BYTES);
export const operationText = (operation: string): string => within(plainText(operation, 2 * LONGEST), OPERATION_BYTES);
export const reasonText = (reason: string): string => plainText(reason, REASON);

/** Bytes that the lists of an actor may have, with this key, and with one client to name or none. */
export const listBytesOf = (key: string, isOne: boolean): number =>
  TEXT_BYTES - textBytes(key) - SERVICE_BYTES - OPERATION_BYTES - (isOne ? CLIENT_BYTES : 0);

export const partsOf = (list: string): string[] => (list === '' ? [] : list.split('\n'));
export const listOf = (parts: readonly string[]): string => (parts.length === 0 ? '' : flat(parts.join('\n')));

/** The list with one more, or null where there is no place for it or it is there. */
function extended(list: string, part: string, most: number, characters: number): string | null {
  const parts = partsOf(list);
  if (parts.length >= most || parts.includes(part)) return null;
  if (list.length - Math.max(0, parts.length - 1) + part.length > characters) return null;
  parts.push(part);
  return listOf(parts);
}

export const withName = (list: string, name: string): string | null =>
  name === '' ? null : extended(list, plain(name, LONGEST), MOST_NAMES, NAME_CHARACTERS);

export const withClient = (list: string, address: string): string | null =>
  extended(list, plain(address, LONGEST), MOST_CLIENTS, CLIENT_CHARACTERS);

const ABSENT = '\u0001';
const orAbsent = (text: string | null | undefined): string => (text == null ? ABSENT : plain(text, LONGEST));

/** A client as one text, without the ids of its entry span. */
export function packedClient(client: ClientRecord, user: string | null): string {
  const { address, source, confidence, reason, session, hops } = client;
  const named = [orAbsent(address), source, confidence, plain(reason, LONGEST), orAbsent(user), orAbsent(session)];
  const text = [...named, orAbsent(client.peer), ...hops.slice(0, 2).map((hop) => plain(hop, LONGEST))].join('\n');
  if (textBytes(text) <= CLIENT_BYTES) return text;
  // who it is before how it came
  named[4] = user === null ? ABSENT : plain(user, LONGEST / 2);
  named[5] = ABSENT;
  return within([...named, ABSENT].join('\n'), CLIENT_BYTES);
}

export function unpackedClient(text: string, entrySpanId: string, entryTraceId: string): ClientRecord {
  const [address, source, confidence, reason, user, session, peer, ...hops] = partsOf(text);
  const present = (part: string | undefined): string | null => (part === undefined || part === ABSENT ? null : part);
  const shown = present(peer);
  return {
    address: present(address),
    source: source as ClientRecord['source'],
    confidence: confidence as ClientRecord['confidence'],
    reason: reason ?? '',
    hops,
    entrySpanId,
    entryTraceId,
    user: present(user),
    session: present(session),
    ...(shown !== null && { peer: shown }),
  };
}
