/**
 * What is kept of texts from outside: plain, short, and of each actor together no more than some bytes, whatever their letters are. A list
 * is one text, its parts between line ends: a string costs as much by itself as what is in most of these.
 */
import type { ClientRecord } from '../../../schemas/log/verdict.ts';
import { withoutSteering } from '../../../traces/steering.ts';

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
/** Of lists, what is left for reasons whatever the others have. */
const REASON_BYTES = 344;
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

/** Whether lists may have so many bytes, with this key, and with one client to name or none; those of names, or all with the reasons. */
export const fits = (names: number, reasons: number, key: string, isOne: boolean): boolean => {
  const most = TEXT_BYTES - textBytes(key) - SERVICE_BYTES - OPERATION_BYTES - (isOne ? CLIENT_BYTES : 0);
  return names + Math.max(reasons, REASON_BYTES) <= most;
};

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
const orAbsent = (text: string | null | undefined, longest = LONGEST): string =>
  text == null ? ABSENT : plain(text, longest);

/** Characters of an address, and of a user where there is no room for more. */
const ADDRESS = 48;
const SHORT_NAME = 32;

/** A client as one text, without the ids of its entry span; who it is before how it came, where not all has room. */
export function packedClient(client: ClientRecord, user: string | null): string {
  const { source, confidence, reason, session, hops, peer } = client;
  const address = orAbsent(client.address, ADDRESS);
  const known = [
    address,
    orAbsent(user),
    source,
    confidence,
    orAbsent(session),
    orAbsent(peer),
    plain(reason, LONGEST),
  ];
  const text = [...known, ...hops.slice(0, 2).map((hop) => plain(hop, LONGEST))].join('\n');
  if (textBytes(text) <= CLIENT_BYTES) return text;
  return [address, orAbsent(user, SHORT_NAME), source, confidence, ABSENT, ABSENT, ''].join('\n');
}

export function unpackedClient(text: string, entrySpanId: string, entryTraceId: string): ClientRecord {
  const [address, user, source, confidence, session, peer, reason, ...hops] = text.split('\n');
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
