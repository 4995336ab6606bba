/**
 * Never blame what our own configuration made up: a client that a misconfiguration notice covers stands for many. It is shown with
 * that reason; nothing is held against it, nothing merged by it.
 */
import ipaddr from 'ipaddr.js';
import type { ActorRecord } from '../../schemas/log/actor-record.ts';
import type { ClientRecord, Verdict } from '../../schemas/log/verdict.ts';
import { type NobodysRange, rangeOf } from '../actors/learned/addresses.ts';

/** Reason of a client that is none. */
export const MISCONFIGURED = 'misconfigured';

/** Whether something may be held against it. */
export const canBeBlamed = ({ address, reason }: ClientRecord): boolean => address !== null && reason !== MISCONFIGURED;

export interface Notices {
  take(record: ActorRecord): void;
  covers(address: string | null, nowMs: number): boolean;
  /** As it may be shown. */
  shown(client: ClientRecord, nowMs: number): ClientRecord;
  /** With its client as it may be shown. */
  verdict(verdict: Verdict, nowMs: number): Verdict;
  snapshot(): NoticesSnapshot;
}

/** Address, network or a range's name, and until when. */
export type NoticesSnapshot = readonly (readonly [key: string, untilMs: number])[];

/** A notice stands a day beyond its last evidence. */
const KEPT_MS = 86_400_000;
const MAX_NOTICES = 256;

const RANGES = ['private', 'CDN'] as const satisfies readonly NobodysRange[];

/** Of a notice about ranges, which: it says so in words. */
export const rangesOf = ({ subject, seen }: ActorRecord): readonly string[] =>
  subject.kind === 'everyone' && subject.key === 'ranges'
    ? RANGES.filter((range) => seen.includes(` ${range} addresses`))
    : [];

/** Whom a record of misattribution covers. Of one about an actor only its own address: others that took part are their own. */
function coveredBy(record: ActorRecord): readonly string[] {
  const { subject, client, clients, abuse } = record;
  const named = subject.kind === 'client' || subject.kind === 'network' ? subject.key : '';
  const listed = abuse === 'attribution' && subject.kind === 'everyone' ? clients : [];
  return [...new Set([named, client.address ?? '', ...listed, ...rangesOf(record)])].filter((key) => key !== '');
}

export function createNotices(snapshot: NoticesSnapshot = []): Notices {
  const notices = new Map<string, number>(snapshot);
  const ranges = (): string[] => [...notices.keys()].filter((key) => key.includes('/'));
  let networks = ranges();

  function covers(address: string | null, nowMs: number): boolean {
    if (address === null || notices.size === 0) return false;
    if ((notices.get(address) ?? 0) > nowMs) return true;
    if (RANGES.some((range) => (notices.get(range) ?? 0) > nowMs && rangeOf(address) === range)) return true;
    return networks.some((network) => notices.get(network)! > nowMs && isWithin(address, network));
  }

  const shown = (client: ClientRecord, nowMs: number): ClientRecord =>
    client.reason !== MISCONFIGURED && covers(client.address, nowMs)
      ? { ...client, confidence: 'low', reason: MISCONFIGURED }
      : client;

  return {
    take(record) {
      const untilMs = record.atMs + KEPT_MS;
      for (const key of coveredBy(record)) {
        if ((notices.get(key) ?? 0) >= untilMs) continue; // said again
        notices.delete(key);
        notices.set(key, untilMs);
      }
      while (notices.size > MAX_NOTICES) notices.delete(notices.keys().next().value!);
      networks = ranges();
    },
    covers,
    shown,
    verdict(verdict, nowMs) {
      const client = shown(verdict.client, nowMs);
      return client === verdict.client ? verdict : { ...verdict, client };
    },
    snapshot: () => [...notices],
  };
}

function isWithin(address: string, network: string): boolean {
  try {
    const one = ipaddr.parse(address);
    const [range, bits] = ipaddr.parseCIDR(network);
    return one.kind() === range.kind() && one.match(range, bits);
  } catch {
    return false; // a key that is no network
  }
}
