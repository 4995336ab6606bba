/**
 * Who the client is, case by case: attributes as instrumentations write them, through the reader. Each case names where it
 * comes from: a section of RFC 7239, another specification, an instrumentation, or a published spoofing bug of its kind.
 */
import { describe, expect, it } from 'vitest';
import { type AttributionConfig, attributionSection } from '../../../schemas/config/attribution.ts';
import { readingSection } from '../../../schemas/config/reading.ts';
import type { ClientRecord } from '../../../schemas/log/verdict.ts';
import { createReadingKit } from '../../../traces/kit.ts';
import { type PlainValue, segmentSpansOf, type WireSpan } from './otlp.ts';

type Given = Partial<Record<keyof AttributionConfig, unknown>>;
type Attributes = Readonly<Record<string, PlainValue>>;

/** `address source confidence reason`, then what it came through and the peer. */
type Expected = readonly [
  who: string | null,
  source: ClientRecord['source'],
  confidence: ClientRecord['confidence'],
  reason: string,
  hops?: readonly string[],
  peer?: string,
];

interface Case {
  readonly name: string;
  readonly from: string;
  readonly config?: Given;
  readonly kind?: NonNullable<WireSpan['kind']>;
  readonly attributes: Attributes;
  readonly is: Expected;
}

const XFF = 'http.request.header.x-forwarded-for';
const FORWARDED = 'http.request.header.forwarded';
const PEER = 'network.peer.address';

/** One balancer at 10.0.0.1 in front, and proxies in 2001:db8:cafe::/48. */
const BEHIND: Given = { trustedProxies: ['10.0.0.0/8', '2001:db8:cafe::/48'] };
const LB = '10.0.0.1';
const VIA = [LB];

const read = (config: Given, attributes: Attributes, kind: NonNullable<WireSpan['kind']> = 'server'): ClientRecord => {
  const kit = createReadingKit({ reading: readingSection.parse({}), attribution: attributionSection.parse(config) });
  const span: WireSpan = { spanId: '1'.repeat(16), kind, service: 'gateway', attributes };
  expect(kit.reader.read(segmentSpansOf([span]), kit.segment)).toBe(true);
  return kit.segment.client;
};

/** X-Forwarded-For behind the balancer. */
const xff = (name: string, from: string, value: PlainValue, is: Expected, config: Given = BEHIND): Case => ({
  name,
  from,
  config,
  attributes: { [PEER]: LB, [XFF]: value },
  is,
});
const forwarded = (name: string, from: string, value: PlainValue, is: Expected): Case => ({
  name,
  from,
  config: { ...BEHIND, forwarding: 'forwarded' },
  attributes: { [PEER]: LB, [FORWARDED]: value },
  is,
});
/** What stands where the balancer should have written an address, and is none. */
const stops = (name: string, from: string, element: string, reason = 'malformed'): Case =>
  xff(name, from, `203.0.113.9, ${element}`, [LB, 'x-forwarded-for', 'low', reason, [], LB]);
/** What stands there, and is the address given. */
const reads = (name: string, from: string, element: string, address: string): Case =>
  xff(name, from, `6.6.6.6, ${element}`, [address, 'x-forwarded-for', 'high', '', VIA, LB]);

const PEERS: readonly Case[] = [
  {
    name: 'the peer, where no proxy is configured',
    from: 'OTel semantic conventions, network.peer.address',
    attributes: { [PEER]: '198.51.100.9' },
    is: ['198.51.100.9', 'peer', 'high', '', [], '198.51.100.9'],
  },
  {
    name: 'the peer, whatever an untrusted peer writes',
    from: 'oauth2-proxy GHSA-7x63-xv5r-3p2x: headers of an untrusted peer believed',
    config: BEHIND,
    attributes: { [PEER]: '198.51.100.9', [XFF]: '1.1.1.1', [FORWARDED]: 'for=2.2.2.2', 'client.address': '1.1.1.1' },
    is: ['198.51.100.9', 'peer', 'high', '', [], '198.51.100.9'],
  },
  {
    name: 'a private peer is no client: a proxy that nobody configured',
    from: 'the balancer itself blamed and banned',
    attributes: { [PEER]: '192.168.3.4', [XFF]: '1.1.1.1' },
    is: ['192.168.3.4', 'peer', 'low', 'private-peer', [], '192.168.3.4'],
  },
  {
    name: 'a carrier-grade NAT peer is private too',
    from: 'RFC 6598',
    attributes: { [PEER]: '100.64.3.4' },
    is: ['100.64.3.4', 'peer', 'low', 'private-peer', [], '100.64.3.4'],
  },
  {
    name: 'an IPv4 peer on an IPv6 socket',
    from: 'RFC 4291 §2.5.5.2; Node and Go listen so',
    config: BEHIND,
    attributes: { [PEER]: '::ffff:10.0.0.1', [XFF]: '1.1.1.1' },
    is: ['1.1.1.1', 'x-forwarded-for', 'high', '', VIA, LB],
  },
  {
    name: 'the same in hexadecimal',
    from: 'RFC 5952 §5; ranges compared as text let it through',
    config: BEHIND,
    attributes: { [PEER]: '::ffff:a00:1', [XFF]: '1.1.1.1' },
    is: ['1.1.1.1', 'x-forwarded-for', 'high', '', VIA, LB],
  },
  {
    name: 'a link-local peer with its zone',
    from: 'RFC 4007 §11',
    config: { trustedProxies: ['fe80::/10'] },
    attributes: { [PEER]: 'fe80::1%eth0', [XFF]: '1.1.1.1' },
    is: ['1.1.1.1', 'x-forwarded-for', 'high', '', ['fe80::1'], 'fe80::1'],
  },
  {
    name: 'a peer with its port',
    from: 'instrumentations that write the remote address whole',
    attributes: { [PEER]: '198.51.100.9:51234' },
    is: ['198.51.100.9', 'peer', 'high', '', [], '198.51.100.9'],
  },
  {
    name: 'a bracketed peer with its port',
    from: 'grpc-js call.getPeer()',
    attributes: { [PEER]: '[2600::9]:51234' },
    is: ['2600::9', 'peer', 'high', '', [], '2600::9'],
  },
  {
    name: "gRPC's own way to write a peer",
    from: 'gRPC naming: ipv4:address:port',
    attributes: { 'net.peer.ip': 'ipv4:198.51.100.9:51234' },
    is: ['198.51.100.9', 'peer', 'high', '', [], '198.51.100.9'],
  },
  {
    name: 'the same for IPv6, percent-encoded',
    from: 'gRPC C core: ipv6:%5B…%5D:port',
    attributes: { 'net.peer.ip': 'ipv6:%5B2600::9%5D:51234' },
    is: ['2600::9', 'peer', 'high', '', [], '2600::9'],
  },
  {
    name: "Java's way to write a socket address",
    from: 'java.net.InetSocketAddress.toString()',
    attributes: { [PEER]: '/198.51.100.9:51234' },
    is: ['198.51.100.9', 'peer', 'high', '', [], '198.51.100.9'],
  },
  {
    name: 'a Unix socket nobody configured: nobody',
    from: 'OTel semantic conventions: network.peer.address may be a socket path',
    config: { trustedProxies: ['10.0.0.0/8'] },
    attributes: { [PEER]: '/run/app.sock' },
    is: [null, 'none', 'none', 'unix-peer', [], 'unix:'],
  },
  {
    name: 'a Unix socket of a proxy on the same host',
    from: 'nginx set_real_ip_from unix:',
    config: { trustedProxies: ['unix:'] },
    attributes: { [PEER]: 'unix:/run/app.sock', [XFF]: '6.6.6.6, 1.1.1.1' },
    is: ['1.1.1.1', 'x-forwarded-for', 'high', '', [], 'unix:'],
  },
  {
    name: 'an abstract Unix socket, and no address behind it',
    from: 'unix(7); nginx appends "unix:" for a client on a socket',
    config: { trustedProxies: ['unix:'] },
    attributes: { [PEER]: '@app', [XFF]: '6.6.6.6, unix:' },
    is: [null, 'none', 'none', 'malformed', [], 'unix:'],
  },
  {
    name: 'a peer that is a name says nothing',
    from: 'a short form of 127.0.0.1 is what C libraries make of it, not us',
    attributes: { [PEER]: 'localhost' },
    is: [null, 'none', 'none', 'no-peer'],
  },
  ...['1', '127.1', '0177.0.0.1', '0x7f000001', '2130706433'].map(
    (text): Case => ({
      name: `a peer "${text}" is none`,
      from: 'inet_aton(3), and ipaddr.js: short, octal and hexadecimal forms',
      attributes: { [PEER]: text },
      is: [null, 'none', 'none', 'no-peer'],
    }),
  ),
  {
    name: 'of several names of the peer, the newest',
    from: 'OTel semantic conventions 1.20–1.26 renamed it three times',
    attributes: {
      'net.peer.ip': '9.9.9.1',
      'net.sock.peer.addr': '9.9.9.2',
      'client.socket.address': '9.9.9.3',
      [PEER]: '9.9.9.4',
    },
    is: ['9.9.9.4', 'peer', 'high', '', [], '9.9.9.4'],
  },
  ...(['net.peer.ip', 'net.sock.peer.addr', 'client.socket.address', 'peer.address'] as const).map(
    (key): Case => ({
      name: `the peer as ${key}`,
      from:
        key === 'peer.address'
          ? 'Envoy, HttpTracerUtility::finalizeDownstreamSpan'
          : 'OTel semantic conventions before 1.22',
      attributes: { [key]: '198.51.100.9' },
      is: ['198.51.100.9', 'peer', 'high', '', [], '198.51.100.9'],
    }),
  ),
  {
    name: 'the peer of an outgoing call is the callee, not the client',
    from: 'OTel semantic conventions, network.peer.address of CLIENT spans',
    kind: 'client',
    attributes: { [PEER]: '198.51.100.9' },
    is: [null, 'none', 'none', 'no-peer'],
  },
];

const WALKS: readonly Case[] = [
  xff('the only element', 'MDN X-Forwarded-For', '1.1.1.1', ['1.1.1.1', 'x-forwarded-for', 'high', '', VIA, LB]),
  xff(
    'the rightmost, not what the client wrote left of it',
    'leftmost trust: srvx PR 229, home-assistant #14345, gorouter #179',
    '6.6.6.6, 1.1.1.1',
    ['1.1.1.1', 'x-forwarded-for', 'high', '', VIA, LB],
  ),
  xff('over two hops of ours', 'MDN X-Forwarded-For: trusted proxy list', '6.6.6.6, 1.1.1.1, 10.9.9.9', [
    '1.1.1.1',
    'x-forwarded-for',
    'high',
    '',
    [LB, '10.9.9.9'],
    LB,
  ]),
  xff(
    'a trusted address left of an untrusted one is forged',
    'Express trust proxy: stop at the first untrusted',
    '10.1.1.1, 1.1.1.1',
    ['1.1.1.1', 'x-forwarded-for', 'high', '', VIA, LB],
  ),
  xff(
    'a header sent twice is one list, in order',
    'RFC 9110 §5.3; first-header trust: aether #1837, Go http.Header.Get',
    ['6.6.6.6', '1.1.1.1, 10.9.9.9'],
    ['1.1.1.1', 'x-forwarded-for', 'high', '', [LB, '10.9.9.9'], LB],
  ),
  xff(
    'the proxy appended a header line of its own',
    'HAProxy option forwardfor',
    ['6.6.6.6', '1.1.1.1'],
    ['1.1.1.1', 'x-forwarded-for', 'high', '', VIA, LB],
  ),
  xff('blanks and tabs around elements', 'RFC 9110 §5.6.1: OWS', '6.6.6.6 ,\t 1.1.1.1 \t', [
    '1.1.1.1',
    'x-forwarded-for',
    'high',
    '',
    VIA,
    LB,
  ]),
  xff('malformed left of the client is not looked at', 'walk from the right', '<script>, ", \\, 1.1.1.1', [
    '1.1.1.1',
    'x-forwarded-for',
    'high',
    '',
    VIA,
    LB,
  ]),
  xff(
    'malformed past a trusted hop names that hop, not who stands left',
    'walk from the right',
    '1.1.1.1, 127.1, 10.3.3.3',
    ['10.3.3.3', 'x-forwarded-for', 'low', 'malformed', VIA, LB],
  ),
  xff('only our own hops: it began inside', 'srvx PR 229: every hop trusted', '10.2.2.2', [
    '10.2.2.2',
    'x-forwarded-for',
    'medium',
    'only-trusted-hops',
    VIA,
    LB,
  ]),
  xff('a client in a private network', 'RFC 1918', '192.168.7.7', [
    '192.168.7.7',
    'x-forwarded-for',
    'medium',
    'private-address',
    VIA,
    LB,
  ]),
  xff('a client on loopback', 'X-Forwarded-For: 127.0.0.1 to pass allow-lists', '127.0.0.1', [
    '127.0.0.1',
    'x-forwarded-for',
    'medium',
    'private-address',
    VIA,
    LB,
  ]),
  xff('IPv4-compatible IPv6 reaches what its IPv4 does', 'RFC 4291 §2.5.5.1: a kernel may tunnel it', '::7f00:1', [
    '::7f00:1',
    'x-forwarded-for',
    'medium',
    'private-address',
    VIA,
    LB,
  ]),
  xff('64 KiB of forged addresses', 'a header longer than any row of proxies', `${'6.6.6.6, '.repeat(7_282)}1.1.1.1`, [
    '1.1.1.1',
    'x-forwarded-for',
    'high',
    '',
    VIA,
    LB,
  ]),
  xff('64 KiB without a comma', 'a header longer than any row of proxies', '6'.repeat(65_536), [
    LB,
    'x-forwarded-for',
    'low',
    'malformed',
    [],
    LB,
  ]),
  xff(
    'ten thousand header lines',
    'a header longer than any row of proxies',
    [...Array.from({ length: 10_000 }, () => '6.6.6.6'), '1.1.1.1'],
    ['1.1.1.1', 'x-forwarded-for', 'high', '', VIA, LB],
  ),
  xff(
    'a piece of an address at the left end of what is looked at is none',
    'cut at 8 KiB',
    `203.${'10.10.10.100,'.repeat(700)}`.slice(0, -1),
    [
      '10.10.10.100',
      'x-forwarded-for',
      'low',
      'malformed',
      [LB, ...Array.from({ length: 63 }, () => '10.10.10.100')],
      LB,
    ],
  ),
  xff(
    'a header that an SDK cut lost the end that can be believed',
    'OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT cuts from the right',
    '6.6.6.6, 6.6.6.6, 6.6.6.6, 6.6.6',
    [LB, 'x-forwarded-for', 'low', 'truncated', [], LB],
    { ...BEHIND, attributeLengthLimit: 32 },
  ),
  xff(
    'one shorter than the limit is whole',
    'OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT',
    '6.6.6.6, 1.1.1.1',
    ['1.1.1.1', 'x-forwarded-for', 'high', '', VIA, LB],
    { ...BEHIND, attributeLengthLimit: 32 },
  ),
  xff('an array written as JSON text', 'exporters without array attributes (Jaeger, Zipkin)', '["6.6.6.6","1.1.1.1"]', [
    '1.1.1.1',
    'x-forwarded-for',
    'high',
    '',
    VIA,
    LB,
  ]),
  xff('a client that writes JSON itself', 'the right end decides', '["6.6.6.6"], 1.1.1.1', [
    '1.1.1.1',
    'x-forwarded-for',
    'high',
    '',
    VIA,
    LB,
  ]),
  xff(
    'by count: one hop',
    'Express trust proxy = 1',
    '6.6.6.6, 1.1.1.1',
    ['1.1.1.1', 'x-forwarded-for', 'high', '', VIA, LB],
    { trustedHops: 1 },
  ),
  xff(
    'by count: two hops, the second of any address',
    'Express trust proxy = 2',
    '6.6.6.6, 1.1.1.1, 203.0.113.2',
    ['1.1.1.1', 'x-forwarded-for', 'high', '', [LB, '203.0.113.2'], LB],
    { trustedHops: 2 },
  ),
  xff(
    'by count, with fewer elements than hops',
    'Express trust proxy = n',
    '203.0.113.2',
    ['203.0.113.2', 'x-forwarded-for', 'medium', 'only-trusted-hops', VIA, LB],
    { trustedHops: 3 },
  ),
  xff(
    'by count and by range',
    'both',
    '1.1.1.1, 10.0.0.3',
    ['1.1.1.1', 'x-forwarded-for', 'high', '', [LB, '10.0.0.3'], LB],
    { trustedHops: 1, ...BEHIND },
  ),
  xff('another trust at this entry service', 'several edges', '1.1.1.1', [LB, 'peer', 'low', 'private-peer', [], LB], {
    ...BEHIND,
    services: { gateway: { trustedProxies: [] } },
  }),
  xff(
    'a mapped range is the IPv4 range',
    'RFC 4291 §2.5.5.2',
    '1.1.1.1',
    ['1.1.1.1', 'x-forwarded-for', 'high', '', VIA, LB],
    {
      trustedProxies: ['::ffff:10.0.0.0/104'],
    },
  ),
  {
    name: 'an IPv6 proxy',
    from: 'RFC 4291',
    config: BEHIND,
    attributes: { [PEER]: '2001:db8:cafe::1', [XFF]: '1.1.1.1' },
    is: ['1.1.1.1', 'x-forwarded-for', 'high', '', ['2001:db8:cafe::1'], '2001:db8:cafe::1'],
  },
];

const ELEMENTS: readonly Case[] = [
  reads('IPv4 with a port', 'Azure Application Gateway appends ip:port', '203.0.113.7:4711', '203.0.113.7'),
  reads('IPv6', 'RFC 5952', '2600::7', '2600::7'),
  reads('IPv6, long and in capitals', 'RFC 5952 §4', '2600:0:0:0:0:0:0:00AB', '2600::ab'),
  reads('IPv6 in brackets', 'RFC 7239 §6', '[2600::7]', '2600::7'),
  reads('IPv6 in brackets with a port', 'RFC 7239 §6.1; AWS ALB client port preservation', '[2600::7]:4711', '2600::7'),
  reads('IPv6 with a zone', 'RFC 4007 §11: the zone is of the proxy, not part of the name', '2600::7%eth0', '2600::7'),
  reads('IPv6 with a zone as in a URI', 'RFC 6874 §2', '[2600::7%25en0]:80', '2600::7'),
  reads('IPv4-mapped IPv6', 'two names of one address evade bans', '::ffff:203.0.113.7', '203.0.113.7'),
  reads(
    'IPv4-compatible IPv6, which is not mapped',
    'RFC 4291 §2.5.5.1: ipaddr.js takes one for the other',
    '::8.8.4.4',
    '::808:404',
  ),
  reads('IPv4-mapped in hexadecimal', 'two names of one address evade bans', '::ffff:cb00:7107', '203.0.113.7'),
  stops('an empty element', 'skipping it would name what the client wrote', ''),
  stops('"1"', 'inet_aton(3)', '1'),
  stops('"127.1"', 'inet_aton(3)', '127.1'),
  stops('"0177.0.0.1"', 'octal: netmask CVE-2021-28918, Python ipaddress CVE-2021-29921', '0177.0.0.1'),
  stops('leading zeros', 'Go net.ParseIP CVE-2021-29923', '192.168.001.001'),
  stops('hexadecimal', 'inet_aton(3)', '0x7f.0.0.1'),
  stops('one large number', 'inet_aton(3)', '3405803783'),
  stops('a part over 255', 'RFC 791', '256.1.1.1'),
  stops('five parts', 'RFC 791', '1.2.3.4.5'),
  stops('a trailing dot', 'names of hosts end so, addresses do not', '203.0.113.7.'),
  stops('a range', 'CIDR notation is no address', '203.0.113.0/24'),
  stops('digits of another script', 'Unicode digits that \\d of other languages matches', '２０３.０.１１３.７'),
  stops('a full stop of another script', 'UTS 46 maps U+3002 to a dot', '203。0。113。7'),
  stops('a NUL byte', 'C strings end there', '203.0.113.7\u0000.example'),
  stops('a line break inside', 'header injection', '203.0.113.7\r\nX-Forwarded-For: 6.6.6.6'),
  stops('a blank that is no blank of HTTP', 'String.trim() strips U+00A0 and U+FEFF', '\u00a0203.0.113.7'),
  stops('blanks inside', 'RFC 9110 §5.6.1', '203.0. 113.7'),
  stops('quotes', 'X-Forwarded-For has none', '"203.0.113.7"'),
  stops('a port that is none', 'RFC 7239 §6', '203.0.113.7:http'),
  stops('an empty port', 'RFC 7239 §6', '203.0.113.7:'),
  stops('brackets around IPv4', 'RFC 7239 §6: IPv6 only', '[203.0.113.7]:80'),
  stops('a bracket left open', 'RFC 7239 §6', '[2600::7'),
  stops('a zone of anything', 'text after % handed on: injection', "2600::7%' OR 1=1"),
  stops('IPv6 in nine groups', 'RFC 4291 §2.2', '2600:0:0:0:0:0:0:7:4711'),
  stops('IPv6 with two gaps', 'RFC 4291 §2.2', '2600::1::7'),
  stops('mapped IPv4 in octal', 'CVE-2021-28918 behind ::ffff:', '::ffff:0177.0.0.1'),
  stops('a name', 'no look-ups', 'client.example.com'),
  stops('a URL', 'what scanners write', 'http://203.0.113.7/'),
  stops('an address of 4 KiB', 'bounded', `2600::7%${'a'.repeat(4_096)}`),
  stops('"unknown"', 'RFC 7239 §6.2; Squid forwarded_for off', 'unknown', 'obfuscated'),
  stops('an obfuscated identifier', 'RFC 7239 §6.3', '_hidden', 'obfuscated'),
];

const RFC7239: readonly Case[] = [
  forwarded('the example of a single element', 'RFC 7239 §4', 'for=192.0.2.60;proto=http;by=203.0.113.43', [
    '192.0.2.60',
    'forwarded',
    'high',
    '',
    VIA,
    LB,
  ]),
  forwarded('two elements: the right one', 'RFC 7239 §7.1', 'for=192.0.2.43, for=198.51.100.17', [
    '198.51.100.17',
    'forwarded',
    'high',
    '',
    VIA,
    LB,
  ]),
  forwarded(
    'two header lines',
    'RFC 7239 §7.1',
    ['for=192.0.2.43', 'for="[2600::17]:4711";by=x'],
    ['2600::17', 'forwarded', 'high', '', VIA, LB],
  ),
  forwarded('names of parameters in any case', 'RFC 7239 §4: case-insensitive', 'For="[2600::17]:4711"', [
    '2600::17',
    'forwarded',
    'high',
    '',
    VIA,
    LB,
  ]),
  forwarded('an obfuscated port', 'RFC 7239 §6: obfport', 'for="192.0.2.43:_gazonk"', [
    '192.0.2.43',
    'forwarded',
    'high',
    '',
    VIA,
    LB,
  ]),
  forwarded('an obfuscated identifier', 'RFC 7239 §4', 'for="_gazonk"', [LB, 'forwarded', 'low', 'obfuscated', [], LB]),
  forwarded('"unknown" with a port', 'RFC 7239 §6.2', 'for="unknown:4711"', [
    LB,
    'forwarded',
    'low',
    'obfuscated',
    [],
    LB,
  ]),
  forwarded('no for in the element', 'RFC 7239 §4: every parameter is optional', 'for=6.6.6.6, proto=https', [
    LB,
    'forwarded',
    'low',
    'malformed',
    [],
    LB,
  ]),
  forwarded('two for in one element', 'RFC 7239 §4: at most once', 'for=6.6.6.6;for=1.1.1.1', [
    LB,
    'forwarded',
    'low',
    'malformed',
    [],
    LB,
  ]),
  forwarded(
    'a for inside quotes of another parameter',
    'quotes: splitting at every comma',
    'for=1.1.1.1;by="x;for=6.6.6.6, for=6.6.6.6"',
    ['1.1.1.1', 'forwarded', 'high', '', VIA, LB],
  ),
  forwarded('an escaped quote inside quotes', 'RFC 9110 §5.6.4', 'for=1.1.1.1;host="a\\", for=6.6.6.6"', [
    '1.1.1.1',
    'forwarded',
    'high',
    '',
    VIA,
    LB,
  ]),
  forwarded(
    'a quote that the client left open does not swallow what the proxy appended',
    'hiding behind an unbalanced quote',
    'for="6.6.6.6, for=1.1.1.1',
    ['1.1.1.1', 'forwarded', 'high', '', VIA, LB],
  ),
  forwarded('escaped characters', 'RFC 9110 §5.6.4: quoted-pair', 'for="1.1.\\1.1"', [
    '1.1.1.1',
    'forwarded',
    'high',
    '',
    VIA,
    LB,
  ]),
  forwarded('an IPv6 node without quotes', 'RFC 7239 §6 wants quotes; proxies forget them', 'for=[2600::17]', [
    '2600::17',
    'forwarded',
    'high',
    '',
    VIA,
    LB,
  ]),
  forwarded(
    'blanks around the equals sign',
    'lenient as Go and Rust readers are, to the same address',
    'proto=https; for = "1.2.3.4" ',
    ['1.2.3.4', 'forwarded', 'high', '', VIA, LB],
  ),
  forwarded('a quoted string left open at the right end', 'RFC 9110 §5.6.4', 'for=6.6.6.6, for="1.1.1.1', [
    LB,
    'forwarded',
    'low',
    'malformed',
    [],
    LB,
  ]),
  forwarded('over a hop of ours', 'RFC 7239 §7.4', 'for=6.6.6.6, for=1.1.1.1, for=10.2.2.2', [
    '1.1.1.1',
    'forwarded',
    'high',
    '',
    [LB, '10.2.2.2'],
    LB,
  ]),
  forwarded(
    'as an array written as JSON text',
    'exporters without array attributes',
    '["for=6.6.6.6","for=\\"[2600::17]:80\\""]',
    ['2600::17', 'forwarded', 'high', '', VIA, LB],
  ),
  forwarded(
    '64 KiB of elements',
    'a header longer than any row of proxies',
    `${'for=6.6.6.6;by="a,b", '.repeat(3_200)}for=1.1.1.1`,
    ['1.1.1.1', 'forwarded', 'high', '', VIA, LB],
  ),
  forwarded('64 KiB of quotes', 'quadratic readers', `${'"'.repeat(65_537)}, for=1.1.1.1`, [
    '1.1.1.1',
    'forwarded',
    'high',
    '',
    VIA,
    LB,
  ]),
];

const SEVERAL: readonly Case[] = [
  {
    name: 'both lists, and they agree',
    from: 'RFC 7239 §7.4',
    config: BEHIND,
    attributes: { [PEER]: LB, [XFF]: '1.1.1.1', [FORWARDED]: 'for=1.1.1.1' },
    is: ['1.1.1.1', 'x-forwarded-for', 'high', '', VIA, LB],
  },
  {
    name: 'both lists, and they do not: one is the client’s',
    from: 'RFC 7239 §7.4',
    config: BEHIND,
    attributes: { [PEER]: LB, [XFF]: '1.1.1.1', [FORWARDED]: 'for=6.6.6.6' },
    is: ['1.1.1.1', 'x-forwarded-for', 'medium', 'headers-disagree', VIA, LB],
  },
  {
    name: 'a forged Forwarded, where X-Forwarded-For is the one',
    from: 'the other header believed',
    config: { ...BEHIND, forwarding: 'x-forwarded-for' },
    attributes: { [PEER]: LB, [XFF]: '1.1.1.1', [FORWARDED]: 'for=6.6.6.6' },
    is: ['1.1.1.1', 'x-forwarded-for', 'high', '', VIA, LB],
  },
  {
    name: 'a forged X-Forwarded-For, where Forwarded is the one',
    from: 'the other header believed',
    config: { ...BEHIND, forwarding: 'forwarded' },
    attributes: { [PEER]: LB, [XFF]: '6.6.6.6', [FORWARDED]: 'for=1.1.1.1' },
    is: ['1.1.1.1', 'forwarded', 'high', '', VIA, LB],
  },
  {
    name: 'the old spelling of the attribute',
    from: 'OTel JS and Python write hyphens as underscores',
    config: BEHIND,
    attributes: { [PEER]: LB, 'http.request.header.x_forwarded_for': ['6.6.6.6, 1.1.1.1'] },
    is: ['1.1.1.1', 'x-forwarded-for', 'high', '', VIA, LB],
  },
  {
    name: 'a header that the client sent with underscores beside the proxy’s',
    from: 'X_Forwarded_For: nginx underscores_in_headers, WSGI HTTP_X_FORWARDED_FOR (Django CVE-2015-0219)',
    config: BEHIND,
    attributes: { [PEER]: LB, [XFF]: ['1.1.1.1'], 'http.request.header.x_forwarded_for': ['6.6.6.6'] },
    is: ['1.1.1.1', 'x-forwarded-for', 'high', '', VIA, LB],
  },
  {
    name: 'the same, in the other order',
    from: 'X_Forwarded_For beside X-Forwarded-For',
    config: BEHIND,
    attributes: { [PEER]: LB, 'http.request.header.x_forwarded_for': ['6.6.6.6'], [XFF]: ['1.1.1.1'] },
    is: ['1.1.1.1', 'x-forwarded-for', 'high', '', VIA, LB],
  },
  {
    name: 'a single-value header that nobody configured',
    from: 'X-Real-IP and its kin: set by anyone',
    config: BEHIND,
    attributes: { [PEER]: LB, 'http.request.header.x-real-ip': '6.6.6.6', [XFF]: '1.1.1.1' },
    is: ['1.1.1.1', 'x-forwarded-for', 'high', '', VIA, LB],
  },
  {
    name: 'a single-value header of its proxy',
    from: 'CF-Connecting-IP',
    config: { ...BEHIND, singleValueHeaders: [{ header: 'CF-Connecting-IP', proxies: ['10.0.0.0/8'] }] },
    attributes: { [PEER]: LB, 'http.request.header.cf-connecting-ip': '1.1.1.1', [XFF]: '2.2.2.2' },
    is: ['1.1.1.1', 'header', 'high', '', VIA, LB],
  },
  {
    name: 'of a CDN in front of the balancer',
    from: 'CF-Connecting-IP behind a load balancer',
    config: {
      trustedProxies: ['10.0.0.0/8', '198.41.128.0/17'],
      singleValueHeaders: [{ header: 'cf-connecting-ip', proxies: ['198.41.128.0/17'] }],
    },
    attributes: { [PEER]: LB, 'http.request.header.cf-connecting-ip': '1.1.1.1', [XFF]: '1.1.1.1, 198.41.200.7' },
    is: ['1.1.1.1', 'header', 'high', '', [LB, '198.41.200.7'], LB],
  },
  {
    name: 'forged by a client that goes around the CDN',
    from: 'CF-Connecting-IP sent straight to the origin',
    config: {
      trustedProxies: ['10.0.0.0/8', '198.41.128.0/17'],
      singleValueHeaders: [{ header: 'cf-connecting-ip', proxies: ['198.41.128.0/17'] }],
    },
    attributes: { [PEER]: LB, 'http.request.header.cf-connecting-ip': '6.6.6.6', [XFF]: '2.2.2.2' },
    is: ['2.2.2.2', 'x-forwarded-for', 'high', '', VIA, LB],
  },
  {
    name: 'sent twice: which of them the proxy wrote cannot be told',
    from: 'True-Client-IP twice',
    config: { ...BEHIND, singleValueHeaders: [{ header: 'true-client-ip', proxies: ['10.0.0.0/8'] }] },
    attributes: { [PEER]: LB, 'http.request.header.true-client-ip': ['6.6.6.6', '1.1.1.1'], [XFF]: '2.2.2.2' },
    is: ['2.2.2.2', 'x-forwarded-for', 'high', '', VIA, LB],
  },
  {
    name: 'from a client without a proxy',
    from: 'CF-Connecting-IP sent straight to the origin',
    config: { ...BEHIND, singleValueHeaders: [{ header: 'cf-connecting-ip', proxies: ['10.0.0.0/8'] }] },
    attributes: { [PEER]: '2.2.2.2', 'http.request.header.cf-connecting-ip': '6.6.6.6' },
    is: ['2.2.2.2', 'peer', 'high', '', [], '2.2.2.2'],
  },
];

const WITHOUT: readonly Case[] = [
  {
    name: 'no header captured: client.address, with little confidence',
    from: 'OTel JS takes the leftmost X-Forwarded-For for it',
    config: BEHIND,
    attributes: { [PEER]: LB, 'client.address': '1.1.1.1' },
    is: ['1.1.1.1', 'client.address', 'low', 'no-header-capture', VIA, LB],
  },
  {
    name: 'no header captured and nothing said: the balancer, with little confidence',
    from: 'header capture is opt-in',
    config: BEHIND,
    attributes: { [PEER]: LB },
    is: [LB, 'peer', 'low', 'no-header-capture', [], LB],
  },
  {
    name: 'client.address is the balancer again',
    from: 'instrumentations that copy the peer',
    config: BEHIND,
    attributes: { [PEER]: LB, 'client.address': LB },
    is: [LB, 'peer', 'low', 'no-header-capture', [], LB],
  },
  {
    name: 'the old name of client.address',
    from: 'http.client_ip',
    attributes: { 'http.client_ip': '1.1.1.1' },
    is: ['1.1.1.1', 'client.address', 'low', 'no-peer'],
  },
  {
    name: 'net.peer.name of a server span',
    from: 'OTel semantic conventions before 1.20',
    attributes: { 'net.peer.name': '1.1.1.1' },
    is: ['1.1.1.1', 'client.address', 'low', 'no-peer'],
  },
  {
    name: 'a gRPC edge with nothing: nobody',
    from: 'OTel JS instrumentation-grpc writes no peer',
    attributes: { 'rpc.system': 'grpc', 'rpc.service': 'shop.Cart', 'rpc.method': 'Get' },
    is: [null, 'none', 'none', 'no-peer'],
  },
  {
    name: 'a gRPC edge with a peer',
    from: 'otelgrpc, Java agent: network.peer.address',
    attributes: { 'rpc.system': 'grpc', 'rpc.service': 'shop.Cart', 'rpc.method': 'Get', [PEER]: '198.51.100.9' },
    is: ['198.51.100.9', 'peer', 'high', '', [], '198.51.100.9'],
  },
  {
    name: 'a gRPC edge behind Envoy with captured metadata',
    from: 'Java agent: rpc.grpc.request.metadata',
    config: BEHIND,
    attributes: { [PEER]: LB, 'rpc.grpc.request.metadata.x-forwarded-for': ['6.6.6.6', '1.1.1.1'] },
    is: ['1.1.1.1', 'x-forwarded-for', 'high', '', VIA, LB],
  },
  {
    name: 'metadata as OTel JS names it',
    from: 'instrumentation-grpc: rpc.request.metadata, hyphens as underscores',
    config: BEHIND,
    attributes: { [PEER]: LB, 'rpc.request.metadata.x_forwarded_for': ['6.6.6.6,1.1.1.1'] },
    is: ['1.1.1.1', 'x-forwarded-for', 'high', '', VIA, LB],
  },
  {
    name: 'metadata and header of one request are not one list',
    from: 'gRPC over an HTTP server that both instrument',
    config: { trustedHops: 2 },
    attributes: {
      [PEER]: LB,
      'rpc.grpc.request.metadata.x-forwarded-for': ['1.1.1.1, 9.9.9.9'],
      [XFF]: ['1.1.1.1, 9.9.9.9'],
    },
    is: ['1.1.1.1', 'x-forwarded-for', 'high', '', [LB, '9.9.9.9'], LB],
  },
  {
    name: 'metadata without a peer, where nothing was configured',
    from: 'anyone can send it',
    attributes: { 'rpc.request.metadata.x_forwarded_for': ['6.6.6.6'] },
    is: [null, 'none', 'none', 'no-peer'],
  },
  {
    name: 'metadata without a peer, by the general configuration: a guess',
    from: 'a gRPC edge beside the balancer could be reached directly',
    config: BEHIND,
    attributes: { 'rpc.request.metadata.x_forwarded_for': ['6.6.6.6, 1.1.1.1, 10.0.0.2'] },
    is: ['1.1.1.1', 'x-forwarded-for', 'low', 'no-peer', ['10.0.0.2']],
  },
  {
    name: 'metadata without a peer, at a service known to stand behind proxies',
    from: 'attribution.services',
    config: { services: { gateway: BEHIND } },
    attributes: { 'rpc.request.metadata.x_forwarded_for': ['6.6.6.6, 1.1.1.1, 10.0.0.2'] },
    is: ['1.1.1.1', 'x-forwarded-for', 'medium', 'no-peer', ['10.0.0.2']],
  },
  {
    name: 'malformed without a peer: nobody',
    from: 'nothing to stop at',
    config: BEHIND,
    attributes: { [XFF]: 'x' },
    is: [null, 'none', 'none', 'malformed'],
  },
  {
    name: 'a captured header without a value',
    from: 'empty arrays',
    config: BEHIND,
    attributes: { [PEER]: LB, [XFF]: [] },
    is: [LB, 'peer', 'low', 'no-header-capture', [], LB],
  },
];

const ALL: readonly (readonly [string, readonly Case[]])[] = [
  ['the socket peer', PEERS],
  ['the walk through X-Forwarded-For', WALKS],
  ['an element', ELEMENTS],
  ['Forwarded', RFC7239],
  ['several headers', SEVERAL],
  ['with little to go by', WITHOUT],
];

describe.each(ALL)('%s', (_, cases) => {
  it.each(cases.map((one) => [one.name, one.from, one] as const))('%s (%s)', (_name, _from, one) => {
    const [address, source, confidence, reason, hops = [], peer] = one.is;
    const { entrySpanId, entryTraceId, user, session, ...client } = read(one.config ?? {}, one.attributes, one.kind);
    expect(client).toEqual({ address, source, confidence, reason, hops, ...(peer !== undefined && { peer }) });
    expect([entrySpanId, user, session]).toEqual(['1'.repeat(16), null, null]);
    expect(entryTraceId).toHaveLength(32);
  });
});

it('are at least a hundred', () => {
  expect(ALL.flatMap(([, cases]) => cases).length).toBeGreaterThanOrEqual(100);
});
