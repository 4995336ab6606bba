/** Laws of attribution: what no client can change, and what it costs. Cases are in attribution-cases.test.ts. */
import { isIP } from 'node:net';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type AttributionConfig, attributionSection } from '../../../schemas/config/attribution.ts';
import { addressClass, createRanges, parseAddress, parsePeer } from '../../../traces/attribution/address.ts';
import { type ClientEvidence, createAttribution } from '../../../traces/attribution/client.ts';
import { type Elements, forwardedElements, forwardedForElements } from '../../../traces/attribution/forwarded.ts';

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
    // what NAT64 and 6to4 make of them
    ['64:ff9b::a9fe:a9fe', 'link-local'],
    ['64:ff9b::203.0.113.7', 'public'],
    ['2002:a00:1::1', 'private'],
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

  it('is none that the operating system would not take as one', () => {
    const odd = fc.string({ unit: fc.constantFrom(...'0123456789abcdef:.'), maxLength: 45 });
    fc.assert(
      fc.property(fc.oneof(fc.ipV6(), fc.ipV4(), fc.ipV4Extended(), odd), (text) => {
        if (parseAddress(text).kind === 'address' && !/^[\d.]+:\d+$/.test(text)) expect(isIP(text)).not.toBe(0);
        if (isIP(text) === 6) expect(parseAddress(text).kind).toBe('address');
      }),
      { numRuns: 2_000 },
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
    [
      ...['10.0.0.0/8', '2001:db8::/32', '203.0.113.7', '::ffff:192.168.0.0/112', 'unix:'],
      ...['nonsense', '1.2.3.4/33', '1.2.3.4/', '1.2.3.4/8/8', '::ffff:1.2.3.4/8', '127.1/8'],
    ],
    (text) => rejected.push(text),
  );
  const has = (text: string) => {
    const parsed = parseAddress(text);
    return parsed.kind === 'address' && ranges.has(parsed.value);
  };
  expect(['10.255.1.2', '2001:db8:9::1', '203.0.113.7', '::ffff:10.1.1.1', '192.168.77.1'].every(has)).toBe(true);
  expect(['11.0.0.1', '2001:db9::1', '203.0.113.8', '192.169.0.1'].some(has)).toBe(false);
  expect(rejected).toEqual(['nonsense', '1.2.3.4/33', '1.2.3.4/', '1.2.3.4/8/8', '::ffff:1.2.3.4/8', '127.1/8']);
  expect(ranges.unix).toBe(true);
});

it.each(['0.0.0.0/0', '::/0', '10.0.0.0/33', '127.1', '999.1.1.1', '10.0.0.0/', 'proxy.example', '::ffff:10.0.0.0/8'])(
  'a configuration that trusts %s is refused: it would let clients name each other, or nobody',
  (range) => {
    expect(attributionSection.safeParse({ trustedProxies: [range] }).success).toBe(false);
    expect(attributionSection.safeParse({ services: { a: { trustedProxies: [range] } } }).success).toBe(false);
  },
);

describe('list headers, from the right', () => {
  const all = (elements: Elements): string[] => {
    const found: string[] = [];
    for (let one = elements.previous(); one !== undefined; one = elements.previous()) found.unshift(one);
    return found;
  };

  it.each<[string[], string[]]>([
    [[], []],
    [['1.1.1.1, 2.2.2.2'], ['1.1.1.1', '2.2.2.2']],
    [
      ['1.1.1.1', '2.2.2.2,3.3.3.3'],
      ['1.1.1.1', '2.2.2.2', '3.3.3.3'],
    ],
    [['1.1.1.1,,'], ['1.1.1.1', '', '']],
    [[',1.1.1.1'], ['', '1.1.1.1']],
    [
      ['', ''],
      ['', ''],
    ],
  ])('X-Forwarded-For %j', (values, expected) => {
    expect(all(forwardedForElements(values))).toEqual(expected);
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
    [['for="1.1.1.1, for=2.2.2.2'], ['', '2.2.2.2']],
    [['for="1.1.\\1.1"'], ['1.1.1.1']],
    [['for=1.1.1.1;for=2.2.2.2'], ['']],
    [['for="1.1.1.1'], ['']],
  ])('Forwarded %j', (values, expected) => {
    expect(all(forwardedElements(values))).toEqual(expected);
  });

  it('what is left of an element changes nothing of it', () => {
    const node = fc.constantFrom('for=1.1.1.1', 'for="[2600::17]:4711";proto=https', 'by="a,b";for=_x', 'proto=http');
    fc.assert(
      fc.property(
        fc.string({ unit: fc.constantFrom(...'for=1.,;"\\ ') }),
        fc.array(node, { minLength: 1 }),
        (left, own) => {
          const alone = all(forwardedElements([own.join(', ')]));
          const behind = forwardedElements([`${left}, ${own.join(', ')}`]);
          expect(own.map(() => behind.previous()).reverse()).toEqual(alone);
        },
      ),
    );
  });
});

const BEHIND = { trustedProxies: ['10.0.0.0/8', '2001:db8:cafe::/48'] };

describe('nobody but our own proxies', () => {
  const hostile = fc.oneof(
    fc.string({ maxLength: 60 }),
    fc.string({ unit: fc.constantFrom(...'0123456789.,:;"\\[]=for %_') }),
    fc.ipV4(),
    fc.ipV6(),
    fc.constantFrom('unknown', '10.0.0.1', '::ffff:10.0.0.1', 'for="', '"', '["', '"]', '…', 'unix:'),
  );
  const ours = fc.array(fc.constantFrom('10.1.1.1', '10.2.2.2', '::ffff:10.3.3.3', '[2001:db8:cafe::9]:80'), {
    maxLength: 4,
  });

  it('X-Forwarded-For: what a client writes left of what they appended, in whatever headers, changes nothing', () => {
    const config = { ...BEHIND, forwarding: 'x-forwarded-for' };
    fc.assert(
      fc.property(
        fc.array(hostile, { maxLength: 6 }),
        fc.array(hostile, { maxLength: 3 }),
        ours,
        (left, other, own) => {
          const appended = ['198.51.100.77', ...own].join(', ');
          const honest = resolve(config, { peer: '10.0.0.1', forwardedFor: [appended] });
          expect(honest).toMatchObject({ address: '198.51.100.77', confidence: 'high', reason: '' });
          const noise = { forwarded: other, clientAddress: left[0] ?? '' };
          const joined = { peer: '10.0.0.1', forwardedFor: [[...left, appended].join(', ')], ...noise };
          const separate = { peer: '10.0.0.1', forwardedFor: [...left, appended], ...noise };
          expect(resolve(config, joined)).toEqual(honest);
          expect(resolve(config, separate)).toEqual(honest);
          expect(resolve({ trustedHops: own.length + 1, forwarding: 'x-forwarded-for' }, joined)).toEqual(honest);
        },
      ),
      { numRuns: 400 },
    );
  });

  it('Forwarded: the same', () => {
    const config = { ...BEHIND, forwarding: 'forwarded' };
    fc.assert(
      fc.property(fc.array(hostile, { maxLength: 6 }), ours, (left, own) => {
        const nodes = ['198.51.100.77', ...own].map((node) => `for="${node}";proto=https`).join(', ');
        const honest = resolve(config, { peer: '10.0.0.1', forwarded: [nodes] });
        expect(honest).toMatchObject({ address: '198.51.100.77', confidence: 'high', reason: '' });
        const noise = { peer: '10.0.0.1', forwardedFor: left, clientAddress: left[0] ?? '' };
        expect(resolve(config, { ...noise, forwarded: [[...left, nodes].join(', ')] })).toEqual(honest);
        expect(resolve(config, { ...noise, forwarded: [...left, nodes] })).toEqual(honest);
      }),
      { numRuns: 400 },
    );
  });

  it('an untrusted peer is named whatever it sends', () => {
    fc.assert(
      fc.property(fc.array(hostile), fc.array(hostile), hostile, (forwardedFor, forwarded, clientAddress) => {
        const client = resolve(BEHIND, { peer: '203.0.113.7', forwardedFor, forwarded, clientAddress });
        expect(client).toMatchObject({
          address: '203.0.113.7',
          source: 'peer',
          confidence: 'high',
          peer: '203.0.113.7',
        });
      }),
    );
  });
});

describe('what is remembered', () => {
  const evidenceOf = (peer: string, last: string, service = 'gateway'): ClientEvidence => ({
    service,
    peer,
    forwardedFor: [last],
    forwarded: [],
    clientAddress: '',
    singleValues: [],
  });
  const forged = (n: number): string => `${1 + (n % 9)}.${(n >> 8) & 255}.${n & 255}.7`;

  it('ten thousand forged addresses from one untrusted peer all name the peer, and are one entry', () => {
    const attribution = createAttribution(attributionSection.parse(BEHIND));
    for (let n = 0; n < 10_000; n++)
      expect(attribution.resolve(evidenceOf('203.0.113.7', forged(n))).address).toBe('203.0.113.7');
    expect(attribution.remembered).toBe(1);
  });

  it('ten thousand through a proxy of ours are each named, and the memo stays within its bound', () => {
    const attribution = createAttribution(attributionSection.parse({ ...BEHIND, memoEntries: 1_000 }));
    for (let n = 0; n < 10_000; n++) {
      expect(attribution.resolve(evidenceOf('10.0.0.1', forged(n))).address).toBe(forged(n));
      expect(attribution.remembered).toBeLessThanOrEqual(1_000);
    }
  });

  it('is given again as the same object, apart by service', () => {
    const attribution = createAttribution(
      attributionSection.parse({ ...BEHIND, memoEntries: 100, services: { open: { trustedProxies: [] } } }),
    );
    for (let round = 0; round < 3; round++) {
      for (const last of ['1.1.1.1', '2.2.2.2', '3.3.3.3']) {
        const known = attribution.resolve(evidenceOf('10.0.0.1', last));
        expect(known.address).toBe(last);
        expect(attribution.resolve(evidenceOf('10.0.0.1', last))).toBe(known);
        expect(attribution.resolve(evidenceOf('10.0.0.1', last, 'open')).address).toBe('10.0.0.1');
      }
    }
  });

  it('nothing, where nothing is to be: and all is right', () => {
    const attribution = createAttribution(attributionSection.parse({ ...BEHIND, memoEntries: 0 }));
    expect(attribution.resolve(evidenceOf('10.0.0.1', '1.1.1.1')).address).toBe('1.1.1.1');
    expect(attribution.remembered).toBe(0);
  });
});

it('a peer is never anything else than it is parsed as', () => {
  fc.assert(
    fc.property(fc.string({ unit: fc.constantFrom(...'0123456789abcdef:.[]%/@unixipv') }), (text) => {
      const peer = parsePeer(text);
      if (peer.kind === 'address') expect(isIP(peer.text)).not.toBe(0);
    }),
    { numRuns: 500 },
  );
});
