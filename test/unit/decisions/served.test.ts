/** What is handed out: until it ends by the clock, whichever side tells of it, and to each bouncer once. */
import { describe, expect, it, vi } from 'vitest';
import { createCheck } from '../../../responder/decisions/checks.ts';
import { createFeed, isNoneMatch } from '../../../responder/decisions/feed.ts';
import { createGatewayAttribution } from '../../../responder/decisions/gateway.ts';
import { createKeys } from '../../../responder/decisions/keys.ts';
import { goDuration, readFilter, shown, toLapi } from '../../../responder/decisions/lapi.ts';
import { covers, overlap, parseNetwork } from '../../../responder/decisions/network.ts';
import { MOST_PATH, matcherOf, readOperation } from '../../../responder/decisions/operations.ts';
import { createPositions } from '../../../responder/decisions/positions.ts';
import { createServed } from '../../../responder/decisions/served.ts';
import { readUsage } from '../../../responder/decisions/usage.ts';
import { attributionSection } from '../../../schemas/config/attribution.ts';
import { decisionOf } from './decided.ts';
import { DAY } from './deciding.ts';

function servedAt(startMs = DAY) {
  let nowMs = startMs;
  const served = createServed(() => nowMs);
  const at = (ms: number): void => {
    nowMs = ms;
  };
  return { served, at };
}

describe('networks', () => {
  it.each([
    ['203.0.113.7', '203.0.113.7'],
    ['203.0.113.7/24', '203.0.113.0/24'],
    ['203.0.113.7/32', '203.0.113.7'],
    ['::ffff:203.0.113.7', '203.0.113.7'],
    ['::ffff:203.0.113.0/120', '203.0.113.0/24'],
    ['2001:DB8::1/64', '2001:db8::/64'],
    ['2001:db8:0:0:0:0:0:1', '2001:db8::1'],
    ['0.0.0.0/0', '0.0.0.0/0'],
    ['10.255.255.255/9', '10.128.0.0/9'],
  ])('%s is %s', (given, text) => expect(parseNetwork(given)?.text).toBe(text));
  it.each([
    '',
    'x',
    '1',
    '0177.0.0.1',
    '127.1',
    '1.2.3.4/33',
    '1.2.3.4/',
    '1.2.3.4/-1',
    '1.2.3.4/1e1',
    '::1/129',
    'a'.repeat(99),
  ])('%j is none', (given) => expect(parseNetwork(given)).toBeNull());
  it('cover and overlap each other bit by bit, and never over families', () => {
    const of = (text: string) => parseNetwork(text)!;
    expect(covers(of('203.0.113.0/25'), of('203.0.113.127'))).toBe(true);
    expect(covers(of('203.0.113.0/25'), of('203.0.113.128'))).toBe(false);
    expect(covers(of('203.0.113.7'), of('203.0.113.0/24'))).toBe(false);
    expect(overlap(of('203.0.113.7'), of('203.0.113.0/24'))).toBe(true);
    expect(covers(of('0.0.0.0/0'), of('203.0.113.7'))).toBe(true);
    expect(covers(of('::/0'), of('203.0.113.7'))).toBe(false);
  });
});

describe('what is served', () => {
  it('ends by the clock, without anybody saying so', () => {
    const { served, at } = servedAt();
    served.put([decisionOf({ expiresMs: DAY + 1_000 })]);
    expect(served.ofAddress('203.0.113.7')).toHaveLength(1);
    at(DAY + 999);
    expect(served.all()).toHaveLength(1);
    at(DAY + 1_000);
    expect([served.all(), served.ofAddress('203.0.113.7'), served.endedLately().length]).toEqual([[], [], 1]);
  });

  it('goes by the highest revision: an older row brings nothing back', () => {
    const { served } = servedAt();
    const one = decisionOf();
    served.put([one]);
    served.put([{ ...one, revision: 2, state: 'undone', undoneMs: DAY }]);
    served.put([one]);
    expect(served.all()).toEqual([]);
  });

  it('is nothing that was simulated, refused, undone or expired', () => {
    const { served } = servedAt();
    served.put((['simulated', 'refused', 'undone', 'expired'] as const).map((state) => decisionOf({ state })));
    expect(served.all()).toEqual([]);
  });

  it('finds an address in ranges, in any spelling that attribution gives', () => {
    const { served } = servedAt();
    served.put([
      decisionOf({ scope: 'range', value: '198.51.100.0/24' }),
      decisionOf({ scope: 'range', value: '2001:db8::/64' }),
      decisionOf({ scope: 'user', value: '203.0.113.9' }),
    ]);
    expect(served.ofAddress('198.51.100.200')).toHaveLength(1);
    expect(served.ofAddress('198.51.101.1')).toHaveLength(0);
    expect(served.ofAddress('2001:db8::1:2')).toHaveLength(1);
    served.put([
      decisionOf({ scope: 'range', value: '198.51.100.128/25' }),
      decisionOf({ scope: 'range', value: '198.51.100.252/30' }),
    ]);
    const inRanges = ['198.51.100.1', '198.51.100.130', '198.51.100.254', '198.51.100.251'];
    expect(inRanges.map((address) => served.ofAddress(address).length)).toEqual([1, 2, 3, 2]);
    expect(served.ofAddress('203.0.113.9')).toHaveLength(0); // a user of that name
    expect(served.ofUser('203.0.113.9')).toHaveLength(1);
  });
});

describe('to bouncers', () => {
  const filterOf = (query: string) => {
    const filter = readFilter(new URLSearchParams(query));
    if (typeof filter === 'string') throw new Error(filter);
    return filter;
  };

  it.each([
    [0, '0s'],
    [1, '1ms'],
    [999, '999ms'],
    [1_000, '1s'],
    [52_100, '52.1s'],
    [60_000, '1m0s'],
    [3_600_000, '1h0m0s'],
    [4 * 3_600_000 - 7_900, '3h59m52.1s'],
    [30 * 86_400_000, '720h0m0s'],
    [-5_250, '-5.25s'],
  ])('%d ms are %s', (ms, text) => expect(goDuration(ms)).toBe(text));

  it('a decision looks as CrowdSec’s', () => {
    expect(toLapi(decisionOf({ number: 5 }), DAY + 7_900)).toEqual({
      id: 5,
      uuid: expect.stringMatching(/^[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-8[0-9a-f]{3}-[0-9a-f]{12}$/),
      origin: 'spanwarden',
      type: 'ban',
      scope: 'Ip',
      value: '203.0.113.7',
      duration: '3h59m52.1s',
      scenario: 'spanwarden/statement',
    });
  });

  const ALL = [
    decisionOf({ number: 1, value: '203.0.113.7' }),
    decisionOf({ number: 2, scope: 'range', value: '198.51.100.0/24', type: 'captcha', scenario: 'actor' }),
    decisionOf({ number: 3, scope: 'range', value: '2001:db8::/64' }),
    decisionOf({ number: 4, scope: 'user', value: 'mallory' }),
    decisionOf({ number: 5, value: '203.0.113.8', target: 'reduced-rights' }),
    decisionOf({ number: 6, value: '203.0.113.9', target: 'operations', operations: ['POST /pay'] }),
  ];
  it.each([
    ['', [1, 2, 3, 4]],
    ['ip=203.0.113.7', [1]],
    ['ip=203.0.113.8', []],
    ['ip=198.51.100.77', [2]],
    ['range=198.51.100.64/26', [2]],
    ['range=198.51.0.0/16', []],
    ['range=198.51.0.0/16&contains=false', [2]],
    ['ip=2001:db8::5', [3]],
    ['scope=ip', [1]],
    ['scopes=Range,IP', [1, 2, 3]],
    ['scope=username&value=mallory', [4]],
    ['value=203.0.113.7', [1]],
    ['type=captcha', [2]],
    ['origins=cscli,CAPI', []],
    ['origins=cscli,spanwarden', [1, 2, 3, 4]],
    ['scenarios_containing=ACTOR', [2]],
    ['scenarios_not_containing=actor,xyz', [1, 3, 4]],
    ['unknown=1&dedup=false', [1, 2, 3, 4]],
  ])('?%s gives %j', (query, numbers) => {
    expect(shown(ALL, filterOf(query)).map(({ number }) => number)).toEqual(numbers);
  });

  it.each(['ip=x', 'ip=', 'ip=127.1', 'range=1.2.3.4/40', 'contains=maybe', `value=${'x'.repeat(2_000)}`])(
    '?%s is refused',
    (query) => expect(typeof readFilter(new URLSearchParams(query))).toBe('string'),
  );

  it('of several about the same the longest is shown', () => {
    const long = decisionOf({ number: 7, expiresMs: DAY + 9e7 });
    expect(shown([decisionOf({ number: 1 }), long, decisionOf({ number: 9 })], filterOf(''))).toEqual([long]);
  });

  it('each hears once of what is new and once of what is gone, whatever the others heard', () => {
    const positions = createPositions();
    const [a, b] = [decisionOf({ value: '203.0.113.1' }), decisionOf({ value: '203.0.113.2' })];
    const pull = (who: string, startup: boolean, now: readonly (typeof a)[], ended: readonly (typeof a)[] = []) => {
      const position = positions.next(who, startup, now, ended);
      position.told();
      return [position.fresh.map(({ value }) => value.at(-1)), position.gone.map(({ value }) => value.at(-1))];
    };
    expect(pull('one', true, [a])).toEqual([['1'], []]);
    expect(pull('one', false, [a, b])).toEqual([['2'], []]);
    expect(pull('two', true, [a, b])).toEqual([['1', '2'], []]);
    expect(pull('one', false, [b], [a])).toEqual([[], ['1']]);
    expect(pull('one', false, [b], [a])).toEqual([[], []]);
    expect(pull('two', false, [b], [a])).toEqual([[], ['1']]);
    // ended and decided anew: new, not gone
    const again = decisionOf({ value: '203.0.113.2', number: 99 });
    expect(pull('one', false, [again], [a, b])).toEqual([['2'], []]);
    // we were started anew: told all, and what is gone, as at a startup
    expect(pull('three', false, [again], [a, b])).toEqual([['2'], ['1']]);
  });

  it('an end of which we learn after a bouncer asked, as we were started anew, is told once', () => {
    const positions = createPositions();
    const ended = decisionOf({ state: 'undone' });
    const pull = (lately: readonly (typeof ended)[]): string[] => {
      const position = positions.next('b', false, [], lately);
      position.told();
      return position.gone.map(({ value }) => value);
    };
    expect([pull([]), pull([ended]), pull([ended])]).toEqual([[], [ended.value], []]);
  });

  it('a bouncer that did not get the answer is told again', () => {
    const positions = createPositions();
    const one = [decisionOf()];
    positions.next('b', true, one, []);
    expect(positions.next('b', false, one, []).fresh).toHaveLength(1);
  });

  it('their reports are read as published, and nothing else', () => {
    const component = {
      version: 'v1',
      utc_startup_timestamp: 1,
      metrics: [
        {
          meta: { window_size_seconds: 900, utc_now_timestamp: 2 },
          items: [
            { name: 'dropped', value: 3, unit: 'packet', labels: { origin: 'spanwarden' } },
            { name: 'active_decisions', value: 3, unit: 'ip' },
            { name: 'dropped', value: -1, unit: 'byte' },
          ],
        },
      ],
    };
    expect(readUsage({ remediation_components: [component] })).toEqual([{ name: 'dropped', unit: 'packet', value: 3 }]);
    expect(readUsage({ remediation_components: [component, component] })).toMatchObject({ status: 400 });
    for (const body of [{}, { remediation_components: [] }]) expect(readUsage(body)).toMatchObject({ status: 400 });
    for (const body of [null, 3, [], { remediation_components: [{}] }, { remediation_components: 'x' }])
      expect(readUsage(body)).toMatchObject({ status: 422 });
  });
});

describe('the feed', () => {
  it('holds who is banned, and nobody who is to be shown a captcha', () => {
    const { served } = servedAt();
    served.put([decisionOf({ value: '203.0.113.0/24', scope: 'range', type: 'captcha' }), decisionOf()]);
    expect(createFeed(served)().text).toBe('203.0.113.7\n');
  });

  it('holds banned addresses and ranges, one a line, sorted, and nothing else', () => {
    const { served, at } = servedAt();
    const feed = createFeed(served);
    const empty = feed();
    expect(empty.text).toBe('');
    served.put([
      decisionOf({ value: '203.0.113.9' }),
      decisionOf({ value: '203.0.113.10' }),
      decisionOf({ value: '203.0.113.10', expiresMs: DAY + 5 }),
      decisionOf({ scope: 'range', value: '198.51.100.0/24' }),
      decisionOf({ scope: 'user', value: '192.0.2.1' }),
      decisionOf({ value: '192.0.2.2', target: 'reduced-rights' }),
      decisionOf({ value: '192.0.2.3\n0.0.0.0/0' }),
    ]);
    const first = feed();
    expect(first.text).toBe('198.51.100.0/24\n203.0.113.10\n203.0.113.9\n');
    expect(feed()).toBe(first);
    at(DAY + 10);
    expect(feed().etag).toBe(first.etag);
    expect(first.etag).not.toBe(empty.etag);
    expect([
      isNoneMatch(first.etag, first.etag),
      isNoneMatch(`"x", W/${first.etag}`, first.etag),
      isNoneMatch('*', 'x'),
    ]).toEqual([true, true, true]);
    expect([isNoneMatch(undefined, first.etag), isNoneMatch('"x"', first.etag)]).toEqual([false, false]);
  });
});

describe('keys', () => {
  it('are known by their whole text, for what they are good for', () => {
    const keys = createKeys([
      { name: 'edge', key: 'k'.repeat(32), uses: ['bouncer'] },
      { name: 'wall', key: 'w'.repeat(32), uses: ['feed'] },
    ]);
    expect(keys.holder('k'.repeat(32))).toEqual({ name: 'edge', uses: ['bouncer'] });
    expect(keys.holder('w'.repeat(32))?.name).toBe('wall');
    for (const wrong of ['', 'k'.repeat(31), 'k'.repeat(33), 'K'.repeat(32), 'x'.repeat(100_000)])
      expect(keys.holder(wrong)).toBeUndefined();
    expect(createKeys([]).holder('')).toBeUndefined();
  });
});

describe('named operations', () => {
  it.each([
    ['POST /checkout', 'POST', '/checkout', true],
    ['POST /checkout', 'GET', '/checkout', false],
    ['POST /checkout', 'POST', '/checkout/', true],
    ['POST /checkout', 'POST', '//checkout', true],
    ['POST /checkout', 'POST', '/./x/../checkout?a=/b#c', true],
    ['POST /checkout', 'POST', '/%63heckout', true],
    ['POST /checkout', 'POST', '/%2563heckout', true],
    ['POST /checkout', 'POST', '/checkout;jsessionid=1', true],
    ['POST /checkout', 'POST', '\\checkout', true],
    ['POST /checkout', 'POST', '/Checkout', true],
    ['POST /checkout', 'POST', '/checkouts', false],
    ['POST /checkout', 'POST', '/checkout/pay', false],
    ['GET /orders/{id}', 'GET', '/orders/77', true],
    ['GET /orders/{id}', 'HEAD', '/orders/77', true],
    ['GET /orders/{id}', 'GET', '/orders', false],
    ['GET /orders/{id}', 'GET', '/orders/77/items', false],
    ['* /admin/**', 'PATCH', '/admin', true],
    ['* /admin/**', 'DELETE', '/admin/users/1/keys', true],
    ['* /admin/**', 'DELETE', '/administrators', false],
    ['* /', 'GET', '/', true],
    ['* /', 'GET', '', true],
    ['* /', 'GET', '/x', false],
    ['GET /a', 'GET', `/${'%'.repeat(2_000)}`, false],
  ])('%s: %s %s is %s', (operation, method, path, expected) => {
    expect(matcherOf(operation)(readOperation(method, path))).toBe(expected);
  });

  it.each([
    ['* /checkout', `/${'./'.repeat(4_200)}checkout`],
    ['* /checkout', `/checkout;${'x'.repeat(10_000)}`],
    ['* /checkout', `/${'a/../'.repeat(1_000)}checkout`],
  ])('%s is not got by with a path that is longer than is read', (operation, path) => {
    expect(matcherOf(operation)(readOperation('GET', path))).toBe(true);
    expect(matcherOf(operation.replace('*', 'POST'))(readOperation('GET', path))).toBe(false);
  });

  it('a query is not of the path, however long', () => {
    const query = '?q='.padEnd(100_000, 'x');
    expect(matcherOf('* /checkout')(readOperation('GET', `/search${query}`))).toBe(false);
    expect(matcherOf('* /checkout')(readOperation('GET', `/checkout${query}`))).toBe(true);
    expect(matcherOf('* /checkout')(readOperation('GET', `/${'s'.repeat(MOST_PATH - 1)}`))).toBe(false);
  });
});

describe('a check', () => {
  const REQUEST = {
    method: 'GET',
    path: '/orders',
    service: '',
    peer: '::ffff:172.18.0.5',
    forwardedFor: ['203.0.113.7'],
    forwarded: [],
    singleValues: [],
    user: '',
  } as const;
  function checkOf(decisions: readonly ReturnType<typeof decisionOf>[], attribution: object = {}) {
    const { served } = servedAt();
    served.put(decisions);
    return createCheck(served, createGatewayAttribution(attributionSection.parse(attribution)));
  }

  it('refuses what is decided about, and lets everything else go on', () => {
    const check = checkOf([decisionOf({ risk: 80 })]);
    expect(check(REQUEST)).toEqual({ result: 'refused', risk: 80 });
    expect(check({ ...REQUEST, forwardedFor: ['203.0.113.8'] })).toEqual({ result: 'ordinary', risk: 0 });
    expect(checkOf([])(REQUEST)).toEqual({ result: 'ordinary', risk: 0 });
  });

  it('shows no captcha: whoever is to see one goes on with the risk', () => {
    for (const more of [{}, { target: 'operations', operations: ['* /orders'] } as const])
      expect(checkOf([decisionOf({ type: 'captcha', risk: 44, ...more })])(REQUEST)).toEqual({
        result: 'reduced-rights',
        risk: 44,
      });
  });

  it('goes by the element that the gateway appended, whatever the client wrote before it', () => {
    const check = checkOf([decisionOf()]);
    const result = (forwardedFor: readonly string[]) => check({ ...REQUEST, forwardedFor }).result;
    expect(result(['198.51.100.1, 203.0.113.7'])).toBe('refused');
    expect(result(['198.51.100.1', '203.0.113.7'])).toBe('refused');
    expect(result(['203.0.113.7, 198.51.100.1'])).toBe('ordinary'); // somebody names another's address
    expect(result(['::ffff:203.0.113.7'])).toBe('refused');
    expect(result([])).toBe('ordinary'); // nobody can tell
    expect(result(['x', '203.0.113.7, '])).toBe('ordinary');
    expect(result([`${'9.9.9.9, '.repeat(8_000)}203.0.113.7`])).toBe('refused');
  });

  it('walks over proxies that stand before the gateway, also of one service', () => {
    const forwardedFor = ['203.0.113.7, 10.0.0.9'];
    expect(checkOf([decisionOf()], { trustedProxies: ['10.0.0.0/8'] })({ ...REQUEST, forwardedFor }).result).toBe(
      'refused',
    );
    expect(checkOf([decisionOf()])({ ...REQUEST, forwardedFor }).result).toBe('ordinary');
    const own = { services: { edge: { trustedHops: 2 } } };
    expect(checkOf([decisionOf()], own)({ ...REQUEST, forwardedFor, service: 'edge' }).result).toBe('refused');
    expect(checkOf([decisionOf()], own)({ ...REQUEST, forwardedFor }).result).toBe('ordinary');
  });

  it('refuses named operations alone, and marks the others with the risk', () => {
    const check = checkOf([
      decisionOf({ target: 'operations', operations: ['POST /checkout'], risk: 40 }),
      decisionOf({ scope: 'user', value: 'mallory', target: 'reduced-rights', risk: 0 }),
    ]);
    expect(check({ ...REQUEST, method: 'POST', path: '/checkout?x' })).toEqual({
      result: 'refused-operation',
      risk: 40,
    });
    expect(check(REQUEST)).toEqual({ result: 'reduced-rights', risk: 40 });
    expect(check({ ...REQUEST, forwardedFor: ['192.0.2.1'], user: 'mallory' })).toEqual({
      result: 'reduced-rights',
      risk: 1,
    });
    expect(check({ ...REQUEST, forwardedFor: ['192.0.2.1'], user: 'ana' })).toEqual({ result: 'ordinary', risk: 0 });
  });

  it('reads a path once, for however many operations', () => {
    const split = vi.spyOn(String.prototype, 'split');
    const readings = [1, 256].map((count) => {
      const operations = Array.from({ length: count }, (_, i) => `* /admin/${i}/{id}`);
      const check = checkOf([decisionOf({ target: 'operations', operations })]);
      const asked = { ...REQUEST, path: `/${'a%2525/'.repeat(250)}` };
      check(asked); // operations are compiled
      split.mockClear();
      expect(check(asked).result).toBe('reduced-rights');
      return split.mock.calls.length;
    });
    split.mockRestore();
    expect(readings[1]).toBe(readings[0]);
  });
});
