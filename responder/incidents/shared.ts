/**
 * Addresses that more than a few people are behind (a company's or a carrier's NAT), as facts of actors say: what two of them do is not
 * one story for the address's sake. Bounded.
 */
import type { ActorRecord } from '../../schemas/log/actor-record.ts';

export interface SharedAddresses {
  /** Facts of the address that the record names. */
  take(record: ActorRecord): void;
  has(address: string): boolean;
  snapshot(): SharedSnapshot;
}

export type SharedSnapshot = readonly (readonly [address: string, atMs: number])[];

/** A household has so many: as response.maxUsersPerAddress is by default. */
const FEW_USERS = 5;
const MAX_ADDRESSES = 2_000;

export function createSharedAddresses(snapshot: SharedSnapshot = []): SharedAddresses {
  const shared = new Map<string, number>(snapshot);
  return {
    take({ subject, client: { address }, facts, atMs }) {
      if (address === null || !(subject.kind === 'client' || subject.kind === 'user')) return;
      if ((shared.get(address) ?? Number.NEGATIVE_INFINITY) > atMs) return;
      shared.delete(address);
      if (facts.users > FEW_USERS) shared.set(address, atMs);
      if (shared.size > MAX_ADDRESSES) shared.delete(shared.keys().next().value!);
    },
    has: (address) => shared.has(address),
    snapshot: () => [...shared],
  };
}
