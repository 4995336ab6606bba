/**
 * PROXY protocol version 2 (haproxy.org, doc/proxy-protocol.txt, section 2.2): the header that tells a proxy, once at the
 * start of a connection, whose connection it is.
 */
import { isIP, isIPv4 } from 'node:net';
import ipaddr from 'ipaddr.js';

const SIGNATURE = Buffer.from([0x0d, 0x0a, 0x0d, 0x0a, 0x00, 0x0d, 0x0a, 0x51, 0x55, 0x49, 0x54, 0x0a]);
const VERSION_2_PROXY = 0x21;
const TCP_OVER_IPV4 = 0x11;
const TCP_OVER_IPV6 = 0x21;
const FIXED_BYTES = 16;

/** Header for a connection of `source`; the destination is the same family's loopback. */
export function writeProxyHeader(source: string, sourcePort: number, destinationPort: number): Buffer {
  if (isIP(source) === 0) throw new TypeError(`not an address: ${source}`);
  const v4 = isIPv4(source);
  const destination = v4 ? '127.0.0.1' : '::1';
  const addresses = [source, destination].map((address) => Buffer.from(ipaddr.parse(address).toByteArray()));
  const ports = Buffer.alloc(4);
  ports.writeUInt16BE(sourcePort, 0);
  ports.writeUInt16BE(destinationPort, 2);
  const head = Buffer.alloc(4);
  head[0] = VERSION_2_PROXY;
  head[1] = v4 ? TCP_OVER_IPV4 : TCP_OVER_IPV6;
  head.writeUInt16BE(v4 ? 12 : 36, 2);
  return Buffer.concat([SIGNATURE, head, ...addresses, ports]);
}

export type ProxyHeader =
  | { readonly state: 'incomplete' }
  | { readonly state: 'malformed' }
  | { readonly state: 'complete'; readonly address: string; readonly length: number };

/** Reads a header off the start of a connection's bytes. */
export function readProxyHeader(bytes: Buffer): ProxyHeader {
  const known = Math.min(bytes.length, SIGNATURE.length);
  if (!bytes.subarray(0, known).equals(SIGNATURE.subarray(0, known))) return { state: 'malformed' };
  if (bytes.length < FIXED_BYTES) return { state: 'incomplete' };
  const length = FIXED_BYTES + bytes.readUInt16BE(14);
  if (bytes.length < length) return { state: 'incomplete' };
  const family = bytes[13];
  const size = family === TCP_OVER_IPV4 ? 4 : family === TCP_OVER_IPV6 ? 16 : 0;
  if (bytes[12] !== VERSION_2_PROXY || size === 0 || length < FIXED_BYTES + 2 * size + 4) return { state: 'malformed' };
  const address = ipaddr.fromByteArray([...bytes.subarray(FIXED_BYTES, FIXED_BYTES + size)]).toString();
  return { state: 'complete', address, length };
}
