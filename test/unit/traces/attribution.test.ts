/** Who the client is: the walk from the socket peer through trusted proxies, right to left (CONVENTIONS; RFC 7239). */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type AttributionConfig, attributionSection } from '../../../schemas/config/attribution.ts';
import { addressClass, createRanges, parseAddress } from '../../../traces/attribution/address.ts';
import { type ClientEvidence, createAttribution } from '../../../traces/attribution/client.ts';
import { forwardedElements, forwardedForElements } from '../../../traces/attribution/forwarded.ts';

type Given = Partial<Record<keyof AttributionConfig, unknown>>;

const resolve = (config: Given, evidence: Partial<ClientEvidence>) =>
  createAttribution(attributionSection.parse(config)).resolve({
    service: 'gateway',
    peer: '',
    forwardedFor: [],
    forwarded: [],
    clientAddress: '',
    singleValues: [],
    ...evidence,
  });

describe('one address', () => {
  it.each<[string, string | null]>([
    ['203.0.113.7', '203.0.113.7'],
    [' 203.0.113.7 ', '203.0.113.7'],
    ['203.0.113.7:4711', '203.0.113.7'],
    ['2001:DB8::0001', '2001:db8::1'],
    ['2001:0db8:0000:0000:0000:0000:0000:0001', '2001:db8::1'],
    ['[2001:db8::1]', '2001:db8::1'],
    ['[2001:db8::1]:4711', '2001:db8::1'],
    ['fe80::1%eth0', 'fe80::1'],
    ['[fe80::1%25en0]:80', 'fe80::1'],
    ['::ffff:203.0.113.7', '203.0.113.7'],
    ['[::ffff:203.0.113.7]:1', '203.0.113.7'],
    ['::ffff:cb00:7107', '203.0.113.7'],
    ['::1', '::1'],
    ['1', null],
    ['127.1', null],
    ['0177.0.0.1', null],
    ['0x7f.0.0.1', null],
    ['2130706433', null],
    ['192.168.001.1', null],
    ['256.1.1.1', null],
    ['1.2.3', null],
    ['1.2.3.4.5', null],
    ['1.2.3.4:port', null],
    ['::ffff:1.2.3', null],
    ['::ffff:01.2.3.4', null],
    ['1.2.3.4, 5.6.7.8', null],
    ['example.com', null],
    ['', null],
    ['g::1', null],
    [':'.repeat(300), null],
  ])('%s is %s', (text, expected) => {
    const parsed = parseAddress(text);
    expect(parsed.kind === 'address' ? parsed.text : null).toBe(expected);
  });

  it.each(['unknown', 'UNKNOWN', '_hidden', '_SEVKISEK', 'unknown:4711', '_gazonk:_port'])(
    '%s is obfuscated',
    (text) => {
      expect(parseAddress(text).kind).toBe('obfuscated');
    },
  );

  it.each([
    ['127.0.0.1', 'loopback'],
    ['::1', 'loopback'],
    ['0.0.0.0', 'loopback'],
    ['169.254.169.254', 'link-local'],
    ['fe80::1', 'link-local'],
    ['10.0.0.1', 'private'],
    ['192.168.1.1', 'private'],
    ['172.31.0.1', 'private'],
    ['100.64.0.1', 'private'],
    ['fd00::1', 'private'],
    ['203.0.113.7', 'public'],
    ['2600::1', 'public'],
  ])('%s is %s', (text, expected) => {
    const parsed = parseAddress(text);
    expect(parsed.kind === 'address' && addressClass(parsed.value)).toBe(expected);
  });

  it('keeps every IPv4 address as it is, in any dress', () => {
    fc.assert(
      fc.property(fc.ipV4(), fc.nat(65_535), (address, port) => {
        for (const text of [address, `${address}:${port}`, `::ffff:${address}`, `[::ffff:${address}]:${port}`]) {
          expect(parseAddress(text)).toMatchObject({ text: address });
        }
      }),
    );
  });

  it('never throws, and what it gives it reads again as the same', () => {
    fc.assert(
      fc.property(
        fc.oneof(fc.string(), fc.ipV6(), fc.string({ unit: fc.constantFrom(...'0123456789abcdef:.[]%_') })),
        (text) => {
          const parsed = parseAddress(text);
          if (parsed.kind === 'address') expect(parseAddress(parsed.text)).toMatchObject({ text: parsed.text });
        },
      ),
      { numRuns: 500 },
    );
  });
});

it('ranges hold both families, single addresses and mapped notation, and name what they cannot read', () => {
  const rejected: string[] = [];
  const ranges = createRanges(
    ['10.0.0.0/8', '2001:db8::/32', '203.0.113.7', '::ffff:192.168.0.0/112', 'nonsense', '1.2.3.4/33'],
    (text) => rejected.push(text),
  );
  const has = (text: string) => {
    const parsed = parseAddress(text);
    return parsed.kind === 'address' && ranges.has(parsed.value);
  };
  expect(['10.255.1.2', '2001:db8:9::1', '203.0.113.7', '::ffff:10.1.1.1', '192.168.77.1'].every(has)).toBe(true);
  expect(['11.0.0.1', '2001:db9::1', '203.0.113.8', '192.169.0.1'].some(has)).toBe(false);
  expect(rejected).toEqual(['nonsense', '1.2.3.4/33']);
});

describe('list headers', () => {
  it.each<[string[], string[]]>([
    [['1.1.1.1, 2.2.2.2'], ['1.1.1.1', '2.2.2.2']],
    [
      ['1.1.1.1', '2.2.2.2,3.3.3.3'],
      ['1.1.1.1', '2.2.2.2', '3.3.3.3'],
    ],
    [['1.1.1.1,,'], ['1.1.1.1', '', '']],
  ])('X-Forwarded-For %j', (values, expected) => {
    expect(forwardedForElements(values)).toEqual(expected);
  });

  it.each<[string[], string[]]>([
    // RFC 7239 §4 and §7.1
    [['for="_gazonk"'], ['_gazonk']],
    [['For="[2001:db8:cafe::17]:4711"'], ['[2001:db8:cafe::17]:4711']],
    [['for=192.0.2.60;proto=http;by=203.0.113.43'], ['192.0.2.60']],
    [['for=192.0.2.43, for=198.51.100.17'], ['192.0.2.43', '198.51.100.17']],
    [
      ['for=192.0.2.43', 'for="[2001:db8:cafe::17]";by=x'],
      ['192.0.2.43', '[2001:db8:cafe::17]'],
    ],
    [['proto=https; for = "1.2.3.4" '], ['1.2.3.4']],
    [['by=1.1.1.1;proto=http'], ['']],
    [['for="a,b";by="c;for=9.9.9.9", for=1.1.1.1'], ['a,b', '1.1.1.1']],
    [['for="1.1.1.1, for=2.2.2.2'], ['']],
    [['for="1.1.\\1.1"'], ['1.1.1.1']],
  ])('Forwarded %j', (values, expected) => {
    expect(forwardedElements(values)).toEqual(expected);
  });

  it('reads the right end of a header that is too long', () => {
    const elements = forwardedForElements([`${'6.6.6.6,'.repeat(5_000)}1.2.3.4`]);
    expect(elements).toHaveLength(64);
    expect(elements.at(-1)).toBe('1.2.3.4');
  });
});

const BEHIND = { trustedProxies: ['10.0.0.0/8', '2001:db8:cafe::/48'] };

describe('the walk', () => {
  it.each<[string, Given, Partial<ClientEvidence>, string | null, string, string, string, string[]]>([
    ['the peer, where no proxy is trusted', {}, { peer: '198.51.100.9' }, '198.51.100.9', 'peer', 'high', '', []],
    [
      'the peer, whatever an untrusted peer sends',
      BEHIND,
      { peer: '198.51.100.9', forwardedFor: ['1.1.1.1'], clientAddress: '1.1.1.1' },
      '198.51.100.9',
      'peer',
      'high',
      '',
      [],
    ],
    [
      'a private peer is not believed to be a client',
      {},
      { peer: '192.168.3.4', forwardedFor: ['1.1.1.1'] },
      '192.168.3.4',
      'peer',
      'low',
      'private-peer',
      [],
    ],
    [
      'the only element',
      BEHIND,
      { peer: '10.0.0.1', forwardedFor: ['1.1.1.1'] },
      '1.1.1.1',
      'x-forwarded-for',
      'high',
      '',
      ['10.0.0.1'],
    ],
    [
      'the rightmost one, under a forged left one',
      BEHIND,
      { peer: '10.0.0.1', forwardedFor: ['6.6.6.6, 1.1.1.1'] },
      '1.1.1.1',
      'x-forwarded-for',
      'high',
      '',
      ['10.0.0.1'],
    ],
    [
      'over two of our hops',
      BEHIND,
      { peer: '10.0.0.1', forwardedFor: ['6.6.6.6, 1.1.1.1, 10.9.9.9'] },
      '1.1.1.1',
      'x-forwarded-for',
      'high',
      '',
      ['10.0.0.1', '10.9.9.9'],
    ],
    [
      'in a header sent twice',
      BEHIND,
      { peer: '10.0.0.1', forwardedFor: ['6.6.6.6', '1.1.1.1,10.9.9.9'] },
      '1.1.1.1',
      'x-forwarded-for',
      'high',
      '',
      ['10.0.0.1', '10.9.9.9'],
    ],
    [
      'not past the first untrusted one, though a trusted one stands left of it',
      BEHIND,
      { peer: '10.0.0.1', forwardedFor: ['10.1.1.1, 1.1.1.1'] },
      '1.1.1.1',
      'x-forwarded-for',
      'high',
      '',
      ['10.0.0.1'],
    ],
    [
      'an IPv6 client with port',
      BEHIND,
      { peer: '::ffff:10.0.0.1', forwardedFor: ['[2600::7]:99'] },
      '2600::7',
      'x-forwarded-for',
      'high',
      '',
      ['10.0.0.1'],
    ],
    [
      'an IPv6 proxy',
      BEHIND,
      { peer: '2001:db8:cafe::1', forwardedFor: ['1.1.1.1'] },
      '1.1.1.1',
      'x-forwarded-for',
      'high',
      '',
      ['2001:db8:cafe::1'],
    ],
    [
      'a client in a private network',
      BEHIND,
      { peer: '10.0.0.1', forwardedFor: ['192.168.7.7'] },
      '192.168.7.7',
      'x-forwarded-for',
      'medium',
      'private-address',
      ['10.0.0.1'],
    ],
    [
      'only our own hops',
      BEHIND,
      { peer: '10.0.0.1', forwardedFor: ['10.2.2.2'] },
      '10.2.2.2',
      'x-forwarded-for',
      'medium',
      'only-trusted-hops',
      ['10.0.0.1'],
    ],
    [
      'malformed stops at the last good hop',
      BEHIND,
      { peer: '10.0.0.1', forwardedFor: ["1.1.1.1, ' OR 1=1"] },
      '10.0.0.1',
      'x-forwarded-for',
      'low',
      'malformed',
      [],
    ],
    [
      'malformed past a trusted hop',
      BEHIND,
      { peer: '10.0.0.1', forwardedFor: ['1.1.1.1, 127.1, 10.3.3.3'] },
      '10.3.3.3',
      'x-forwarded-for',
      'low',
      'malformed',
      ['10.0.0.1'],
    ],
    [
      'obfuscated stops too',
      BEHIND,
      { peer: '10.0.0.1', forwardedFor: ['1.1.1.1, unknown'] },
      '10.0.0.1',
      'x-forwarded-for',
      'low',
      'obfuscated',
      [],
    ],
    [
      'malformed left of the client is not looked at',
      BEHIND,
      { peer: '10.0.0.1', forwardedFor: ['<script>, 1.1.1.1'] },
      '1.1.1.1',
      'x-forwarded-for',
      'high',
      '',
      ['10.0.0.1'],
    ],
    [
      'an empty last element is malformed',
      BEHIND,
      { peer: '10.0.0.1', forwardedFor: ['1.1.1.1,'] },
      '10.0.0.1',
      'x-forwarded-for',
      'low',
      'malformed',
      [],
    ],
    [
      'Forwarded where X-Forwarded-For is missing',
      BEHIND,
      { peer: '10.0.0.1', forwarded: ['for=6.6.6.6, for="[2600::1]:80"'] },
      '2600::1',
      'forwarded',
      'high',
      '',
      ['10.0.0.1'],
    ],
    [
      'Forwarded without a for node',
      BEHIND,
      { peer: '10.0.0.1', forwarded: ['for=1.1.1.1, proto=https'] },
      '10.0.0.1',
      'forwarded',
      'low',
      'malformed',
      [],
    ],
    [
      'both that agree',
      BEHIND,
      { peer: '10.0.0.1', forwardedFor: ['1.1.1.1'], forwarded: ['for=1.1.1.1'] },
      '1.1.1.1',
      'x-forwarded-for',
      'high',
      '',
      ['10.0.0.1'],
    ],
    [
      'both that do not',
      BEHIND,
      { peer: '10.0.0.1', forwardedFor: ['1.1.1.1'], forwarded: ['for=6.6.6.6'] },
      '1.1.1.1',
      'x-forwarded-for',
      'medium',
      'headers-disagree',
      ['10.0.0.1'],
    ],
    [
      'Forwarded alone, where it is the one',
      { ...BEHIND, forwarding: 'forwarded' },
      { peer: '10.0.0.1', forwardedFor: ['6.6.6.6'], forwarded: ['for=1.1.1.1'] },
      '1.1.1.1',
      'forwarded',
      'high',
      '',
      ['10.0.0.1'],
    ],
    [
      'X-Forwarded-For alone, where it is the one',
      { ...BEHIND, forwarding: 'x-forwarded-for' },
      { peer: '10.0.0.1', forwarded: ['for=6.6.6.6'] },
      '10.0.0.1',
      'peer',
      'low',
      'no-header-capture',
      [],
    ],
    [
      'by count: one hop',
      { trustedHops: 1 },
      { peer: '203.0.113.1', forwardedFor: ['6.6.6.6, 1.1.1.1'] },
      '1.1.1.1',
      'x-forwarded-for',
      'high',
      '',
      ['203.0.113.1'],
    ],
    [
      'by count: two hops',
      { trustedHops: 2 },
      { peer: '203.0.113.1', forwardedFor: ['6.6.6.6, 1.1.1.1, 203.0.113.2'] },
      '1.1.1.1',
      'x-forwarded-for',
      'high',
      '',
      ['203.0.113.1', '203.0.113.2'],
    ],
    [
      'by count and range',
      { trustedHops: 1, ...BEHIND },
      { peer: '203.0.113.1', forwardedFor: ['1.1.1.1, 10.0.0.3'] },
      '1.1.1.1',
      'x-forwarded-for',
      'high',
      '',
      ['203.0.113.1', '10.0.0.3'],
    ],
    [
      'a single-value header of its proxy',
      { ...BEHIND, singleValueHeaders: [{ header: 'CF-Connecting-IP', proxies: ['10.0.0.0/8'] }] },
      { peer: '10.0.0.1', singleValues: [['cf-connecting-ip', '1.1.1.1']], forwardedFor: ['2.2.2.2'] },
      '1.1.1.1',
      'header',
      'high',
      '',
      ['10.0.0.1'],
    ],
    [
      'not from another proxy',
      { ...BEHIND, singleValueHeaders: [{ header: 'cf-connecting-ip', proxies: ['10.7.0.0/16'] }] },
      { peer: '10.0.0.1', singleValues: [['cf-connecting-ip', '6.6.6.6']], forwardedFor: ['2.2.2.2'] },
      '2.2.2.2',
      'x-forwarded-for',
      'high',
      '',
      ['10.0.0.1'],
    ],
    [
      'not from a client',
      { ...BEHIND, singleValueHeaders: [{ header: 'cf-connecting-ip', proxies: ['10.0.0.0/8'] }] },
      { peer: '2.2.2.2', singleValues: [['cf-connecting-ip', '6.6.6.6']] },
      '2.2.2.2',
      'peer',
      'high',
      '',
      [],
    ],
    [
      'not when malformed',
      { ...BEHIND, singleValueHeaders: [{ header: 'x-real-ip', proxies: ['10.0.0.0/8'] }] },
      { peer: '10.0.0.1', singleValues: [['x-real-ip', '1.1.1.1,2.2.2.2']], forwardedFor: ['2.2.2.2'] },
      '2.2.2.2',
      'x-forwarded-for',
      'high',
      '',
      ['10.0.0.1'],
    ],
    [
      'client.address, where no header was captured',
      BEHIND,
      { peer: '10.0.0.1', clientAddress: '1.1.1.1' },
      '1.1.1.1',
      'client.address',
      'low',
      'no-header-capture',
      ['10.0.0.1'],
    ],
    [
      'the proxy, where nothing was captured',
      BEHIND,
      { peer: '10.0.0.1' },
      '10.0.0.1',
      'peer',
      'low',
      'no-header-capture',
      [],
    ],
    [
      'the proxy, where client.address names it again',
      BEHIND,
      { peer: '10.0.0.1', clientAddress: '10.0.0.1' },
      '10.0.0.1',
      'peer',
      'low',
      'no-header-capture',
      [],
    ],
    [
      'no peer, nothing configured: client.address',
      {},
      { clientAddress: '1.1.1.1', forwardedFor: ['2.2.2.2'] },
      '1.1.1.1',
      'client.address',
      'low',
      'no-peer',
      [],
    ],
    [
      'no peer behind a configured proxy: the header',
      BEHIND,
      { forwardedFor: ['6.6.6.6, 1.1.1.1, 10.0.0.2'] },
      '1.1.1.1',
      'x-forwarded-for',
      'medium',
      'no-peer',
      ['10.0.0.2'],
    ],
    ['no peer, malformed header: nobody', BEHIND, { forwardedFor: ['x'] }, null, 'none', 'none', 'malformed', []],
    ['nothing at all: nobody', {}, {}, null, 'none', 'none', 'no-peer', []],
    ['a peer that is no address: nobody', {}, { peer: 'localhost' }, null, 'none', 'none', 'no-peer', []],
    [
      'another trust at one service',
      { services: { gateway: { trustedProxies: ['172.16.0.0/12'] } } },
      { peer: '172.16.0.1', forwardedFor: ['1.1.1.1'] },
      '1.1.1.1',
      'x-forwarded-for',
      'high',
      '',
      ['172.16.0.1'],
    ],
    [
      'no trust at one service',
      { ...BEHIND, services: { gateway: { trustedProxies: [] } } },
      { peer: '10.0.0.1', forwardedFor: ['6.6.6.6'] },
      '10.0.0.1',
      'peer',
      'low',
      'private-peer',
      [],
    ],
  ])('%s', (_, config, evidence, address, source, confidence, reason, hops) => {
    expect(resolve(config, evidence)).toEqual({ address, source, confidence, reason, hops });
  });

  it('never names what stands left of the first untrusted address, whatever the client writes there', () => {
    fc.assert(
      fc.property(
        fc.array(fc.string({ maxLength: 40 }), { maxLength: 5 }),
        fc.array(fc.constantFrom('10.1.1.1', '10.2.2.2'), { maxLength: 3 }),
        (forged, own) => {
          const header = [...forged, '198.51.100.77', ...own].join(', ');
          const resolved = resolve(BEHIND, {
            peer: '10.0.0.1',
            forwardedFor: [header],
            forwarded: forged,
            clientAddress: forged[0] ?? '',
          });
          expect(resolved.address).toBe('198.51.100.77');
        },
      ),
      { numRuns: 300 },
    );
  });

  it('gives the same for the same evidence from its memo, and stays apart by service', () => {
    const attribution = createAttribution(
      attributionSection.parse({ ...BEHIND, memoEntries: 2, services: { open: { trustedProxies: [] } } }),
    );
    const of = (service: string, last: string) =>
      attribution.resolve({
        service,
        peer: '10.0.0.1',
        forwardedFor: [last],
        forwarded: [],
        clientAddress: '',
        singleValues: [],
      }).address;
    for (let round = 0; round < 3; round++) {
      for (const last of ['1.1.1.1', '2.2.2.2', '3.3.3.3']) {
        expect(of('gateway', last)).toBe(last);
        expect(of('open', last)).toBe('10.0.0.1');
      }
    }
  });
});
