/**
 * Where an alert may be posted. Targets of the configuration file may be private, since receivers usually are; link-local
 * and cloud metadata addresses never. Checked on the resolved address when connecting, so that DNS cannot lie in between.
 */
import { type LookupAddress, lookup } from 'node:dns';
import type { LookupFunction } from 'node:net';
import ipaddr from 'ipaddr.js';
import { SpanwardenError } from '../../runtime/errors.ts';

const METADATA = new Set(['fd00:ec2::254', '100.100.100.200', '168.63.129.16']);

/** Why the address may not be contacted, or null. */
export function forbidden(address: string): string | null {
  if (!ipaddr.isValid(address)) return 'is not an address';
  const parsed = ipaddr.process(address); // unmaps ::ffff:
  const text = parsed.toString();
  if (METADATA.has(text)) return 'is a cloud metadata address';
  const range = parsed.range();
  if (range === 'linkLocal') return 'is link-local';
  if (range === 'unspecified' || range === 'multicast' || range === 'broadcast') return `is ${range}`;
  return null;
}

/** A resolver for node:http that refuses forbidden addresses; a literal address in the URL is checked by `checkTarget`. */
export const guardedLookup: LookupFunction = (hostname, options, callback) => {
  lookup(hostname, { ...options, all: true }, (error, addresses: LookupAddress[]) => {
    if (error !== null) return callback(error, '', 0);
    const bad = addresses.find(({ address }) => forbidden(address) !== null);
    if (bad !== undefined) {
      const why = `target ${hostname} resolves to ${bad.address}, which ${forbidden(bad.address)}`;
      return callback(new SpanwardenError('TARGET_FORBIDDEN', why), '', 0);
    }
    if (options.all === true) return (callback as unknown as (e: null, a: LookupAddress[]) => void)(null, addresses);
    const first = addresses[0]!;
    return callback(null, first.address, first.family);
  });
};

/** Throws TARGET_FORBIDDEN for a URL whose literal host may not be contacted. */
export function checkTarget(url: URL): void {
  const host = url.hostname.replace(/^\[|\]$/g, '');
  const why = ipaddr.isValid(host) ? forbidden(host) : null;
  if (why !== null) throw new SpanwardenError('TARGET_FORBIDDEN', `target ${host} ${why}`);
}
